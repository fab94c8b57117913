/** 1. Against the floor (decoding the plan's packets and nothing else) and a full decode. */
import { ensureClip } from '../lib/clips.mjs';
import { interleave, ratio } from '../lib/measure.mjs';
import { ms, range, times } from '../lib/format.mjs';
import { Floor, fullDecode } from '../lib/subjects.mjs';

export const title = 'Floor and full decode';

const wayOf = ({ decoders, decoderThreads }) => `${decoders}x${decoderThreads / decoders}`;

export async function measureClip(recipe, frames, { threads, subject, rounds, full = true }) {
  const file = await ensureClip(recipe);
  const floor = await Floor.open(file, frames, threads);
  try {
    const best = await floor.choose();
    const { timings: planned } = await subject.call('patchStream', file, frames)();
    const way = planned ? wayOf(planned) : best;
    const subjects = {
      floor: floor.decode(way),
      ...(best === way ? {} : { floorBest: floor.decode(best) }),
      patchStream: subject.call('patchStream', file, frames),
      decodeOnly: subject.call('decodeOnly', file, frames),
      convert: floor.convert(),
      patchStreamAgain: subject.call('patchStream', file, frames, { cold: false }),
    };
    if (full) subjects.full = fullDecode(file, threads);
    const results = await interleave(subjects, rounds);
    const { timings } = results.patchStream.last ?? {};
    return {
      clip: recipe.name,
      codec: recipe.codec,
      frames,
      plan: { ...floor.plan, way, best },
      ours: timings && { packets: timings.packetsDecoded, way: wayOf(timings) },
      results,
      patchToBest: best === way ? undefined : ratio(results, 'patchStream', 'floorBest'),
      patchToFloor: ratio(results, 'patchStream', 'floor'),
      patchAgainToFloor: ratio(results, 'patchStreamAgain', 'floor'),
      framesToFloor: ratio(results, 'decodeOnly', ['floor', 'convert']),
      patchToFloorCpu: ratio(results, 'patchStream', 'floor', 'cpuMs'),
      framesToFloorCpu: ratio(results, 'decodeOnly', ['floor', 'convert'], 'cpuMs'),
      patchToFull: full ? ratio(results, 'patchStream', 'full') : undefined,
    };
  } finally {
    await floor.close();
  }
}

export async function run(context) {
  const rows = [];
  for (const { clip, frames = 16 } of context.clips.floor) {
    rows.push(await measureClip(clip, frames, context));
    context.progress(tables({ rows: rows.slice(-1) }));
  }
  return { rows };
}

export function tables({ rows }) {
  return [
    {
      title: 'patchStream and decodeOnly against the floor',
      note:
        'floor: libavcodec alone on the packets of the plan, already in memory, decoders open, with ' +
        'as many decoders x threads each as patchStream takes; another way: the floor with the ' +
        'quickest other distribution of the same threads, where there is one; ' +
        'RGB: libswscale on the sampled frames; full: ffmpeg decoding the whole file. ' +
        'Ratios are medians over rounds.',
      head: [
        ...['clip', 'frames', 'packets', 'floor ms', 'RGB ms', 'patchStream ms', 'decodeOnly ms'],
        ...[
          'full ms',
          'patch/floor',
          'patch/another way',
          'index cached',
          'CPU time',
          'frames/(floor+RGB)',
        ],
        ...['CPU time', 'patch/full'],
      ],
      rows: rows.map((r) => [
        r.clip,
        r.frames,
        `${r.plan.packets}${r.ours && r.ours.packets !== r.plan.packets ? ` (ours ${r.ours.packets})` : ''} of ${r.plan.totalFrames}`,
        `${ms(r.results.floor)} (${r.plan.way})`,
        ms(r.results.convert),
        ms(r.results.patchStream),
        ms(r.results.decodeOnly),
        ms(r.results.full),
        range(r.patchToFloor),
        r.patchToBest ? `${times(r.patchToBest)} (${r.plan.best})` : '–',
        times(r.patchAgainToFloor),
        times(r.patchToFloorCpu),
        range(r.framesToFloor),
        times(r.framesToFloorCpu),
        times(r.patchToFull),
      ]),
    },
  ];
}

/** What must hold, as { what, bound, value, ok }. */
export function checks({ rows }) {
  const out = [];
  for (const r of rows) {
    const floorMs = r.results.floor?.ms?.median ?? 0;
    const add = (what, bound, value) =>
      value && out.push({ what: `${what}, ${r.clip}`, bound, value: value.median });
    if (floorMs > 300) {
      add('patchStream / floor', 1.05, r.patchToFloor);
      add('decodeOnly / (floor + RGB)', 1.05, r.framesToFloor);
    }
    if (r.clip === 'h264-1080p-g250-20s') add('patchStream / full decode', 0.88, r.patchToFull);
    if (r.clip === 'h264-1080p-g30-20s') add('patchStream / full decode', 0.45, r.patchToFull);
  }
  return out.map((c) => ({ ...c, ok: c.value <= c.bound }));
}
