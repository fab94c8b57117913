/** docs/lab/selection-evidence.md and its chart, of what run.mjs measured. */
import { FORMS, MEASURES } from './oracle.mjs';

const escape = (text) => `${text}`.replace(/[<>&]/g, (c) => `&#${c.charCodeAt(0)};`);
const mean = (values) => {
  const there = values.filter((v) => v !== null && v !== undefined);
  return there.length > 0 ? there.reduce((a, b) => a + b, 0) / there.length : null;
};
const share = (v) => (v === null ? '' : v.toFixed(2).replace(/^0/, ''));
const percent = (v) => (v === null ? '' : `${(100 * v).toFixed(1)} %`);
const row = (cells) => `| ${cells.join(' | ')} |`;
const table = (head, rows) => [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');

const energiesOf = ({ results }) => Object.keys(results[0].energies);
/** The mean of one figure of an energy over the clips. */
const over = ({ results }, energy, figure) => mean(results.map((r) => figure(r.energies[energy])));

function meansTable(report) {
  const head = [
    'energy',
    ...FORMS.flatMap((form) => report.shares.map((k) => `${form}, ${100 * k} %`)),
  ];
  const rows = energiesOf(report).map((energy) => [
    energy,
    ...FORMS.flatMap((form) =>
      report.shares.map((_, i) => share(over(report, energy, (e) => e.captured[form][i]))),
    ),
  ]);
  return table(head, rows);
}

/** How much of what 'block' leaves an energy captures, at 12.5 %, from mean shares. */
function gapTable(report) {
  const middle = report.shares.indexOf(0.125);
  const shareOf = (energy, name) => over(report, energy, (e) => e.captured[name][middle]);
  const rows = energiesOf(report)
    .filter((energy) => energy !== 'block')
    .map((energy) => [
      energy,
      ...MEASURES.map((name) => {
        const block = shareOf('block', name);
        return ((shareOf(energy, name) - block) / (1 - block)).toFixed(2).replace('0.', '.');
      }),
    ]);
  return table(['energy', ...MEASURES], rows);
}

/** Captured shares at 12.5 % of what is there between sampled frames, by kind of clip. */
function kindTable(report) {
  const middle = report.shares.indexOf(0.125);
  const energies = ['block', 'adjacent', 'accumulated', 'accumulated, whole video'];
  const measures = MEASURES.filter((name) => !name.startsWith('frame'));
  const kinds = [...new Set(report.results.map((r) => r.kind))];
  const rows = kinds.flatMap((kind) => {
    const results = report.results.filter((r) => r.kind === kind);
    return measures.map((name) => [
      `${kind} (${results.length})`,
      name,
      ...energies.map((e) => share(over({ results }, e, (one) => one.captured[name][middle]))),
    ]);
  });
  return table(['clips', 'measure', ...energies], rows);
}

function cutTable(report) {
  const middle = report.shares.indexOf(0.125);
  const cut = MEASURES.slice(FORMS.length);
  const rows = energiesOf(report).map((energy) => [
    energy,
    ...cut.map((name) => share(over(report, energy, (e) => e.captured[name][middle]))),
  ]);
  return table(['energy', ...cut], rows);
}

function otherTable(report) {
  const head = [
    'energy',
    ...FORMS.map((form) => `ranks, ${form}`),
    'flat',
    'bars',
    "bars, ignore 'letterbox'",
    'subtitles',
    'processor time / decoding',
  ];
  const rows = energiesOf(report).map((energy) => [
    energy,
    ...FORMS.map((form) => share(over(report, energy, (e) => e.ranks[form]))),
    ...['flat', 'bars', 'barsIgnored', 'subtitles'].map((what) =>
      percent(over(report, energy, (e) => e[what])),
    ),
    mean(report.results.map((r) => r.energies[energy].cpuMs / r.decodeMs)).toFixed(2),
  ]);
  rows.push([
    "the measure 'raw' itself",
    ...FORMS.map(() => ''),
    percent(mean(report.results.map((r) => r.oracleFlat))),
    ...['', '', '', ''],
  ]);
  return table(head, rows);
}

function timeTable(report) {
  const energies = energiesOf(report);
  const rows = report.results.map((r) => [
    r.clip,
    r.decodeMs.toFixed(0),
    ...energies.map((e) => r.energies[e].cpuMs.toFixed(0)),
  ]);
  return table(['clip', 'decoding', ...energies], rows);
}

function clipTable(report, form) {
  const middle = report.shares.indexOf(0.125);
  const energies = energiesOf(report);
  const rows = report.results.map((r) => [
    r.clip,
    r.size.join('x'),
    ...energies.map((e) => share(r.energies[e].captured[form][middle])),
  ]);
  return table(['clip', 'size', ...energies], rows);
}

export function pageOf(report) {
  const { machine } = report;
  return `# How good the energies are

An energy is good when the patches it chooses hold what happens in the video. A codec has to know that: it spends
its bits there. So each clip is encoded once more by x264 with one reference and no B pictures, and its own
motion vectors and residuals are taken as the measure.

![Share of the codec's effort that the chosen patches hold](../images/selection-evidence.svg)

\`\`\`
node bench/selection/run.mjs [--videos FOLDER] [--write]
\`\`\`

makes this page. The clips are made by recipe (bench/selection/clips.mjs): what videos consist of, each by itself.

## What is measured

16 frames of each clip, spread over it. For every patch: the length of the codec's motion vectors and the difference between
the luma and what those predict (a key picture of the encoder, which has none, takes those of the picture before it).
Each is divided by its 95th percentile, at least a quarter of a pixel and one level; the measure is the mean of the two.
As it stands that has no upper end: a strip of new picture at the edge of a pan may count twenty times as much as what moves.
*cut* is the same with what lies above the percentile cut off, as energies have it.

| measure | of what |
| --- | --- |
| frame | the sampled frame alone, percentiles per frame |
| interval | the sum of all frames since the last sampled one, percentiles per sampled frame |
| raw | the same sum, percentiles of the whole clip: what a codec spends |

The captured share is the measure's sum over the patches that an energy ranks highest, divided by the sum over the measure's
own best patches. 1 is perfect. The first frame, which nothing comes before, is left out. Ranks are Spearman's correlation
over all patches. Of an eighth of the patches, *flat* is the share whose luma differs by at most 8 (clips with noise
left out), *bars* and *subtitles* the share that lies there. *whole video*: energyScope 'video'.

## Captured share

Means over ${report.results.length} clips, for 6, 12.5 and 25 % of the patches.

${meansTable(report)}

## With what lies above the percentile cut off

The same at 12.5 %.

${cutTable(report)}

## How much of what 'block' leaves

(captured − captured of 'block') / (1 − captured of 'block'), of the means above, at 12.5 %.

${gapTable(report)}

## By kind of clip

What happens between sampled frames, at 12.5 %.

${kindTable(report)}

## Ranks, where the budget goes, time

Processor time of patchStream, as a multiple of decoding the same frames to 64x64.

${otherTable(report)}

## Processor time, milliseconds

${timeTable(report)}

${FORMS.map((form) => `## Clip by clip, 12.5 %, measure '${form}'\n\n${clipTable(report, form)}`).join('\n\n')}

Measured with ${machine.package} (${machine.commit}) on ${machine.cpu}, ${machine.threads} threads, ${machine.node}; load before: ${machine.loadBefore.toFixed(1)}.
The times are of a machine that may have done other work too: compare them within a row.
`;
}

const COLOURS = ['#4c72b0', '#dd8452', '#55a868', '#8c8c8c', '#c44e52', '#8172b3', '#937860'];

/** Bars: an energy each, in a group for each measure, at 12.5 %. */
export function chartOf(report) {
  const energies = energiesOf(report);
  const middle = report.shares.indexOf(0.125);
  const [width, height, left, top, bottom] = [720, 300, 48, 40, 34];
  const plot = { w: width - left - 190, h: height - top - bottom };
  const group = plot.w / FORMS.length;
  const bar = (group * 0.82) / energies.length;
  const y = (v) => top + plot.h * (1 - v);
  const out = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
      'font-family="sans-serif" font-size="12" fill="#555">',
    '<rect width="100%" height="100%" fill="#fff"/>',
    `<text x="${left}" y="20" font-size="14" fill="#222">Captured share at 12.5 % of the patches</text>`,
  ];
  for (const v of [0, 0.2, 0.4, 0.6, 0.8, 1]) {
    out.push(`<path d="M${left} ${y(v)}H${left + plot.w}" stroke="#e5e5e5"/>`);
    out.push(`<text x="${left - 6}" y="${y(v) + 4}" text-anchor="end">${v}</text>`);
  }
  FORMS.forEach((form, f) => {
    const from = left + f * group + group * 0.09;
    energies.forEach((energy, e) => {
      const v = over(report, energy, (one) => one.captured[form][middle]) ?? 0;
      const at = [from + e * bar, y(v), bar - 2, plot.h * v].map((n) => n.toFixed(1));
      out.push(
        `<rect x="${at[0]}" y="${at[1]}" width="${at[2]}" height="${at[3]}" fill="${COLOURS[e % COLOURS.length]}"/>`,
      );
    });
    out.push(
      `<text x="${(left + (f + 0.5) * group).toFixed(1)}" y="${height - 12}" text-anchor="middle">${form}</text>`,
    );
  });
  energies.forEach((energy, e) => {
    const at = top + 12 + e * 20;
    out.push(
      `<rect x="${left + plot.w + 16}" y="${at - 10}" width="12" height="12" fill="${COLOURS[e % COLOURS.length]}"/>`,
    );
    out.push(`<text x="${left + plot.w + 34}" y="${at}">${escape(energy)}</text>`);
  });
  return `${out.join('\n')}\n</svg>\n`;
}
