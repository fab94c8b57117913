/** 4. How time and peak memory grow with frames, length, size, GOP and codec. */
import { ensureClip } from '../lib/clips.mjs';
import { mb, ms } from '../lib/format.mjs';
import { interleave } from '../lib/measure.mjs';
import { Floor, fullDecode, peakMemory } from '../lib/subjects.mjs';

export const title = 'Growth';
const ALLOWANCE = 64 * 2 ** 20;

async function point({ clip: recipe, frames }, { threads, subject, rounds, idleClip, quick }) {
  const file = await ensureClip(recipe);
  const floor = await Floor.open(file, frames, threads);
  await floor.choose(1);
  const subjects = {
    floor: floor.decode(),
    patchStream: subject.call('patchStream', file, frames),
    decodeOnly: subject.call('decodeOnly', file, frames),
  };
  // A whole decode of an hour says nothing new and takes minutes.
  if (recipe.seconds <= 60 && !quick) subjects.full = fullDecode(file, threads);
  const results = await interleave(subjects, rounds);
  await floor.close();
  const yuv = Math.min(frames, recipe.frames) * recipe.width * recipe.height * 1.5;
  const memory = {};
  for (const call of ['patchStream', 'decodeOnly']) {
    memory[call] = await peakMemory(call, file, frames, await ensureClip(idleClip));
    // decodeOnly keeps no YUV, but may hold what the rule of DESIGN section 8 allows.
    if (!memory[call].error) memory[call].bound = yuv + memory[call].outputBytes + ALLOWANCE;
  }
  const { packets, segments, totalFrames } = floor.plan;
  return { clip: recipe.name, frames, packets, segments, totalFrames, results, memory };
}

export async function run(context) {
  const axes = [];
  for (const axis of context.clips.growth) {
    const points = [];
    for (const [x, subject] of axis.points) points.push({ x, ...(await point(subject, context)) });
    axes.push({ name: axis.name, unit: axis.unit, log: axis.log, points });
    context.progress(tables({ axes: axes.slice(-1) }));
  }
  return { axes };
}

export function tables({ axes }) {
  return axes.map((axis) => ({
    title: `Growth with ${axis.name}`,
    note: 'Peak memory in MiB over the idle process / what DESIGN section 8 allows.',
    head: [
      ...[axis.unit, 'clip', 'frames', 'packets', 'floor ms', 'patchStream ms', 'decodeOnly ms'],
      ...['full ms', 'patchStream MiB', 'decodeOnly MiB'],
    ],
    rows: axis.points.map((p) => [
      p.x,
      p.clip,
      p.frames,
      `${p.packets} of ${p.totalFrames}`,
      ms(p.results.floor),
      ms(p.results.patchStream),
      ms(p.results.decodeOnly),
      ms(p.results.full),
      ...['patchStream', 'decodeOnly'].map((call) => {
        const m = p.memory[call];
        return m.error ? 'failed' : `${mb(m.bytes)} / ${mb(m.bound)}`;
      }),
    ]),
  }));
}

export function checks({ axes }) {
  const out = [];
  for (const p of axes.flatMap((axis) => axis.points)) {
    for (const call of ['patchStream', 'decodeOnly']) {
      const m = p.memory[call];
      if (m.error) continue;
      const [value, bound] = [m.bytes / 2 ** 20, m.bound / 2 ** 20];
      const what = `peak memory (MiB), ${call}, ${p.frames} frames of ${p.clip}`;
      out.push({ what, bound: Math.round(bound), value, ok: m.bytes <= m.bound });
    }
  }
  return out;
}

/** Two charts per axis: time and memory. */
export function charts({ axes }) {
  const series = (points, label, value) => ({
    label,
    values: points.map((p) => value(p)).map((v) => (v === undefined ? null : v)),
  });
  return axes.flatMap((axis) => {
    const { points } = axis;
    const shared = { x: points.map((p) => p.x), xLabel: axis.unit, logX: axis.log };
    const time = (key) => (p) => p.results[key]?.ms?.median;
    const memory = (key, what) => (p) =>
      p.memory[key].error ? undefined : p.memory[key][what] / 2 ** 20;
    const file = axis.name.replace(/\W+/g, '-');
    return [
      {
        ...shared,
        file: `time-${file}.svg`,
        title: `Time by ${axis.name}`,
        yLabel: 'ms',
        logY: true,
        series: ['floor', 'patchStream', 'decodeOnly', 'full'].map((key) =>
          series(points, key === 'full' ? 'ffmpeg, whole file' : key, time(key)),
        ),
      },
      {
        ...shared,
        file: `memory-${file}.svg`,
        title: `Peak memory by ${axis.name}`,
        yLabel: 'MiB over idle',
        logY: true,
        series: [
          series(points, 'patchStream', memory('patchStream', 'bytes')),
          series(points, 'patchStream, allowed', memory('patchStream', 'bound')),
          series(points, 'decodeOnly', memory('decodeOnly', 'bytes')),
          series(points, 'decodeOnly, allowed', memory('decodeOnly', 'bound')),
        ],
      },
    ];
  });
}
