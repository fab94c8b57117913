/** From what a caller passes as `videos` to samples in a reproducible order. */
import { seededRandom, Video } from 'codec-patch-stream';
import type { Rng, VideoInput } from 'codec-patch-stream';
import { checkInteger, failure, invalid, isUrl } from './errors.js';
import { END, item, SerialIterator } from './iterators.js';
import type { HostIterator } from './iterators.js';
import { permutation } from './random.js';

export type { VideoInput };

/** One entry of `videos`: the video alone, or an object with whatever belongs to it. */
export type VideoEntry = VideoInput | { readonly video: VideoInput };

/**
 * Videos: an array, any (async) iterable, or a function that returns one (a generator function,
 * for example). Generators already started give one pass only; a function gives as many as needed.
 */
export type Videos<E extends VideoEntry> =
  | Iterable<E>
  | AsyncIterable<E>
  | (() => Iterable<E> | AsyncIterable<E> | Iterator<E> | AsyncIterator<E>);

/** One video on its way through a dataset. */
export interface Sample<E = VideoEntry> {
  /** The entry as it was given. */
  readonly entry: E;
  /** The video of the entry. */
  readonly video: VideoInput;
  /** Its position among the videos, before sharding and shuffling. */
  readonly index: number;
  /** How many iterators over the videos were read before this one. */
  readonly epoch: number;
  /** Which of the iterator's passes over the videos it is (option repeat). */
  readonly pass: number;
}

export interface OrderOptions {
  /**
   * Random order: true, or the size of the window it is drawn from. An array shuffled with true is
   * permuted as a whole; other sources use a window (default 4096 entries; entries are small).
   * Default: false.
   */
  readonly shuffle?: boolean | number | undefined;
  /**
   * Seed of the order; the same seed gives the same order, whatever the concurrency. Every pass
   * over the videos has its own order, the first of a dataset always the same. Default: 0.
   */
  readonly seed?: number | string | undefined;
  /** Passes over the videos, each shuffled anew; Infinity for no end. Default: 1. */
  readonly repeat?: number | undefined;
  /**
   * Only every count-th video, beginning with `index`: one share of several workers. Taken before
   * shuffling, so the shares never overlap.
   */
  readonly shard?: { readonly index: number; readonly count: number } | undefined;
}

export interface Order {
  readonly shuffle: boolean | number;
  readonly seed: number | string;
  readonly repeat: number;
  readonly shard: { readonly index: number; readonly count: number };
}

const DEFAULT_WINDOW = 4096;

export function parseOrder(options: OrderOptions): Order {
  const { shuffle = false, seed = 0, repeat = 1, shard = { index: 0, count: 1 } } = options;
  if (typeof shuffle !== 'boolean') checkInteger('shuffle', shuffle, 1);
  if (typeof seed !== 'string' && !(typeof seed === 'number' && Number.isFinite(seed))) {
    throw invalid('seed', 'number or string', seed);
  }
  if (repeat !== Infinity) checkInteger('repeat', repeat, 1);
  if (typeof shard !== 'object' || (shard as unknown) === null) {
    throw invalid('shard', '{ index, count }', shard);
  }
  checkInteger('shard.count', shard.count, 1);
  checkInteger('shard.index', shard.index, 0, shard.count - 1);
  return { shuffle, seed, repeat, shard: { index: shard.index, count: shard.count } };
}

/** A caller's own source, as the package takes it; what is wrong with it is said there. */
const isSource = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  typeof (value as { read?: unknown }).read === 'function' &&
  'size' in value;

const isVideo = (value: unknown): value is VideoInput =>
  typeof value === 'string' ||
  isUrl(value) ||
  value instanceof Video ||
  ArrayBuffer.isView(value) ||
  /^\[object (ArrayBuffer|Blob|File)\]$/.test(Object.prototype.toString.call(value)) ||
  isSource(value);

const VIDEOS = 'array, iterable, async iterable, or function that returns one';

export function checkVideos(videos: unknown): void {
  const candidate = videos as Partial<Iterable<unknown> & AsyncIterable<unknown>> | null;
  const iterable =
    typeof videos === 'function' ||
    (typeof candidate === 'object' &&
      candidate !== null &&
      (typeof candidate[Symbol.iterator] === 'function' ||
        typeof candidate[Symbol.asyncIterator] === 'function'));
  if (!iterable || isVideo(videos)) {
    throw invalid('videos', VIDEOS, videos, isVideo(videos) ? '; write [video] for one' : '');
  }
}

/** Videos of one pass, where this is known beforehand. */
export function countVideos(videos: unknown, { shard }: Order): number | undefined {
  if (!Array.isArray(videos)) return undefined;
  return Math.ceil(Math.max(0, videos.length - shard.index) / shard.count);
}

function toSample<E>(entry: E, index: number, epoch: number, pass: number): Sample<E> {
  const video: unknown = isVideo(entry) ? entry : (entry as { video?: unknown } | null)?.video;
  if (!isVideo(video)) {
    throw invalid(
      `videos[${index}]`,
      'a path, file: URL, bytes, Blob, source, Video, or { video, ... }',
      entry,
    );
  }
  return { entry, video, index, epoch, pass };
}

