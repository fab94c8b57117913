/** Labels: read from the entries, stacked to one matrix per batch. */
import { describeVideo, failure, invalid, videoError } from '../common/errors.js';
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

/** Reads the labels of one pass, one after the other: all videos have one of the same length, or none. */
export class LabelReader<E> {
  #first: { readonly name: string; readonly length: number } | undefined;

  constructor(private readonly options: LabelOptions<E>) {}

  /** The vector of the next sample; undefined if the videos have no labels. */
  read(sample: Sample<E>): Float32Array | undefined {
    const { video, index } = sample;
    let label: Float32Array | undefined;
    try {
      label = this.#vector(sample.entry);
      const length = label?.length ?? 0;
      this.#first ??= { name: describeVideo(video), length };
      if (length !== this.#first.length) {
        throw failure(
          'ERR_CPS_INVALID_ARGUMENT',
          `Expected ${inWords(this.#first.length)}, as for ${this.#first.name}, ` +
            `but received ${inWords(length)}`,
        );
      }
    } catch (error) {
      throw videoError(error, video, index);
    }
    return label;
  }

  #vector(entry: E): Float32Array | undefined {
    const { label, numClasses } = this.options;
    const value: unknown = label ? label(entry) : (entry as { label?: unknown } | null)?.label;
    if (value === undefined && !label && numClasses === undefined) return undefined;
    if (numClasses !== undefined) {
      if (
        typeof value !== 'number' ||
        !Number.isInteger(value) ||
        value < 0 ||
        value >= numClasses
      ) {
        const expected = `integer between 0 and ${numClasses - 1} (numClasses is ${numClasses})`;
        throw invalid('label', expected, value);
      }
      const oneHot = new Float32Array(numClasses);
      oneHot[value] = 1;
      return oneHot;
    }
    const numbers = typeof value === 'number' ? [value] : value;
    const list = Array.isArray(numbers) || ArrayBuffer.isView(numbers);
    const vector = list ? Float32Array.from(numbers as ArrayLike<number>) : undefined;
    if (!vector || vector.length === 0 || vector.some((v) => Number.isNaN(v))) {
      throw invalid('label', 'number or array of numbers', value);
    }
    return vector;
  }
}

const inWords = (length: number): string =>
  length === 0 ? 'no label' : `a label of ${length} number${length === 1 ? '' : 's'}`;

/** One row per label; undefined if there are none. */
export function stackLabels(labels: readonly (Float32Array | undefined)[]): Ys | undefined {
  const columns = labels[0]?.length;
  if (columns === undefined) return undefined;
  const data = new Float32Array(labels.length * columns);
  labels.forEach((label, i) => label && data.set(label, i * columns));
  return { data, shape: [labels.length, columns] };
}
