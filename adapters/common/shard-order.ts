/** In which order samples of shards come: numbers alone, so that no sample waits in memory for its turn. */
import { seededRandom } from 'codec-patch-stream';
import type { Shards } from 'codec-patch-stream/shards';
import { checkInteger, invalid } from './errors.js';
import { END, item, SerialIterator } from './iterators.js';
import type { HostIterator } from './iterators.js';
import { permutation } from './random.js';
import { parseOrder } from './videos.js';
import type { Sample } from './videos.js';

/** What is known of a sample: the row of its video, and where it was read. */
export interface ShardEntry {
  /** The path of its video, as the list had it. */
  readonly video: string;
  /** What its members are called, up to the dot. */
  readonly key: string;
  /** The shard that it is in. */
  readonly file: string;
  /** The other columns of the list. */
  readonly [column: string]: unknown;
}

/** Which samples, in which order. */
export interface ShardOrderOptions {
  /**
   * Random order. true: all samples permuted, the order of a dataset of as many videos with this seed. A
   * number: shards in random order, and each sample drawn from a window of so many places, so that
   * reading stays in few files at a time. Default: false.
   */
  readonly shuffle?: boolean | number | undefined;
  /**
   * Seed of the order; the same seed gives the same order, whatever the concurrency. Every pass has its
   * own order, the first of a dataset always the same. Default: 0.
   */
  readonly seed?: number | string | undefined;
  /** Passes over the samples, each shuffled anew; Infinity for no end. Default: 1. */
  readonly repeat?: number | undefined;
  /**
   * Only every count-th shard, beginning with `index`: the share of one of several workers. Shares never
   * overlap; there must be at least `count` shards.
   */
  readonly worker?: { readonly index: number; readonly count: number } | undefined;
  /**
   * Goes on in the middle of a training: the first iteration is epoch `epoch` from its sample `sample` on
   * (samples of this worker, in the order of that epoch), those after it are the epochs that follow.
   * Default: { epoch: 0, sample: 0 }.
   */
  readonly from?: { readonly epoch: number; readonly sample?: number | undefined } | undefined;
}

/** Checked. */
export interface ShardOrder {
  readonly shuffle: boolean | number;
  readonly seed: number | string;
  readonly repeat: number;
  readonly worker: { readonly index: number; readonly count: number };
  readonly from: { readonly epoch: number; readonly sample: number };
}

/** A sample by its place, on its way through a dataset. */
export interface PlacedSample extends Sample<ShardEntry> {
  readonly place: { readonly file: number; readonly sample: number };
}

export function parseShardOrder(options: ShardOrderOptions, shards: Shards): ShardOrder {
  const { worker = { index: 0, count: 1 }, from = { epoch: 0 }, ...rest } = options;
  const { shuffle, seed, repeat } = parseOrder(rest);
  if (typeof worker !== 'object' || (worker as unknown) === null) {
    throw invalid('worker', '{ index, count }', worker);
  }
  checkInteger('worker.count', worker.count, 1);
  checkInteger('worker.index', worker.index, 0, worker.count - 1);
  const { length } = shards.files;
  if (worker.count > length) {
    const hint = `; ${length === 1 ? 'there is one shard' : `there are ${length} shards`} to share out`;
    throw invalid('worker.count', `integer between 1 and ${length}`, worker.count, hint);
  }
  if (typeof from !== 'object' || (from as unknown) === null) {
    throw invalid('from', '{ epoch, sample }', from);
  }
  const { epoch, sample = 0 } = from;
  checkInteger('from.epoch', epoch, 0);
  checkInteger('from.sample', sample, 0);
  const share = { index: worker.index, count: worker.count };
  return { shuffle, seed, repeat, worker: share, from: { epoch, sample } };
}

/** Which files are this worker's. */
const filesOf = (count: number, { worker }: ShardOrder): number[] =>
  Array.from({ length: count }, (_, file) => file).filter(
    (file) => file % worker.count === worker.index,
  );

/** Samples of one pass, where this is known beforehand. */
export function countSamples(shards: Shards, order: ShardOrder): number | undefined {
  const { counts } = shards;
  if (!counts) return undefined;
  return filesOf(counts.length, order).reduce((sum, file) => sum + (counts[file] ?? 0), 0);
}

/** Files that stand one behind the other: from the place in their row to file and sample. */
class Row {
  /** Place of the first sample of each file. */
  readonly #starts: number[] = [];
  readonly length: number;

  constructor(
    readonly files: readonly number[],
    counts: readonly number[],
  ) {
    let at = 0;
    for (const file of files) {
      this.#starts.push(at);
      at += counts[file] ?? 0;
    }
    this.length = at;
  }

