/** docs/lab/selection-evidence.md and its chart, of what run.mjs measured. */
import { FORMS } from './oracle.mjs';
import { measuredOn, part, partOf, writtenPage } from './parts.mjs';
import { DIRECTION } from './publish-direction.mjs';

const escape = (text) => `${text}`.replace(/[<>&]/g, (c) => `&#${c.charCodeAt(0)};`);
const mean = (values) => {
  const there = values.filter((v) => v !== null && v !== undefined);
  return there.length > 0 ? there.reduce((a, b) => a + b, 0) / there.length : null;
};
const share = (v) => (v === null ? '' : v.toFixed(2).replace(/^0/, ''));
const percent = (v) => (v === null ? '' : `${(100 * v).toFixed(1)} %`);
const row = (cells) => `| ${cells.join(' | ')} |`;
const table = (head, rows) => [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');

// What is asked of energies, and the form of the measure.
const GAPS = [
  ['adjacent', 'frame'],
  ['adjacent, whole video', 'frame'],
  ['accumulated', 'interval'],
  ['accumulated, whole video', 'interval'],
  ['accumulated', 'raw'],
  ['accumulated, whole video', 'raw'],
];
const READING_TEXT = {
  '': 'the measure',
  ', not cut': 'not cut',
  ', fractions': 'fractions of levels',
  ', fractions, not cut': 'both',
};

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

/**
 * How much of what 'block' leaves an energy captures, at 12.5 %, from mean shares. Clips in which the residual
 * reaches a level nowhere are those in which nothing happens.
 */
function gapTable(report) {
  const middle = report.shares.indexOf(0.125);
  const rows = [];
  for (const [reading, text] of Object.entries(READING_TEXT)) {
    for (const [of, clips] of [moving(report), report].entries()) {
      const shareOf = (energy, form) =>
        over(clips, energy, (e) => e.captured[form + reading][middle]);
      const gap = ([energy, form]) => {
        const block = shareOf('block', form);
        const value = (shareOf(energy, form) - block) / (1 - block);
        return value.toFixed(2).replace('0.', '.');
      };
      rows.push([of === 0 ? text : `${text}, all ${clips.results.length} clips`, ...GAPS.map(gap)]);
    }
  }
  return table(['measure', ...GAPS.map(([energy, form]) => `${energy} / ${form}`)], rows);
}

/** Captured shares at 12.5 % of what is there between sampled frames, by kind of clip. */
function kindTable(report) {
  const middle = report.shares.indexOf(0.125);
  const energies = ['block', 'adjacent', 'accumulated', 'accumulated, whole video'];
  const measures = FORMS.filter((name) => name !== 'frame');
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

function otherTable(report) {
  const head = [
    'energy',
    ...FORMS.map((form) => `ranks, ${form}`),
    ...['flat', 'no energy', 'flat, of the others'],
    ...['bars', "bars, ignore 'letterbox'", 'subtitles'],
  ];
  const rows = energiesOf(report).map((energy) => [
    energy,
    ...FORMS.map((form) => share(over(moving(report), energy, (e) => e.ranks[form]))),
    ...['flat', 'without', 'flatScored', 'bars', 'barsIgnored', 'subtitles'].map((what) =>
      percent(over(report, energy, (e) => e[what])),
    ),
  ]);
  const measure = ["the measure 'raw' itself", ...FORMS.map(() => '')];
  rows.push([
    ...measure,
    percent(mean(report.results.map((r) => r.oracleFlat))),
    ...['', '', '', '', ''],
  ]);
  rows.push([
    'all patches there are',
    ...FORMS.map(() => ''),
    percent(mean(report.results.map((r) => r.flatAll))),
    ...['', '', '', '', ''],
  ]);
  return table(head, rows);
}

/** Of an eighth of the patches: flat, without energy, flat of those with energy. */
function flatTable(report) {
  const energies = ['block', 'adjacent', 'accumulated'].map((e) => `${e}, whole video`);
  const rows = report.results
    .filter((r) => r.flatAll !== null)
    .map((r) => [
      r.clip,
      percent(r.flatAll),
      percent(r.oracleFlat),
      ...energies.map((e) => {
        const { flat, without, flatScored } = r.energies[e];
        return [flat, without, flatScored].map((v) => percent(v).replace(' %', '')).join(' / ');
      }),
    ]);
  return table(['clip', 'of all patches', "of the measure 'raw'", ...energies], rows);
}

const TIMES = 'times';

/** Processor time; as it was where it has not been measured. */
function timesPart(report) {
  if (!report.times) return partOf(writtenPage(), TIMES);
  const energies = energiesOf(report);
  const ratios = energies.map((energy) => [
    energy,
    mean(report.results.map((r) => r.energies[energy].cpuMs / r.decodeMs)).toFixed(2),
  ]);
  const rows = report.results.map((r) => [
    r.clip,
    r.decodeMs.toFixed(0),
    ...energies.map((e) => r.energies[e].cpuMs.toFixed(0)),
  ]);
  return part(
    TIMES,
    `## Processor time

Of patchStream, as a multiple of decoding the same frames to 64x64.

${table(['energy', 'processor time / decoding'], ratios)}

In milliseconds:

${table(['clip', 'decoding', ...energies], rows)}

${measuredOn(report)} The times are of a machine that may have done other work too: compare them within a row.`,
  );
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

/** Those in which something happens. */
const moving = (report) => ({
  ...report,
  results: report.results.filter((r) => r.mostResidual >= 1),
});

export function pageOf(report) {
  const measured = moving(report);
  const still = report.results.filter((r) => r.mostResidual < 1).map((r) => r.clip);
  return `# How good the energies are

An energy is good when the patches it chooses hold what happens in the video. A codec has to know that: it spends
its bits there. So each clip is encoded once more by x264 with one reference and no B pictures, and its own
motion vectors and residuals are taken as the measure.

![Share of the codec's effort that the chosen patches hold](../images/selection-evidence.svg)

\`\`\`
node bench/selection/run.mjs [--videos FOLDER] [--write] [--times]
\`\`\`

makes this page. The clips are made by recipe (bench/selection/clips.mjs): what videos consist of, each by itself.

## What is measured

16 frames of each clip, spread over it. On cells of 4x4 samples: the length of the codec's motion vectors, in samples, and what
the luma differs from the cell that these predict, in whole levels. A key picture of the encoder has none of both, every 16th picture. All
of it is what energy 'codec' sees in such a stream. The measure is the mean of the two maps, of a patch the mean over what it covers.

| measure | of what |
| --- | --- |
| frame | the sampled frame alone; each map divided by its 95th percentile, at least a quarter of a sample and one level, and cut at 1 |
| interval | the sum of all frames since the last sampled one, then the same |
| raw | the same sum in samples and levels, not divided: what a codec spends |

The captured share is the measure's sum over the patches that an energy ranks highest, divided by the sum over the measure's
own best patches. 1 is perfect. The first frame, which nothing comes before, is left out, and so are clips in which
the residual of no patch adds up to one level${still.length > 0 ? ` (${still.join(', ')})` : ''}. Ranks are Spearman's correlation
over all patches. *whole video*: energyScope 'video'.

## Captured share

Means over ${measured.results.length} clips, for 6, 12.5 and 25 % of the patches.

${meansTable(measured)}

## How much of what 'block' leaves

(captured − captured of 'block') / (1 − captured of 'block'), of the means above, at 12.5 %. The design's text can be read in other
ways, so here are these, too. *Not cut*: what lies above a percentile counts in full, and 'raw' is divided by the percentiles of the
whole clip; a strip of new picture at the edge of a pan then counts twenty times as much as what moves. *Fractions of levels*: the
residual is a mean of differences of samples, predicted bilinearly, so that the encoder's rounding counts; a key picture takes the maps
of the picture before it. *Both*: as this page had it at first.

${gapTable(report)}

## By kind of clip

What happens between sampled frames, at 12.5 %.

${kindTable(measured)}

## Ranks, and where the budget goes

Of an eighth of the patches: *flat* is the share whose luma differs by at most 8 (clips with noise left out), *no energy* the share
that scores 0 and is taken because nothing else is left, *flat, of the others* is what is flat of those that score more. *bars* and *subtitles*: the
share that lies there.

${otherTable(report)}

Clip by clip: flat / no energy / flat of the others, in per cent.

${flatTable(report)}

${timesPart(report)}

${partOf(writtenPage(), DIRECTION)}

${FORMS.map((form) => `## Clip by clip, 12.5 %, measure '${form}'\n\n${clipTable(report, form)}`).join('\n\n')}

${measuredOn(report)}
`;
}

const COLOURS = ['#4c72b0', '#dd8452', '#55a868', '#8c8c8c', '#c44e52', '#8172b3', '#937860'];

/** Bars: an energy each, in a group for each measure, at 12.5 %. */
export function chartOf(all) {
  const report = moving(all);
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
