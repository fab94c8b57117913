/** Iterators over plain host memory, which can be closed: what datasets and feeds are made of. */
import { seededRandom } from 'codec-patch-stream';

/**
 * Results in order. next() may be called again before the last call has settled. After an error the
 * next call goes on with what follows, after the end every call says so.
 */
export interface HostIterator<T> {
  next(): Promise<IteratorResult<T, undefined>>;
  /** Ends the work behind it and frees what it holds; next() then says that it is over. */
  close(): void;
}

export const END: IteratorReturnResult<undefined> = { value: undefined, done: true };
export const item = <T>(value: T): IteratorYieldResult<T> => ({ value, done: false });

/** A rejection that nobody awaits yet must not end the process; whoever awaits still sees it. */
export function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/** As users iterate over results: leaving the loop ends the work behind them. */
export function iterable<T>(results: HostIterator<T>): AsyncIterableIterator<T, undefined> {
  return {
    next: () => results.next(),
    return: () => {
      results.close();
      return Promise.resolve(END);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** Calls `step` for one call of next() at a time, in the order of the calls. */
export abstract class SerialIterator<T> implements HostIterator<T> {
  #last: Promise<unknown> = Promise.resolve();

  next(): Promise<IteratorResult<T, undefined>> {
    const result = this.#last.then(() => this.step());
    this.#last = handled(result.then(undefined, () => undefined));
    return handled(result);
  }

  protected abstract step(): Promise<IteratorResult<T, undefined>>;
  abstract close(): void;
}

class Take<T> extends SerialIterator<T> {
  #left: number;

  constructor(
    private readonly upstream: HostIterator<T>,
    count: number,
  ) {
    super();
    this.#left = count;
  }

  protected async step(): Promise<IteratorResult<T, undefined>> {
    if (this.#left <= 0) return END;
    const result = await this.upstream.next();
    // Closing here, not when somebody asks for more: tf.data asks once too little or too much.
    if (result.done || --this.#left === 0) this.close();
    return result;
  }

  close(): void {
    this.#left = 0;
    this.upstream.close();
  }
}

class Skip<T> extends SerialIterator<T> {
  #left: number;

  constructor(
    private readonly upstream: HostIterator<T>,
    count: number,
  ) {
    super();
    this.#left = count;
  }

  protected async step(): Promise<IteratorResult<T, undefined>> {
    while (this.#left > 0) {
      this.#left--;
      if ((await this.upstream.next()).done) this.#left = 0;
    }
    return this.upstream.next();
  }

  close(): void {
    this.upstream.close();
  }
}

class Prefetch<T> implements HostIterator<T> {
  #ahead: Promise<IteratorResult<T, undefined>>[] = [];
  #started = false;
  #over = false;

  constructor(
    private readonly upstream: HostIterator<T>,
    private readonly count: number,
  ) {}

  next(): Promise<IteratorResult<T, undefined>> {
    if (!this.#started) this.#fill();
    this.#started = true;
    const result = this.#ahead.shift() ?? Promise.resolve(END);
    this.#fill();
    return handled(result);
  }

  close(): void {
    this.#over = true;
    this.#ahead = [];
    this.upstream.close();
  }

  #fill(): void {
    while (!this.#over && this.#ahead.length < this.count) {
      const result = this.upstream.next();
      result.then(
        ({ done }) => (this.#over ||= done === true),
        () => undefined,
      );
      this.#ahead.push(handled(result));
    }
  }
}

class Shuffle<T> extends SerialIterator<T> {
  #buffer: T[] = [];
  #over = false;
  readonly #random;

  constructor(
    private readonly upstream: HostIterator<T>,
    private readonly size: number,
    seed: number | string,
    pass: number,
  ) {
    super();
    this.#random = seededRandom(seed, pass);
  }

  protected async step(): Promise<IteratorResult<T, undefined>> {
    while (!this.#over && this.#buffer.length < this.size) {
      const result = await this.upstream.next();
      if (result.done) this.#over = true;
      else this.#buffer.push(result.value);
    }
    if (this.#buffer.length === 0) return END;
    const chosen = this.#random(this.#buffer.length);
    const value = this.#buffer[chosen] as T;
    const last = this.#buffer.pop() as T;
    if (chosen < this.#buffer.length) this.#buffer[chosen] = last;
    return item(value);
  }

  close(): void {
    this.#over = true;
    this.#buffer = [];
    this.upstream.close();
  }
}

class Repeat<T> extends SerialIterator<T> {
  #current: HostIterator<T> | undefined;
  #left: number;
  #empty = true;

  constructor(
    private readonly open: () => HostIterator<T>,
    count: number,
  ) {
    super();
    this.#left = count;
  }

  protected async step(): Promise<IteratorResult<T, undefined>> {
    for (;;) {
      if (!this.#current) {
        if (this.#left <= 0) return END;
        this.#left--;
        this.#empty = true;
        this.#current = this.open();
      }
      const result = await this.#current.next();
      if (!result.done) {
        this.#empty = false;
        return result;
      }
      this.#current = undefined;
      // Without this an endless repetition of nothing would never come back.
      if (this.#empty) this.#left = 0;
    }
  }

  close(): void {
    this.#left = 0;
    this.#current?.close();
  }
}

/** The first `count` results; the work behind ends with the last of them. */
export const take = <T>(upstream: HostIterator<T>, count: number): HostIterator<T> =>
  new Take(upstream, count);

/** All but the first `count` results. */
export const skip = <T>(upstream: HostIterator<T>, count: number): HostIterator<T> =>
  new Skip(upstream, count);

/** Asks for up to `count` results ahead, from the first next() on. */
export const prefetch = <T>(upstream: HostIterator<T>, count: number): HostIterator<T> =>
  new Prefetch(upstream, count);

/** Each result is drawn at random from a window of `size`. */
export const shuffle = <T>(
  upstream: HostIterator<T>,
  size: number,
  seed: number | string,
  pass: number,
): HostIterator<T> => new Shuffle(upstream, size, seed, pass);

/** `count` passes, each over a new iterator. */
export const repeat = <T>(open: () => HostIterator<T>, count: number): HostIterator<T> =>
  new Repeat(open, count);
