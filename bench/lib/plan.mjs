/** Which clips each section measures, in full and with --quick. */
import { clip } from './clips.mjs';

const long = (more) => clip({ lines: 1080, seconds: 20, ...more });
const short = (more) => clip({ lines: 720, seconds: 8, preset: undefined, ...more });

/** Small, for warming a process up before its idle memory is taken. */
export const idleClip = clip({ lines: 360, seconds: 2, gop: 25, preset: 'veryfast' });

const small = (more) => clip({ lines: 360, preset: 'veryfast', seconds: 60, ...more });
const frames = (counts, of) => counts.map((n) => [n, { clip: of, frames: n }]);

function growth(quick) {
  const counts = quick ? [1, 16, 256] : [1, 4, 16, 64, 256];
  const lengths = quick ? [10, 3600] : [10, 60, 600, 3600];
  const lines = quick ? [360, 1080] : [360, 720, 1080, 2160];
  const gops = quick ? [1, 250] : [1, 10, 30, 120, 250, 600];
  const codecs = ['h264', 'hevc', 'vp9', 'av1', ...(quick ? [] : ['mpeg4', 'mjpeg'])];
  return [
    {
      name: 'frames',
      unit: 'sampled frames',
      log: true,
      points: frames(counts, long(quick ? { preset: 'veryfast' } : {})),
    },
    {
      name: 'length',
      unit: 'seconds',
      log: true,
      points: lengths.map((s) => [s, { clip: small({ seconds: s }), frames: 16 }]),
    },
    {
      name: 'size',
      unit: 'lines',
      log: true,
      points: lines.map((n) => {
        const of = clip({ lines: n, seconds: 8, preset: 'veryfast' });
        return [n, { clip: of, frames: 16 }];
      }),
    },
    {
      name: 'GOP length',
      unit: 'frames per GOP',
      log: true,
      points: gops.map((gop) => [gop, { clip: small({ gop }), frames: 16 }]),
    },
    {
      name: 'codec',
      unit: 'codec (720p, 8 s)',
      points: codecs.map((codec) => [codec, { clip: short({ codec }), frames: 16 }]),
    },
  ];
}

export function benchPlan(quick) {
  const codecs = quick ? short : long;
  // What a clip takes to encode counts too: a first --quick run makes its clips in about a minute.
  const preset = quick ? 'veryfast' : undefined;
  const main = [250, 30].map((gop) => ({ clip: long({ gop, preset }) }));
  const others = ['hevc', 'vp9', 'av1'].map((codec) => ({ clip: codecs({ codec }) }));
  return {
    floor: [...main, ...others],
    stages: [
      { clip: main[0].clip, frames: 16, bound: 25 },
      { clip: main[0].clip, frames: 64, bound: 90 },
      { clip: clip({ lines: 2160, seconds: 8, preset: 'veryfast' }), frames: 16, bound: 60 },
    ].slice(0, quick ? 2 : 3),
    pixels: quick ? main.slice(0, 1) : main,
    // 20 s at 25 frames a second.
    inputs: { clip: main[0].clip, total: 500 },
    frames: {
      clip: main[0].clip,
      long: small({ seconds: 3600 }),
      many: clip({ lines: 32, seconds: 2400, gop: 250, preset: 'veryfast' }),
    },
    peers: quick ? [main[1], others[2]] : [...main, ...others],
    growth: growth(quick),
    energies: {
      clip: main[0].clip,
      predicted: long({ codec: 'h264-p', preset }),
      frames: 16,
      lengths: [24, 2400].map((seconds) => small({ seconds })),
    },
    concurrency: {
      clip: short({ preset: 'veryfast' }),
      frames: 16,
      streams: quick ? [1, 4, 16] : [1, 2, 4, 8, 16],
    },
  };
}
