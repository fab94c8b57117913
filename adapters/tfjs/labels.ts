/** Labels of a batch as one matrix. */
import { failure, invalid, videoError } from '../common/errors.js';
import type { Sample } from '../common/videos.js';

/** A number, or a vector (one-hot classes, several targets): the same length for every video. */
export type Label = number | readonly number[] | Float32Array | Int32Array;

export interface LabelOptions<E> {
  /** The label of an entry of `videos`. Default: its property `label`. */
  readonly label?: ((entry: E) => Label) | undefined;
  /** Turns labels 0..numClasses-1 into one-hot vectors: ys [B, numClasses]. */
  readonly numClasses?: number | undefined;
}

export interface Ys {
  readonly data: Float32Array;
  readonly shape: [number, number];
}

/** The vector of one sample; undefined if it has no label. */
export function readLabel<E>(
  sample: Sample<E>,
  { label, numClasses }: LabelOptions<E>,
): Float32Array | undefined {
  const { entry, video, index } = sample;
  let value: unknown;
  try {
    value = label ? label(entry) : (entry as { label?: unknown } | null)?.label;
  } catch (error) {
    throw videoError(error, video, index);
  }
  if (value === undefined && !label) return undefined;
  if (numClasses !== undefined) {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value >= numClasses) {
      const expected = `integer between 0 and ${numClasses - 1} (numClasses is ${numClasses})`;
      throw videoError(invalid('label', expected, value), video, index);
    }
    const oneHot = new Float32Array(numClasses);
    oneHot[value] = 1;
    return oneHot;
  }
  const numbers = typeof value === 'number' ? [value] : value;
  const list = Array.isArray(numbers) || ArrayBuffer.isView(numbers);
  const vector = list ? Float32Array.from(numbers as ArrayLike<number>) : undefined;
  if (!vector || vector.length === 0 || vector.some((v) => Number.isNaN(v))) {
    throw videoError(invalid('label', 'number or array of numbers', value), video, index);
  }
  return vector;
}

/** One row per label; undefined if no video has one. */
export function stackLabels(
  labels: readonly (Float32Array | undefined)[],
  samples: readonly Sample<unknown>[],
): Ys | undefined {
  const first = labels.find((label) => label !== undefined);
  if (!first) return undefined;
  const data = new Float32Array(labels.length * first.length);
  labels.forEach((label, i) => {
    if (label?.length !== first.length) {
      const problem = label
        ? `Expected a label of ${first.length} numbers, as before, but received ${label.length}`
        : 'Expected a label, as other videos of the batch have, but received none';
      const { video, index } = samples[i] as Sample<unknown>;
      throw videoError(failure('ERR_CPS_INVALID_ARGUMENT', problem), video, index);
    }
    data.set(label, i * first.length);
  });
  return { data, shape: [labels.length, first.length] };
}
