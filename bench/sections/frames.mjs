/** 8. Which frames: key frames alone, random clips, windows over a long video, very many frames. */
import { ensureClip } from '../lib/clips.mjs';
import { mb, ms, range, times } from '../lib/format.mjs';
import { interleave, ratio } from '../lib/measure.mjs';
import { Floor, fullDecode, Package } from '../lib/subjects.mjs';

export const title = 'Frames';

// So small that next to nothing but decoding is left.
const TINY = { width: 64, height: 64 };

/** `only: 'key-frames'`, as many as there are, against decoding all of the file. */
async function keyFrames({ clip }, { threads, subject, rounds }) {
  const file = await ensureClip(clip);
  const count = clip.frames / clip.gop;
  const sample = { count, only: 'key-frames' };
  const results = await interleave(
    {
      keys: subject.call('decodeOnly', file, undefined, { sample }),
      full: fullDecode(file, threads),
    },
    rounds,
  );
  return { clip: clip.name, count, results, toFull: ratio(results, 'keys', 'full') };
}

/** Clips of 16 frames from random places against the packets of just these frames. */
async function randomClips({ clip }, { threads, subject, rounds }) {
  const file = await ensureClip(clip);
  const out = [];
  for (const seed of [1, 2, 3]) {
    const sample = { clip: 16, start: 'random', seed };
    const call = subject.call('decodeOnly', file, undefined, { sample, ...TINY });
    const { ids } = await call();
    const floor = await Floor.open(file, `ids:${ids.join(',')}`, threads);
    await floor.choose();
    const results = await interleave({ random: call, floor: floor.decode() }, rounds);
    await floor.close();
    out.push({
      ...{ clip: clip.name, first: ids[0], packets: floor.plan.packets, results },
      toFloor: ratio(results, 'random', 'floor'),
      toFloorCpu: ratio(results, 'random', 'floor', 'cpuMs'),
    });
  }
  return out;
}

/** Peak memory of windows over a long video, over the idle process. */
async function windows({ long }, { idleClip }) {
  const video = await ensureClip(long);
  const fresh = new Package();
  try {
    await fresh.server.ready;
    await fresh.call('patchStream', await ensureClip(idleClip), 1)();
    const idle = await fresh.ask({ what: 'reset' });
    const span = { seconds: 2, hop: 60 };
    const reply = await fresh.ask({ what: 'windows', video, span, options: {} });
    if (reply.error) return reply;
    const { peak } = await fresh.ask({ what: 'memory' });
    return { clip: long.name, ...reply, bytes: peak - idle.rss, frames: long.frames };
  } finally {
    await fresh.close();
  }
}

/** As many frames as there are, 60,000 of 32x32: what each frame costs beside its decoding. */
async function many({ many: clip }, { threads, subject, rounds }) {
  const file = await ensureClip(clip);
  const floor = await Floor.open(file, `${clip.frames}`, threads);
  await floor.choose(1);
  const results = await interleave(
    {
      floor: floor.decode(),
      frames: subject.call('decodeOnly', file, clip.frames),
      patches: subject.call('patchStream', file, clip.frames, { inputSize: 28, kKeep: 2048 }),
      full: fullDecode(file, threads),
    },
    { ...rounds, repetitions: 3, least: 2 },
  );
  await floor.close();
  return {
    ...{ clip: clip.name, frames: clip.frames, results },
    framesToFloor: ratio(results, 'frames', 'floor'),
    patchesToFloor: ratio(results, 'patches', 'floor'),
    framesToFull: ratio(results, 'frames', 'full'),
    patchesToFull: ratio(results, 'patches', 'full'),
  };
}

export async function run(context) {
  const plan = context.clips.frames;
  const data = {
    keys: await keyFrames(plan, context),
    random: await randomClips(plan, context),
    windows: await windows(plan, context),
    many: await many(plan, context),
  };
  context.progress(tables(data));
  return data;
}

export function tables({ keys, random, windows: w, many: m }) {
  return [
    {
      title: 'Which frames',
      note: 'full: ffmpeg decoding the whole file; floor: the packets of the wanted frames alone.',
      head: ['what', 'clip', 'frames', 'ms', 'against', 'ms', 'ratio', 'CPU ratio'],
      rows: [
        [
          "only: 'key-frames'",
          ...[keys.clip, keys.count, ms(keys.results.keys), 'full', ms(keys.results.full)],
          ...[range(keys.toFull), '–'],
        ],
        ...random.map((r) => [
          `random clip from ${r.first}`,
          ...[r.clip, 16, ms(r.results.random), `floor, ${r.packets} packets`, ms(r.results.floor)],
          ...[range(r.toFloor), times(r.toFloorCpu)],
        ]),
        ...['frames', 'patches'].flatMap((what) =>
          ['Floor', 'Full'].map((than) => [
            what === 'frames' ? 'decodeOnly' : 'patchStream',
            ...[m.clip, m.frames, ms(m.results[what]), than.toLowerCase()],
            ...[ms(m.results[than.toLowerCase()]), range(m[`${what}To${than}`]), '–'],
          ]),
        ),
      ],
    },
    {
      title: 'Windows over a long video',
      note: 'Peak memory over the idle process.',
      head: ['clip', 'frames of the video', 'windows', 'bytes of one (MiB)', 'peak MiB', 'ms'],
      rows: [
        w.error
          ? ['failed', w.error, '', '', '', '']
          : [w.clip, w.frames, w.count, mb(w.windowBytes), mb(w.bytes), Math.round(w.ms)],
      ],
    },
  ];
}

export function checks({ keys, random, windows: w, many: m }) {
  const all = [
    [`only: 'key-frames' / full decode, ${keys.clip}`, 0.15, keys.toFull?.median],
    ...random.map((r) => [`random clip from ${r.first} / floor`, 1.05, r.toFloor?.median]),
    // Not against the floor, which neither reads the file nor makes an index: 7 µs a frame.
    [`decodeOnly of ${m.frames} frames / decoding the file`, 1.3, m.framesToFull?.median],
    [`patchStream of ${m.frames} frames / decoding the file`, 1.3, m.patchesToFull?.median],
    // Two windows, one that JavaScript has seen and not collected yet, the index, and a decoder.
    ['windows, peak (MiB)', (3 * (w.windowBytes ?? 0)) / 2 ** 20 + 64, (w.bytes ?? NaN) / 2 ** 20],
  ];
  return all
    .filter(([, , value]) => value !== undefined)
    .map(([what, bound, value]) => ({
      what,
      bound: Number(bound.toFixed(2)),
      value,
      ok: value <= bound,
    }));
}
