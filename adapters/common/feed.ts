/** Decodes videos ahead of a consumer: in order, bounded, and without leaving anything behind. */
import { AbortError } from 'codec-patch-stream';
import { invalid, videoError } from './errors.js';
import { END, item, SerialIterator } from './iterators.js';
import type { HostIterator } from './iterators.js';
import type { Sample, VideoEntry } from './videos.js';

/**
 * What happens when a video cannot be decoded. 'throw': next() rejects once, and goes on with the
 * next video when it is called again; 'skip': the video is left out. A function is told the reason
 * and decides by what it returns ('throw' or 'skip'; nothing means 'skip'), or throws.
 */
export type OnError<E = VideoEntry> =
  | 'throw'
  | 'skip'
  | ((
      error: Error,
      sample: Sample<E>,
    ) => 'throw' | 'skip' | undefined | void | Promise<'throw' | 'skip' | undefined | void>);

export interface FeedOptions<E, R> {
  readonly source: HostIterator<Sample<E>>;
  /** Must reject soon after `signal` is aborted. */
  readonly decode: (sample: Sample<E>, signal: AbortSignal) => Promise<R>;
  /** Frees a result; called once for each that nobody has taken. */
  readonly discard: (result: R) => void;
  /** Videos decoding or decoded, at most, the one in the consumer's hands included. */
  readonly depth: number;
  /** Decoding at once, at most. */
  readonly concurrency: number;
  readonly onError: OnError<E>;
  readonly signal?: AbortSignal | undefined;
  /** How long nobody asks before decoded videos are given up, in ms. Default: 500. */
  readonly idleMs?: number | undefined;
}

export interface Decoded<E, R> {
  readonly sample: Sample<E>;
  /** The consumer's to close. */
  readonly result: R;
}

type Outcome<R> = { readonly result: R } | { readonly error: unknown };

interface Slot<E, R> {
  readonly sample: Sample<E>;
  /** The attempt that runs; its end is ignored when the slot has none or another one. */
  attempt: AbortController | undefined;
  outcome: Outcome<R> | undefined;
}

const TICK_MS = 50;
const DEFAULT_IDLE_MS = 500;

export function checkOnError(value: unknown): void {
  if (value !== 'throw' && value !== 'skip' && typeof value !== 'function') {
    throw invalid('onError', "'throw', 'skip' or a function", value);
  }
}

// Note [Idle feeds]
// tf.data never says that it is done with an iterator: take(2) just stops asking. So a feed that
// nobody asks for `idleMs` stops decoding and frees what it has decoded; when somebody does ask
// after all, the videos are decoded again and the wait doubles, so that a slow consumer pays once
// or twice, not at every step. Time is counted in ticks of the event loop: a training step that
// blocks the loop for seconds is one tick, not idleness.
//
// Nothing is read from the source and nothing is decoded before the first next().
export class VideoFeed<E, R> extends SerialIterator<Decoded<E, R>> {
  readonly #options: FeedOptions<E, R>;
  readonly #slots: Slot<E, R>[] = [];
  #running = 0;
  #pulling = false;
  #sourceError: { readonly error: unknown } | undefined;
  #sourceDone = false;
  /** 1 while the consumer holds the video it was given last. */
  #held = 0;
  #demand = 0;
  #parked = true;
  #over = false;
  #cancelled = false;
  #aborted = false;
  #wake: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #idleTicks: number;
  readonly #onAbort = (): void => this.#abort();

  constructor(options: FeedOptions<E, R>) {
    super();
    this.#options = options;
    this.#idleTicks = Math.ceil((options.idleMs ?? DEFAULT_IDLE_MS) / TICK_MS);
  }

  override next(): Promise<IteratorResult<Decoded<E, R>, undefined>> {
    this.#demand++;
    this.#stopTimer();
    return super.next();
  }

