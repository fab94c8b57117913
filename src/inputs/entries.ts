/** The caller's list of videos, read and decoded ahead without anybody being stuck in it. */
import { onAbort } from '../support/abort.js';
import { AbortError } from '../support/errors.js';
import type { Pictures } from './picture-options.js';

export type Some<T> = Iterable<T> | AsyncIterable<T>;

/** One entry after the other; a wait for one ends with `signal`. */
export class Entries<E> {
  readonly #iterator: Iterator<E> | AsyncIterator<E>;
  readonly #signal: AbortSignal | undefined;
  #isAsked = false;
  #over = false;

  constructor(videos: Some<E>, signal: AbortSignal | undefined) {
    this.#iterator =
      Symbol.asyncIterator in videos ? videos[Symbol.asyncIterator]() : videos[Symbol.iterator]();
    this.#signal = signal;
  }

  /** The next entry, not to be asked for before the last one is there. */
  async next(): Promise<IteratorResult<E, unknown>> {
    const signal = this.#signal;
    if (signal?.aborted) throw new AbortError(signal.reason);
    let unlink: (() => void) | undefined;
    const aborted = new Promise<never>((_, reject) => {
      unlink = signal && onAbort(signal, () => reject(new AbortError(signal.reason)));
    });
    try {
      return await Promise.race([this.#ask(), aborted]);
    } finally {
      unlink?.();
    }
  }

  async #ask(): Promise<IteratorResult<E, unknown>> {
    this.#isAsked = true;
    try {
      const next = await this.#iterator.next();
      this.#over ||= next.done === true;
      return next;
    } catch (error) {
      this.#over = true;
      throw error;
    } finally {
      this.#isAsked = false;
    }
  }

  /** Lets the iterator clean up; not waited for where it still waits for an entry. */
  async close(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    const closing = (async () => this.#iterator.return?.())();
    if (this.#isAsked) closing.catch(() => undefined);
    else await closing;
  }
}

/** A video that decodes, or has been decoded, before it is asked for. */
interface Begun<E> {
  readonly entry: E;
  readonly index: number;
  readonly pictures: Promise<Pictures>;
}

/** Begins to decode videos as their entries come, `depth` of them ahead. */
export class Ahead<E> {
  readonly #entries: Entries<E>;
  readonly #begin: (entry: E, index: number) => Promise<Pictures>;
  readonly #depth: number;
  readonly #begun: Begun<E>[] = [];
  #reading: Promise<void> | undefined;
  #index = 0;
  #isOver = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(
    entries: Entries<E>,
    depth: number,
    begin: (entry: E, index: number) => Promise<Pictures>,
  ) {
    this.#entries = entries;
    this.#depth = depth;
    this.#begin = begin;
  }

  /** The next video, as soon as its entry is there; further entries are waited for in the background. */
  async next(): Promise<Begun<E> | undefined> {
    this.#read();
    while (this.#begun.length === 0 && this.#reading) await this.#reading;
    const first = this.#begun.shift();
    if (first) this.#read();
    else if (this.#failure) throw this.#failure.error;
    return first;
  }

  async close(): Promise<void> {
    this.#isOver = true;
    for (const { pictures } of this.#begun.splice(0)) {
      pictures.then(
        (one) => one.close(),
        () => undefined,
      );
    }
    await this.#entries.close();
  }

  #read(): void {
    if (this.#reading || this.#isOver || this.#begun.length >= this.#depth) return;
    const settled = (): void => {
      this.#reading = undefined;
      this.#read();
    };
    this.#reading = this.#readOne().then(settled, (error: unknown) => {
      this.#isOver = true;
      this.#failure = { error };
      settled();
    });
  }

  async #readOne(): Promise<void> {
    const next = await this.#entries.next();
    this.#isOver ||= next.done === true;
    if (this.#isOver || next.done) return;
    const [entry, index] = [next.value, this.#index++];
    const pictures = this.#begin(entry, index);
    pictures.catch(() => undefined); // whoever takes it sees the error
    this.#begun.push({ entry, index, pictures });
  }
}
