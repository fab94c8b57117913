/** Options that every dataset and feed takes besides those of patchStream or decodeOnly. */
import { checkPatchStreamOptions } from 'codec-patch-stream';
import { checkInteger, failure, invalid, messageOf } from './errors.js';
import { checkOnError } from './feed.js';
import type { OnError } from './feed.js';
import { parseOrder } from './videos.js';
import type { Order, OrderOptions, VideoEntry } from './videos.js';

export interface FlowOptions<E extends VideoEntry> extends OrderOptions {
  /** Videos (or patches, with unit 'patch') per batch. Default: 1. */
  readonly batchSize?: number | undefined;
  /** Leaves out a last batch with fewer. Default: false. */
  readonly dropRemainder?: boolean | undefined;
  /** Videos decoding or decoded and waiting, at most. 1..64. Default: 3. */
  readonly prefetchDepth?: number | undefined;
  /** Videos decoding at once, at most. Default: prefetchDepth. The order does not depend on it. */
  readonly concurrency?: number | undefined;
  /** What to do about a video that cannot be decoded. Default: 'throw'. */
  readonly onError?: OnError<E> | undefined;
  /** Stops everything; the pending next() rejects with an AbortError. */
  readonly signal?: AbortSignal | undefined;
}

export interface Flow<E> {
  readonly order: Order;
  readonly batchSize: number;
  readonly dropRemainder: boolean;
  readonly depth: number;
  readonly concurrency: number;
  readonly onError: OnError<E>;
  readonly signal: AbortSignal | undefined;
}

/** Takes the options of the flow off `options`; the rest are those of the decoding function. */
export function parseFlow<E extends VideoEntry, O extends FlowOptions<E>>(
  options: O,
): { flow: Flow<E>; rest: Omit<O, keyof FlowOptions<E>> } {
  if (typeof options !== 'object' || (options as unknown) === null) {
    throw invalid('options', 'object', options);
  }
  const { shuffle, seed, repeat, shard, batchSize = 1, dropRemainder = false, ...others } = options;
  const { prefetchDepth, concurrency, onError = 'throw', signal, ...rest } = others;
  checkInteger('batchSize', batchSize, 1);
  if (typeof dropRemainder !== 'boolean') throw invalid('dropRemainder', 'boolean', dropRemainder);
  checkOnError(onError);
  // The schema of the package knows the range and the default of prefetchDepth.
  const { prefetchDepth: depth } = checkPatchStreamOptions({ prefetchDepth, signal });
  const flow: Flow<E> = {
    order: parseOrder({ shuffle, seed, repeat, shard }),
    batchSize,
    dropRemainder,
    depth,
    concurrency: Math.min(depth, checkInteger('concurrency', concurrency ?? depth, 1)),
    onError,
    signal,
  };
  return { flow, rest: rest as Omit<O, keyof FlowOptions<E>> };
}

/**
 * Refuses what is neither an option of the decoding function, which `check` knows, nor one of
 * `own`. `options` are those that are left for the decoding function.
 */
export function checkNames(
  api: string,
  options: object,
  check: (config: object) => unknown,
  own: readonly string[],
): void {
  for (const [name, value] of Object.entries(options)) {
    if (name === 'videoPath' && value !== undefined) {
      throw invalid('videoPath', 'no value', value, `; the videos are an argument of ${api}`);
    }
    try {
      check({ [name]: undefined });
    } catch (error) {
      const names = [...own, ...FLOW_NAMES].join(', ');
      throw failure(
        'ERR_CPS_INVALID_ARGUMENT',
        `${messageOf(error)}; ${api} takes its options and ${names}`,
        error,
      );
    }
  }
}

const FLOW_NAMES = [
  'batchSize',
  'dropRemainder',
  'shuffle',
  'seed',
  'repeat',
  'shard',
  'prefetchDepth',
  'concurrency',
  'onError',
  'signal',
] as const satisfies readonly (keyof FlowOptions<VideoEntry>)[];

/** Batches of `count` things, where this is known. */
export const batchCount = (
  count: number | undefined,
  { order, batchSize, dropRemainder, onError }: Flow<never> | Flow<VideoEntry>,
): number | undefined => {
  // A video that is left out changes the number, so it is only known if none may be.
  if (count === undefined || onError !== 'throw') return undefined;
  if (count === 0) return 0;
  const batches = (count * order.repeat) / batchSize;
  return dropRemainder ? Math.floor(batches) : Math.ceil(batches);
};
