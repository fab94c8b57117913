/** A tf.data.Dataset over host memory: tensors are made when they are handed out, never before. */
import { prefetch, repeat, shuffle, skip, take, handled } from '../common/iterators.js';
import type { HostIterator } from '../common/iterators.js';
import type { Tf, TensorContainer, TfDataset } from './tf.js';

type LazyIterator<T extends TensorContainer> = Awaited<ReturnType<TfDataset<T>['iterator']>>;

interface Recipe<H, T> {
  readonly open: () => HostIterator<H>;
  /** Makes the tensors of one element; runs inside tf.tidy. */
  readonly toElement: (batch: H) => T;
  /** Elements of one iteration; undefined if unknown, Infinity if endless. */
  readonly size: number | undefined;
}

// Note [Datasets over host memory]
// tf.data's own prefetch, shuffle and take work on tensors: what they have asked for and nobody
// takes is never disposed. Here these methods work on the batches before they become tensors, which
// are plain memory, so `dataset.shuffle(8).prefetch(2).take(2)` leaves nothing behind, and take(n)
// stops decoding with its last element. Everything else (map, filter, batch, ...) is tf.data's.

type Method = (...args: unknown[]) => TfDataset<TensorContainer>;

/** Replaces methods that derive a dataset by ones whose result is guarded. */
function guardMethods(tf: Tf, dataset: object, names: readonly string[]): void {
  const methods = dataset as Record<string, Method>;
  for (const name of names) {
    const method = methods[name]?.bind(dataset) as Method;
    methods[name] = (...args) => guarded(tf, method(...args));
  }
}

const TF_METHODS = ['batch', 'concatenate', 'filter', 'map', 'mapAsync'];
const HOST_METHODS = ['prefetch', 'repeat', 'shuffle', 'skip', 'take'];

/**
 * tf.data ignores rejections of elements that it has asked for ahead; an unhandled one would end
 * the process. They still reach whoever awaits the element.
 */
function guarded<T extends TensorContainer>(tf: Tf, dataset: TfDataset<T>): TfDataset<T> {
  const open = dataset.iterator.bind(dataset);
  dataset.iterator = async () => {
    const iterator = await open();
    const next = iterator.next.bind(iterator);
    iterator.next = () => handled(next());
    return disposingArrays(tf, iterator);
  };
  guardMethods(tf, dataset, [...TF_METHODS, ...HOST_METHODS]);
  return dataset;
}

/** toArray() that rejects keeps nothing: nobody else could dispose what it had collected. */
function disposingArrays<T extends TensorContainer>(
  tf: Tf,
  iterator: LazyIterator<T>,
): LazyIterator<T> {
  iterator.toArray = async () => {
    const all: T[] = [];
    try {
      for (let x = await iterator.next(); !x.done; x = await iterator.next()) all.push(x.value);
    } catch (error) {
      tf.dispose(all);
      throw error;
    }
    return all;
  };
  return iterator;
}

const plus = (size: number | undefined, f: (size: number) => number): number | undefined =>
  size === undefined ? undefined : f(size);

function checkBuffer(size: number): void {
  if (!Number.isInteger(size) || size < 1) {
    throw new RangeError(`Expected integer >= 1 for bufferSize but received ${size}`);
  }
}

const all = (count: number | undefined): boolean => count === undefined || count < 0;

/** A subclass instance of `tf.data.Dataset`. */
export function hostDataset<H, T extends TensorContainer>(
  tf: Tf,
  recipe: Recipe<H, T>,
): TfDataset<T> {
  const { open, toElement, size } = recipe;
  const derived = (changes: Partial<Recipe<H, T>>): TfDataset<T> =>
    hostDataset(tf, { ...recipe, ...changes });

  class HostDataset extends tf.data.Dataset<T> {
    // tf.data's word for unknown is null, although its type says number.
    override readonly size = (size ?? null) as number;

    async iterator(): Promise<LazyIterator<T>> {
      const host = open();
      // A LazyIterator of this very tf; its class is not exported, func() gives one.
      const over = { value: null, done: true as const };
      const lazy = await tf.data.func(() => over as never).iterator();
      const next = async (): Promise<IteratorResult<T>> => {
        const result = await host.next();
        if (result.done) return over;
        return { value: tf.tidy(() => toElement(result.value)), done: false };
      };
      lazy.next = () => handled(next()) as never;
      return disposingArrays(tf, lazy as unknown as LazyIterator<T>);
    }

    override prefetch(bufferSize: number): TfDataset<T> {
      checkBuffer(bufferSize);
      return derived({ open: () => prefetch(open(), bufferSize) });
    }

    override take(count: number): TfDataset<T> {
      if (all(count)) return this;
      return derived({
        open: () => take(open(), count),
        size: plus(size, (n) => Math.min(n, count)),
      });
    }

    override skip(count: number): TfDataset<T> {
      const left = all(count) ? Infinity : count;
      return derived({
        open: () => (left === Infinity ? take(open(), 0) : skip(open(), left)),
        size: left === Infinity ? 0 : plus(size, (n) => Math.max(0, n - left)),
      });
    }

    override repeat(count?: number): TfDataset<T> {
      const times = count === undefined || count < 0 ? Infinity : count;
      return derived({
        open: () => repeat(open, times),
        size: times === 0 ? 0 : plus(size, (n) => (n === 0 ? 0 : n * times)),
      });
    }

    override shuffle(
      bufferSize: number,
      seed?: string,
      reshuffleEachIteration = true,
    ): TfDataset<T> {
      checkBuffer(bufferSize);
      const base = seed ?? Math.random();
      let pass = 0;
      return derived({
        open: () => shuffle(open(), bufferSize, base, reshuffleEachIteration ? pass++ : 0),
      });
    }
  }

  const dataset = new HostDataset();
  guardMethods(tf, dataset, TF_METHODS);
  return dataset;
}