  /** The consumer has closed what it was given last; asking for the next one says the same. */
  released(): void {
    if (this.#held === 0) return;
    this.#held = 0;
    this.#pump();
  }

  /**
   * Takes back what next() gave and nobody used, in that order: it is given again, or freed like
   * everything else when nobody asks.
   */
  giveBack(unused: readonly Decoded<E, R>[]): void {
    const slots = unused.map(({ sample, result }) => ({
      ...newSlot<E, R>(sample),
      outcome: { result },
    }));
    this.#held = 0;
    this.#slots.unshift(...slots);
    if (this.#over || this.#parked) this.#drop();
  }

  /** Whether it ended because of the signal or close(), not because the videos did. */
  get cancelled(): boolean {
    return this.#cancelled;
  }

  close(): void {
    this.#cancelled ||= !this.#over;
    this.#end();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#drop();
    this.#slots.length = 0;
    this.#options.source.close();
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#stopTimer();
    this.#notify();
  }

  protected async step(): Promise<IteratorResult<Decoded<E, R>, undefined>> {
    try {
      this.#resume();
      return await this.#head();
    } finally {
      this.#demand--;
      this.#startTimer();
    }
  }

  async #head(): Promise<IteratorResult<Decoded<E, R>, undefined>> {
    for (;;) {
      if (this.#aborted) {
        this.#aborted = false;
        throw new AbortError(this.#options.signal?.reason);
      }
      if (this.#over) return END;
      this.#pump();
      const slot = this.#slots[0];
      if (slot?.outcome) {
        this.#slots.shift();
        if ('result' in slot.outcome) {
          this.#held = 1;
          this.#pump();
          return item({ sample: slot.sample, result: slot.outcome.result });
        }
        await this.#fail(slot.sample, slot.outcome.error);
      } else if (!slot && this.#sourceError) {
        const { error } = this.#sourceError;
        this.#end();
        throw error;
      } else if (!slot && this.#sourceDone) {
        this.#end();
      } else {
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    }
  }

  /** Throws, or returns when the video is to be left out. */
  async #fail(sample: Sample<E>, cause: unknown): Promise<void> {
    const { onError } = this.#options;
    const error = videoError(cause, sample.video, sample.index);
    const verdict = typeof onError === 'function' ? await onError(error, sample) : onError;
    if (verdict === 'throw') throw error;
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** Reads on and starts decoding as far as the limits allow. */
  #pump(): void {
    if (this.#over || this.#parked) return;
    const { depth, concurrency } = this.#options;
    for (const slot of this.#slots) {
      if (this.#running >= concurrency) break;
      if (!slot.attempt && !slot.outcome) this.#start(slot);
    }
    const room = depth - this.#held - this.#slots.length;
    if (room > 0 && !this.#pulling && !this.#sourceDone) this.#pull();
  }

  #pull(): void {
    this.#pulling = true;
    const settled = (): void => {
      this.#pulling = false;
      this.#notify();
      this.#pump();
    };
    this.#options.source.next().then(
      (result) => {
        if (result.done) this.#sourceDone = true;
        else if (!this.#over) this.#slots.push(newSlot(result.value));
        settled();
      },
      (error: unknown) => {
        this.#sourceDone = true;
        this.#sourceError = { error };
        settled();
      },
    );
  }

  #start(slot: Slot<E, R>): void {
    const attempt = new AbortController();
    slot.attempt = attempt;
    this.#running++;
    const settled = (outcome: Outcome<R>): void => {
      this.#running--;
      if (slot.attempt === attempt) {
        slot.attempt = undefined;
        slot.outcome = outcome;
        this.#notify();
      } else if ('result' in outcome) {
        this.#options.discard(outcome.result);
      }
      this.#pump();
    };
    this.#decode(slot.sample, attempt.signal).then(
      (result) => settled({ result }),
      (error: unknown) => settled({ error }),
    );
  }

  /** An async function, so that a decode function that throws at once rejects like any other. */
  async #decode(sample: Sample<E>, signal: AbortSignal): Promise<R> {
    return this.#options.decode(sample, signal);
  }

  /** Stops what runs and frees what is decoded; the slots stay, to be decoded again. */
  #drop(): void {
    for (const slot of this.#slots) {
      const { attempt, outcome } = slot;
      slot.attempt = undefined;
      attempt?.abort();
      if (outcome && 'result' in outcome) {
        slot.outcome = undefined;
        this.#options.discard(outcome.result);
      }
    }
  }

  #abort(): void {
    if (this.#over) return;
    this.close();
    this.#aborted = true;
  }

  #resume(): void {
    this.#held = 0;
    if (this.#over || !this.#parked) return;
    this.#parked = false;
    const { signal } = this.#options;
    if (signal?.aborted) this.#abort();
    // Only while there is work: a long-lived signal must not keep abandoned feeds alive.
    else signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  #startTimer(): void {
    if (this.#demand > 0 || this.#over || this.#parked || this.#timer) return;
    let ticks = 0;
    this.#timer = setInterval(() => {
      if (++ticks >= this.#idleTicks) this.#park();
    }, TICK_MS);
    this.#timer.unref();
  }

  #stopTimer(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #park(): void {
    this.#stopTimer();
    this.#parked = true;
    this.#idleTicks *= 2;
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#drop();
  }
}

const newSlot = <E, R>(sample: Sample<E>): Slot<E, R> => ({
  sample,
  attempt: undefined,
  outcome: undefined,
});
