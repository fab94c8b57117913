/** Frames that Python makes alike (test/parity/record_inputs.py, examples/models/make.py). */
import type { GivenFrames } from '../../src/inputs/index.js';

export interface HashVideo {
  readonly frames: number;
  readonly height: number;
  readonly width: number;
  readonly seed: number;
  /** Frames that are those before them. */
  readonly repeat?: readonly number[];
  /** Frames whose first sample is another one. */
  readonly touch?: readonly number[];
}

/** The upper byte of a 32-bit hash of the place in [T, H, W, 3]. */
export function hashFrames(video: HashVideo): GivenFrames {
  const { frames, height, width, seed, repeat = [], touch = [] } = video;
  const data = new Uint8Array(frames * height * width * 3);
  for (let i = 0; i < data.length; i++) {
    let v = (i + seed * 7919) >>> 0;
    v = Math.imul(v ^ (v >>> 16), 0x45d9f3b);
    v = Math.imul(v ^ (v >>> 16), 0x45d9f3b);
    data[i] = (v ^ (v >>> 16)) >>> 24;
  }
  const size = height * width * 3;
  for (const i of repeat) data.copyWithin(i * size, (i - 1) * size, i * size);
  for (const i of touch) data[i * size] = (data[i * size] as number) ^ 255;
  return { frames: { data, shape: [frames, height, width, 3] } };
}
