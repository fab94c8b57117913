/** 6. What the energies cost: against 'block', a full decode, and in memory with the video's length. */
import { ensureClip } from '../lib/clips.mjs';
import { mb, ms, times } from '../lib/format.mjs';
import { interleave, ratio } from '../lib/measure.mjs';
import { fullDecode, peakMemory } from '../lib/subjects.mjs';

export const title = 'Energies';

export async function run({ clips, threads, subject, rounds, idleClip, progress }) {
  const { clip, predicted, frames, lengths } = clips.energies;
  const rows = [];
  for (const [recipe, energies] of [
    [clip, ['block', 'adjacent', 'accumulated']],
    [predicted, ['block', 'codec']],
  ]) {
    const file = await ensureClip(recipe);
    const subjects = Object.fromEntries(
      energies.map((energy) => [energy, subject.call('patchStream', file, frames, { energy })]),
    );
    subjects.full = fullDecode(file, threads);
    const results = await interleave(subjects, rounds);
    for (const energy of energies) {
      rows.push({
        clip: recipe.name,
        energy,
        ...results[energy],
        toBlock: ratio(results, energy, 'block', 'cpuMs'),
        toFull: ratio(results, energy, 'full', 'cpuMs'),
      });
    }
  }
  const memory = [];
  for (const recipe of lengths) {
    const video = await ensureClip(recipe);
    const options = { energy: 'accumulated' };
    const peak = await peakMemory(
      'patchStream',
      video,
      frames,
      await ensureClip(idleClip),
      options,
    );
    memory.push({ clip: recipe.name, totalFrames: recipe.frames, ...peak });
  }
  const result = { frames, rows, memory };
  progress(tables(result));
  return result;
}

export function tables({ frames, rows, memory }) {
  return [
    {
      title: `Energies, ${frames} frames`,
      note: 'Ratios are of processor time, medians over rounds; full: ffmpeg decoding the whole file.',
      head: ['clip', 'energy', 'ms', 'CPU ms', "CPU / 'block'", 'CPU / full decode'],
      rows: rows.map((r) => [
        r.clip,
        r.energy,
        ms(r),
        r.cpuMs ? Math.round(r.cpuMs.median) : 'failed',
        times(r.toBlock),
        times(r.toFull),
      ]),
    },
    {
      title: `Peak memory of 'accumulated', ${frames} frames`,
      note: 'Over the idle process.',
      head: ['clip', 'frames of the video', 'MiB'],
      rows: memory.map((m) => [m.clip, m.totalFrames, m.error ? 'failed' : mb(m.bytes)]),
    },
  ];
}

/** What must hold, as { what, bound, value, ok }. */
export function checks({ rows, memory }) {
  const of = (energy) => rows.find((r) => r.energy === energy);
  const out = [];
  const add = (energy, than, bound, key) => {
    const { clip, [key]: value } = of(energy);
    if (value)
      out.push({ what: `CPU time '${energy}' / ${than}, ${clip}`, bound, value: value.median });
  };
  add('adjacent', "'block'", 1.25, 'toBlock');
  add('accumulated', 'full decode', 1.15, 'toFull');
  add('codec', "'block'", 1.15, 'toBlock');
  const [short, long] = memory;
  if (short?.bytes && long?.bytes) {
    // The index of the longer video, and what runs of the same process differ by.
    const bound = Math.round(short.bytes / 2 ** 20 + 16);
    const what = `peak memory (MiB) of 'accumulated', ${long.totalFrames} frames`;
    out.push({ what, bound, value: long.bytes / 2 ** 20 });
  }
  return out.map((c) => ({ ...c, ok: c.value <= c.bound }));
}
