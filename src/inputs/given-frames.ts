/** Frames that are there already, in place of a video. */
import { callNative } from '../api/call.js';
import { Tensor } from '../api/tensor.js';
import type { NativeBuffer, NativeResized } from '../native/binding.js';
import { native } from '../native/binding.js';
import { parseDecodeOnly } from '../options/records.js';
import { checkNumber, invalid } from '../support/is.js';
import type { ParsedInput } from './define.js';
import { isObject } from './define.js';
import { frameOptions, gridOf, memoryOf } from './picture-options.js';
import type { PictureOptions, Pictures } from './picture-options.js';

/** Frames in place of a video: they are the sample, in their order. */
export interface GivenFrames {
  /** uint8 RGB [T, H, W, 3]: what decodeOnly gives, or bytes and their shape. */
  readonly frames:
    | Tensor<'uint8'>
    | {
        readonly data: Uint8Array | Uint8ClampedArray;
        readonly shape: readonly [frames: number, height: number, width: number, channels: 3];
      };
  /** When each was taken, in seconds. Default: 24 frames a second. */
  readonly seconds?: ArrayLike<number> | undefined;
}

/** Frames a second where nothing says how many. */
const USUAL_RATE = 24;
const MOST_SIDE = 16384;
/** Frames that are there are the sample, whatever the description says. */
const ITSELF = { count: 1 } as const;

export const isGiven = (video: unknown): video is GivenFrames =>
  isObject(video) && 'frames' in video && !('info' in video);

interface Checked {
  readonly shape: readonly [number, number, number];
  readonly seconds: readonly number[];
  readonly secondsPerFrame: number;
}

function check({ frames, seconds, ...rest }: GivenFrames): Checked {
  const other = Object.keys(rest)[0];
  if (other !== undefined) throw invalid(`videos.${other}`, '{ frames, seconds? }', rest);
  const expected = 'a uint8 Tensor [T, H, W, 3] or { data, shape: [T, H, W, 3] }';
  const isTensor = frames instanceof Tensor;
  if (!isTensor && !isObject(frames)) throw invalid('frames', expected, frames);
  const shape: readonly unknown[] = Array.isArray(frames.shape) ? frames.shape : [];
  const good = (side: unknown, most: number): side is number =>
    typeof side === 'number' && Number.isInteger(side) && side >= 1 && side <= most;
  const [count, height, width, channels] = shape;
  const fits =
    shape.length === 4 &&
    good(count, 1_000_000) &&
    good(height, MOST_SIDE) &&
    good(width, MOST_SIDE) &&
    channels === 3;
  if (!fits) throw invalid('frames.shape', '[T, H, W, 3]', frames.shape);
  const dtype: unknown = isTensor ? frames.dtype : 'uint8';
  if (dtype !== 'uint8') throw invalid('frames.dtype', "'uint8'", dtype);
  if (!isTensor) {
    const { data } = frames;
    const isBytes = data instanceof Uint8Array || data instanceof Uint8ClampedArray;
    const bytes = count * height * width * 3;
    if (!isBytes || data.length !== bytes) {
      throw invalid('frames.data', `Uint8Array of ${bytes} elements`, data);
    }
  }
  if (seconds === undefined) {
    const times = Array.from({ length: count }, (_, i) => i / USUAL_RATE);
    return { shape: [count, height, width], seconds: times, secondsPerFrame: 1 / USUAL_RATE };
  }
  const times = Array.from(seconds, (s, i) => checkNumber(`seconds[${i}]`, s, -1e12, 1e12));
  if (times.length !== count) throw invalid('seconds', `${count} numbers`, seconds);
  const span = (times[count - 1] as number) - (times[0] as number);
  const secondsPerFrame = count > 1 && span > 0 ? span / (count - 1) : 1 / USUAL_RATE;
  return { shape: [count, height, width], seconds: times, secondsPerFrame };
}

async function sourceOf({
  frames,
}: GivenFrames): Promise<{ memory: NativeBuffer; byteOffset: number; own: boolean }> {
  if (frames instanceof Tensor) return memoryOf(frames, false);
  const { data } = frames;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { memory: native().copyIn(bytes), byteOffset: 0, own: true };
}

export async function givenPictures(
  given: GivenFrames,
  input: ParsedInput,
  options: PictureOptions,
): Promise<Pictures> {
  const { shape, seconds, secondsPerFrame } = check(given);
  if (input.spec.select !== undefined) {
    throw invalid('videos', 'a video (the input selects patches)', given);
  }
  const [count, height, width] = shape;
  const config = frameOptions(input, { ...options, sample: ITSELF }, () => ({ height, width }));
  // The bytes stand in for a video: only what becomes of pictures counts.
  const { records, signal, notes } = parseDecodeOnly({ ...config, videoPath: new Uint8Array(1) });
  const source = await sourceOf(given);
  try {
    const result = await callNative<NativeResized>({
      api: 'decodeOnly',
      input: new Uint8Array(0),
      signal,
      timeoutMs: records.call.timeoutMs,
      notes,
      start: (binding, cancel) =>
        binding.resizeFrames(
          { source: source.memory, byteOffset: source.byteOffset, count, height, width },
          records,
          cancel,
        ),
      discard: (r) => r.frames.release(),
    });
    const { frames: memory } = result;
    return {
      memory,
      units: 'frames',
      firstUnit: 0,
      count,
      grid: gridOf(input, {
        frames: count,
        height: result.height,
        width: result.width,
        selected: 0,
      }),
      ids: seconds.map((_, i) => i),
      seconds,
      secondsPerFrame,
      selected: [],
      notes: result.notes,
      close: () => memory.release(),
    };
  } finally {
    if (source.own) source.memory.release();
  }
}