  at(place: number): { file: number; sample: number } {
    let [low, high] = [0, this.files.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] as number) <= place) low = middle;
      else high = middle - 1;
    }
    return { file: this.files[low] as number, sample: place - (this.#starts[low] as number) };
  }
}

/** Places 0..n-1 of a row, each drawn from a window of `size`. */
function* windowed(
  n: number,
  size: number,
  random: (below: number) => number,
): Generator<number, void> {
  const window: number[] = [];
  let next = 0;
  for (;;) {
    while (next < n && window.length < size) window.push(next++);
    if (window.length === 0) return;
    // As shuffled videos are drawn: nothing is left to chance with one.
    const chosen = window.length === 1 ? 0 : random(window.length);
    yield window[chosen] as number;
    const last = window.pop() as number;
    if (chosen < window.length) window[chosen] = last;
  }
}

class ShardSamples extends SerialIterator<Sample<ShardEntry>> {
  #counts: readonly number[] | undefined;
  #firsts: number[] = [];
  #epoch: number | undefined;
  #pass = 0;
  #row: Row | undefined;
  #places: Iterator<number> | undefined;
  #skip = 0;
  #over = false;

  constructor(
    private readonly shards: Shards,
    private readonly order: ShardOrder,
    private readonly nextEpoch: () => { epoch: number; sample: number },
  ) {
    super();
  }

  protected async step(): Promise<IteratorResult<Sample<ShardEntry>, undefined>> {
    this.#counts ??= await this.shards.count();
    while (!this.#over) {
      const places = this.#places ?? this.#startPass(this.#counts);
      const next = places.next();
      if (next.done !== true) return item(this.#sample(next.value));
      this.#places = undefined;
      this.#pass++;
      // An empty pass ends it too: an endless repetition of nothing would never come back.
      if (this.#pass >= this.order.repeat || this.#row?.length === 0) this.#over = true;
    }
    return END;
  }

  close(): void {
    this.#over = true;
    this.#places = this.#row = undefined;
  }

  #startPass(counts: readonly number[]): Iterator<number> {
    const { seed, shuffle } = this.order;
    this.#epoch ??= this.#startEpoch(counts);
    const random = seededRandom(seed, this.#epoch, this.#pass);
    const own = filesOf(counts.length, this.order);
    if (typeof shuffle === 'number') {
      const mixed = permutation(own.length, seededRandom(seed, this.#epoch, this.#pass, 1));
      this.#row = new Row(
        [...mixed].map((i) => own[i] as number),
        counts,
      );
      this.#places = windowed(this.#row.length, shuffle, random);
      for (let i = 0; i < this.#skip; i++) this.#places.next();
    } else {
      this.#row = new Row(own, counts);
      const all = shuffle ? permutation(this.#row.length, random) : undefined;
      this.#places = inOrder(all, this.#skip, this.#row.length);
    }
    this.#skip = 0;
    return this.#places;
  }

  /** Its number; the first one begins where option `from` says. */
  #startEpoch(counts: readonly number[]): number {
    let at = 0;
    for (const count of counts) {
      this.#firsts.push(at);
      at += count;
    }
    const length = countSamples(this.shards, this.order) ?? 0;
    const all = length * this.order.repeat;
    // Counted here, not when the iterator is made: fitDataset makes one more than it reads.
    const { epoch, sample } = this.nextEpoch();
    if (sample > all) {
      throw invalid('from.sample', `integer between 0 and ${all}, the samples of an epoch`, sample);
    }
    // An epoch that was read to its end: the one behind it.
    if (sample === all && all > 0) return this.nextEpoch().epoch;
    if (length > 0) this.#pass = Math.floor(sample / length);
    this.#skip = sample - this.#pass * length;
    return epoch;
  }

  #sample(place: number): PlacedSample {
    const at = (this.#row as Row).at(place);
    const file = this.shards.files[at.file] as string;
    const index = (this.#firsts[at.file] as number) + at.sample;
    return {
      // Completed when it is read.
      entry: { video: file, key: '', file },
      video: file,
      index,
      epoch: this.#epoch as number,
      pass: this.#pass,
      place: at,
    };
  }
}

function* inOrder(
  order: Uint32Array | undefined,
  from: number,
  to: number,
): Generator<number, void> {
  for (let i = from; i < to; i++) yield order?.[i] ?? i;
}

/** A factory of iterators over the samples. Each is an epoch of its own, numbered as they are read. */
export function shardSource(
  shards: Shards,
  order: ShardOrder,
): () => HostIterator<Sample<ShardEntry>> {
  let epoch = order.from.epoch;
  let { sample } = order.from;
  const nextEpoch = (): { epoch: number; sample: number } => {
    const next = { epoch, sample };
    epoch++;
    sample = 0;
    return next;
  };
  return () => new ShardSamples(shards, order, nextEpoch);
}
