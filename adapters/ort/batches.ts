/** Batches of what a feed gives, as what a session takes: for videos and for shards. */
import { invalid } from '../common/errors.js';
import type { Decoded, VideoFeed } from '../common/feed.js';
import { END, item, SerialIterator } from '../common/iterators.js';
import type { DeviceFeeds } from './device-session.js';
import { agreed } from './inputs.js';
import type { Inputs } from './inputs.js';
import { closeFeeds } from './model-feeds.js';

/** The feeds of one batch, and what each row of them is. */
interface FeedsOf<V> {
  readonly feeds: DeviceFeeds;
  readonly videos: readonly V[];
  close(): void;
  [Symbol.dispose](): void;
}

export interface BatchMaking<E, R, V> {
  readonly batchSize: number;
  readonly dropRemainder: boolean;
  /** The feeds of these results, which keep the memory that they share for as long as they need it. */
  readonly make: (results: readonly R[]) => Promise<DeviceFeeds>;
  readonly describe: (row: Decoded<E, R>) => V;
  /** Frees a result. */
  readonly free: (result: R) => void;
}

/** After an error a batch goes on where it was; what is held is freed when nobody asks any more. */
export class Batches<E, R, V> extends SerialIterator<FeedsOf<V>> {
  #held: Decoded<E, R>[] = [];

  constructor(
    private readonly feed: VideoFeed<E, R>,
    private readonly making: BatchMaking<E, R, V>,
  ) {
    super();
  }

  close(): void {
    this.feed.close();
    for (const { result } of this.#held) this.making.free(result);
    this.#held = [];
  }

  protected async step(): Promise<IteratorResult<FeedsOf<V>, undefined>> {
    const { batchSize, dropRemainder, make, describe, free } = this.making;
    try {
      while (this.#held.length < batchSize) {
        const result = await this.feed.next();
        if (result.done) break;
        this.#held.push(result.value);
      }
    } catch (error) {
      this.feed.giveBack(this.#held);
      this.#held = [];
      throw error;
    }
    const batch = this.#held;
    if (batch.length === 0 || (dropRemainder && batch.length < batchSize)) {
      this.close();
      return END;
    }
    this.#held = [];
    try {
      const feeds = await make(batch.map(({ result }) => result));
      const close = (): void => closeFeeds(feeds);
      return item({ feeds, videos: batch.map(describe), close, [Symbol.dispose]: close });
    } finally {
      for (const { result } of batch) free(result);
      this.feed.released();
    }
  }
}

/** The batch size that a model fixes; an error where `batchSize` is another, or there is no batch axis. */
export function checkBatchSize(inputs: Inputs, batchSize: number): void {
  const fixed = agreed(inputs.fed, 'batch');
  const single = inputs.fed.find(({ batched }) => !batched);
  if (single && batchSize > 1) {
    const why = `1 (input '${single.name}', ${single.declared}, has no batch axis)`;
    throw invalid('batchSize', why, batchSize);
  }
  if (fixed !== undefined && batchSize !== fixed) {
    throw invalid('batchSize', `${fixed}, the model's batch size`, batchSize);
  }
}
