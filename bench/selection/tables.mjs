/** Tables of what run.mjs measured. */
import { FORMS } from './oracle.mjs';

const mean = (values) => {
  const there = values.filter((v) => v !== null && v !== undefined);
  return there.length > 0 ? there.reduce((a, b) => a + b, 0) / there.length : null;
};
const share = (v) => (v === null ? '' : v.toFixed(2).replace(/^0/, ''));
const percent = (v) => (v === null ? '' : `${(100 * v).toFixed(1)} %`);
const row = (cells) => `| ${cells.join(' | ')} |`;
export const table = (head, rows) =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');

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

export const energiesOf = ({ results }) => Object.keys(results[0].energies);
/** The mean of one figure of an energy over the clips. */
export const over = ({ results }, energy, figure) =>
  mean(results.map((r) => figure(r.energies[energy])));
const only = (report, test) => ({ ...report, results: report.results.filter(test) });
/** Those in which something happens: the residual reaches a level somewhere. */
export const moving = (report) => only(report, (r) => r.mostResidual >= 1);
/** The recipes' clips of one length, and all other videos. */
export const ofLength = (report, seconds) =>
  only(report, (r) => r.seconds === null || r.seconds === seconds);
const labelOf = ({ clip, seconds }) => (seconds === null ? clip : `${clip}, ${seconds} s`);
/** Rows of each length, which comes first in them. */
const byLength = (report, rowsOf) =>
  report.lengths.flatMap((seconds) =>
    rowsOf(ofLength(report, seconds)).map((cells) => [`${seconds} s`, ...cells]),
  );
const middleOf = (report) => report.shares.indexOf(0.125);

export function meansTable(report) {
  const head = [
    ...['clips', 'energy'],
    ...FORMS.flatMap((form) => report.shares.map((k) => `${form}, ${100 * k} %`)),
  ];
  const rowsOf = (some) => [
    ...energiesOf(some).map((energy) => [
      energy,
      ...FORMS.flatMap((form) =>
        some.shares.map((_, i) => share(over(some, energy, (e) => e.captured[form][i]))),
      ),
    ]),
    [
      'by chance',
      ...FORMS.flatMap((form) =>
        some.shares.map((_, i) => share(mean(some.results.map((r) => r.chance[form][i])))),
      ),
    ],
  ];
  return table(head, byLength(moving(report), rowsOf));
}

/** How much of what 'block' leaves an energy captures, at 12.5 %, from mean shares. */
export function gapTable(report) {
  const middle = middleOf(report);
  const gapsOf = (clips, reading) =>
    GAPS.map(([energy, form]) => {
      const shareOf = (name) => over(clips, name, (e) => e.captured[form + reading][middle]);
      const block = shareOf('block');
      return ((shareOf(energy) - block) / (1 - block)).toFixed(2).replace('0.', '.');
    });
  const rowsOf = (all) =>
    Object.entries(READING_TEXT).flatMap(([reading, text]) => [
      [text, ...gapsOf(moving(all), reading)],
      [`${text}, all ${all.results.length} clips`, ...gapsOf(all, reading)],
    ]);
  const head = ['clips', 'measure', ...GAPS.map(([energy, form]) => `${energy} / ${form}`)];
  return table(head, byLength(report, rowsOf));
}

/** Captured shares at 12.5 % of what is there between sampled frames, by kind of clip. */
export function kindTable(all) {
  const report = moving(all);
  const middle = middleOf(report);
  const energies = ['block', 'adjacent', 'accumulated', 'accumulated, whole video'];
  const groups = [...new Set(report.results.map((r) => r.kind))].flatMap((kind) =>
    [...report.lengths, null].map((seconds) =>
      only(report, (r) => r.kind === kind && r.seconds === seconds),
    ),
  );
  const rows = groups
    .filter(({ results }) => results.length > 0)
    .flatMap((group) => {
      const [{ kind, seconds }] = group.results;
      const length = seconds === null ? '' : `, ${seconds} s`;
      return FORMS.filter((form) => form !== 'frame').map((form) => [
        `${kind}${length} (${group.results.length})`,
        form,
        ...energies.map((e) => share(over(group, e, (one) => one.captured[form][middle]))),
        share(mean(group.results.map((r) => r.chance[form][middle]))),
      ]);
    });
  return table(['clips', 'measure', ...energies, 'by chance'], rows);
}

/** Ranks, and where an eighth of the patches goes. */
export function otherTable(report) {
  const head = [
    ...['clips', 'energy'],
    ...FORMS.map((form) => `ranks, ${form}`),
    ...['flat', 'flat throughout', 'no energy', 'flat, of the others'],
    ...['bars', "bars, ignore 'letterbox'", 'subtitles'],
  ];
  const figures = [
    'flat',
    'throughout',
    'without',
    'flatScored',
    'bars',
    'barsIgnored',
    'subtitles',
  ];
  const rowsOf = (some) => {
    const flatOnly = (name, ...what) => [
      name,
      ...FORMS.map(() => ''),
      ...what.map((one) => percent(mean(some.results.map((r) => r[one])))),
      ...figures.slice(what.length).map(() => ''),
    ];
    return [
      ...energiesOf(some).map((energy) => [
        energy,
        ...FORMS.map((form) => share(over(moving(some), energy, (e) => e.ranks[form]))),
        ...figures.map((what) => percent(over(some, energy, (e) => e[what]))),
      ]),
      flatOnly("the measure 'raw' itself", 'oracleFlat', 'oracleThroughout'),
      flatOnly('all patches there are', 'flatAll', 'throughoutAll'),
    ];
  };
  return table(head, byLength(report, rowsOf));
}

/** Of an eighth of the patches: flat, flat throughout, without energy, flat of those with energy. */
export function flatTable(report) {
  const energies = ['block', 'adjacent', 'accumulated'].map((e) => `${e}, whole video`);
  const rows = report.results
    .filter((r) => r.flatAll !== null)
    .map((r) => [
      labelOf(r),
      percent(r.flatAll),
      percent(r.oracleFlat),
      ...energies.map((e) => {
        const { flat, throughout, without, flatScored } = r.energies[e];
        return [flat, throughout, without, flatScored]
          .map((v) => percent(v).replace(' %', ''))
          .join(' / ');
      }),
    ]);
  return table(['clip', 'of all patches', "of the measure 'raw'", ...energies], rows);
}

export function clipTable(report, form) {
  const middle = middleOf(report);
  const energies = energiesOf(report);
  const rows = report.results.map((r) => [
    labelOf(r),
    r.size.join('x'),
    ...energies.map((e) => share(r.energies[e].captured[form][middle])),
    share(r.chance[form][middle]),
  ]);
  return table(['clip', 'size', ...energies, 'by chance'], rows);
}

/** Processor time: as a multiple of decoding, and in milliseconds. */
export function timeTables(report) {
  const energies = energiesOf(report);
  const ratio = (some, energy) =>
    mean(some.results.map((r) => r.energies[energy].cpuMs / r.decodeMs)).toFixed(2);
  const ratios = byLength(report, (some) => energies.map((e) => [e, ratio(some, e)]));
  const rows = report.results.map((r) => [
    labelOf(r),
    r.decodeMs.toFixed(0),
    ...energies.map((e) => r.energies[e].cpuMs.toFixed(0)),
  ]);
  return [
    table(['clips', 'energy', 'processor time / decoding'], ratios),
    table(['clip', 'decoding', ...energies], rows),
  ];
}