type AnyIterator<E> = Iterator<E> | AsyncIterator<E>;

/** Opens one pass. One-shot iterators are remembered: a second pass would silently be empty. */
function openPass<E extends VideoEntry>(videos: Videos<E>, used: WeakSet<object>): AnyIterator<E> {
  const source = typeof videos === 'function' ? videos() : videos;
  const parts = source as Partial<Iterable<E> & AsyncIterable<E>>;
  const iterator =
    parts[Symbol.asyncIterator]?.() ?? parts[Symbol.iterator]?.() ?? (source as AnyIterator<E>);
  if (used.has(iterator)) {
    throw failure(
      'ERR_CPS_INVALID_ARGUMENT',
      'videos is an iterator that has been read already, so a second pass over it would be empty. ' +
        'Pass an array, or the generator function itself instead of calling it.',
    );
  }
  used.add(iterator);
  return iterator;
}

/** All passes over the videos as one sequence of samples. */
class Samples<E extends VideoEntry> extends SerialIterator<Sample<E>> {
  #iterator: AnyIterator<E> | undefined;
  #epoch: number | undefined;
  #pass = 0;
  #random: Rng | undefined;
  #order: Uint32Array | undefined;
  #index = 0;
  #given = 0;
  #window: Sample<E>[] = [];
  #drained = false;
  #over = false;

  constructor(
    private readonly videos: Videos<E>,
    private readonly order: Order,
    private readonly used: WeakSet<object>,
    private readonly nextEpoch: () => number,
  ) {
    super();
  }

  protected async step(): Promise<IteratorResult<Sample<E>, undefined>> {
    while (!this.#over) {
      if (!this.#random) this.#startPass();
      const sample = this.#order ? this.#fromArray() : await this.#fromWindow();
      if (sample) {
        this.#given++;
        return item(sample);
      }
      this.#endPass();
    }
    return END;
  }

  close(): void {
    this.#over = true;
    this.#window = [];
    this.#closeSource();
  }

  #startPass(): void {
    const { shuffle, seed, shard } = this.order;
    // Counted here, not when the iterator is made: fitDataset makes one more than it reads.
    this.#epoch ??= this.nextEpoch();
    this.#random = seededRandom(seed, this.#epoch, this.#pass);
    this.#index = 0;
    this.#given = 0;
    this.#drained = false;
    this.#order = undefined;
    if (Array.isArray(this.videos) && shuffle === true) {
      const count = countVideos(this.videos, this.order) ?? 0;
      this.#order = permutation(count, this.#random).map((i) => shard.index + i * shard.count);
    } else {
      this.#iterator = openPass(this.videos, this.used);
    }
  }

  #endPass(): void {
    this.#closeSource();
    this.#random = undefined;
    this.#pass++;
    // An empty pass ends it too: an endless repetition of nothing would never come back.
    if (this.#pass >= this.order.repeat || this.#given === 0) this.#over = true;
  }

  #fromArray(): Sample<E> | undefined {
    const index = this.#order?.[this.#index++];
    if (index === undefined) return undefined;
    return this.#toSample((this.videos as readonly E[])[index] as E, index);
  }

  async #fromWindow(): Promise<Sample<E> | undefined> {
    const { shuffle } = this.order;
    const size = shuffle === false ? 1 : shuffle === true ? DEFAULT_WINDOW : shuffle;
    while (!this.#drained && this.#window.length < size) {
      const sample = await this.#read();
      if (sample) this.#window.push(sample);
      else this.#drained = true;
    }
    if (this.#window.length <= 1) return this.#window.pop();
    const chosen = this.#random?.(this.#window.length) ?? 0;
    const sample = this.#window[chosen];
    const last = this.#window.pop() as Sample<E>;
    if (chosen < this.#window.length) this.#window[chosen] = last;
    return sample;
  }

  /** The next sample of this shard. */
  async #read(): Promise<Sample<E> | undefined> {
    const { index, count } = this.order.shard;
    while (this.#iterator) {
      const result = await this.#iterator.next();
      if (result.done || this.#over) return undefined;
      const at = this.#index++;
      if (at % count === index) return this.#toSample(result.value, at);
    }
    return undefined;
  }

  #toSample(entry: E, index: number): Sample<E> {
    return toSample(entry, index, this.#epoch ?? 0, this.#pass);
  }

  #closeSource(): void {
    const iterator = this.#iterator;
    this.#iterator = undefined;
    try {
      const closing = iterator?.return?.();
      Promise.resolve(closing).catch(() => undefined);
    } catch {
      // The caller's own clean-up failed; there is nobody left who could be told.
    }
  }
}

/** A factory of iterators over the videos. Each is an epoch of its own, numbered as they are read. */
export function sampleSource<E extends VideoEntry>(
  videos: Videos<E>,
  order: Order,
): () => HostIterator<Sample<E>> {
  const used = new WeakSet<object>();
  let epochs = 0;
  return () => new Samples(videos, order, used, () => epochs++);
}
