/** 2. decodeOnly and patchStream from the same sampled frames, by stage. */
import { ensureClip } from '../lib/clips.mjs';
import { digits, ms } from '../lib/format.mjs';
import { interleave } from '../lib/measure.mjs';
import { openStages } from '../lib/subjects.mjs';

export const title = 'Stages after decode';
const STAGES = ['indexMs', 'planMs', 'decodeMs', 'cellsMs', 'matchMs', 'scoresMs', 'selectMs'];
STAGES.push('gatherMs', 'convertMs', 'afterDecodeMs', 'totalMs');

export async function run({ clips, threads, subject, rounds, progress }) {
  const rows = [];
  for (const { clip, frames, bound } of clips.stages) {
    const file = await ensureClip(clip);
    const stages = await openStages(file, frames, threads);
    const results = await interleave(
      {
        patches: () => stages.ask('patches'),
        rgb: () => stages.ask('rgb'),
        patchStream: subject.call('patchStream', file, frames),
        decodeOnly: subject.call('decodeOnly', file, frames),
      },
      rounds,
    );
    await stages.close();
    rows.push({ clip: clip.name, frames, bound, results });
    progress(tables({ rows: rows.slice(-1) }));
  }
  return { rows };
}

export function tables({ rows }) {
  const stage = (r, call) => [
    `${r.clip}, ${r.frames} frames`,
    call,
    ...STAGES.map((key) => {
      const value = r.results[call].last?.timings?.[key];
      return value === undefined ? '–' : digits(value);
    }),
  ];
  return [
    {
      title: 'After decode, from decoded frames',
      note: 'All scores, selection and gather of 2048 patches (bf16); all frames to RGB.',
      head: ['clip', 'frames', 'patches ms', 'must be at most', 'gather ms', 'RGB ms'],
      rows: rows.map((r) => [
        r.clip,
        r.frames,
        ms(r.results.patches),
        r.bound ?? '–',
        digits(r.results.patches.last?.gatherMs ?? 0),
        ms(r.results.rgb),
      ]),
    },
    {
      title: 'By stage, one call of the last round',
      note:
        'cells, match, scores and convert are summed over threads and run while decoding goes on; ' +
        'afterDecode is the wall time from the last decoded frame to the result.',
      head: ['clip', 'call', ...STAGES.map((key) => key.replace(/Ms$/, ''))],
      rows: rows.flatMap((r) => [stage(r, 'patchStream'), stage(r, 'decodeOnly')]),
    },
  ];
}

export function checks({ rows }) {
  return rows
    .filter((r) => r.bound && r.results.patches.ms)
    .map((r) => {
      const value = r.results.patches.ms.median;
      const what = `after decode (ms), ${r.clip}, ${r.frames} frames`;
      return { what, bound: r.bound, value, ok: value <= r.bound };
    });
}
