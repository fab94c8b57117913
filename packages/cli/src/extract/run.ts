/** A share of the shards, several videos at once. */
import { UsageError } from '../files.js';
import { Stopped } from './failures.js';
import { Jobs } from './limit.js';
import type { VideoList } from './list.js';
import { jobsOf } from './plan.js';
import { extractShard } from './shard.js';
import type { ExtractEvent, Settings, ShardIo } from './shards.js';
import type { Split } from './split.js';

export interface RunOptions {
  readonly list: VideoList;
  readonly settings: Settings;
  readonly split: Split;
  readonly out: string;
  /** Videos in work at once. */
  readonly jobs: number;
  readonly machine: ShardIo['machine'];
  readonly retryFailed: boolean;
  /** One more failure ends the run. */
  readonly maxFailures: number;
  readonly signal: AbortSignal;
  readonly onEvent: (event: ExtractEvent) => void;
}

export interface Totals {
  readonly shards: number;
  readonly samples: number;
  readonly failed: number;
  readonly bytes: number;
}

/** Makes this process's shards; rejects with Stopped after the signal. */
export async function runShards(options: RunOptions): Promise<Totals> {
  const { list, settings, split, out, machine, maxFailures, onEvent } = options;
  const stop = new AbortController();
  const over = (): void => stop.abort();
  options.signal.addEventListener('abort', over);
  const limit = new Jobs(options.jobs);
  const active = new Set<Promise<void>>();
  // The next shard begins when the last videos of the one before leave room.
  const atOnce = Math.ceil(options.jobs / settings.shardVideos) + 1;
  let [shards, samples, failed, bytes] = [0, 0, 0, 0];
  let wrong: unknown;
  const fail = (error: unknown): void => {
    // What comes after the first one is its consequence.
    wrong ??= error;
    stop.abort();
  };
  const countFailures = (): void => {
    if (failed <= maxFailures) return;
    const most = `${maxFailures} failed video${maxFailures === 1 ? '' : 's'}`;
    fail(new UsageError(`Expected at most ${most} (--max-failures) but there are more`));
  };
  const io: ShardIo = {
    ...{ out, root: list.root, machine, limit, signal: stop.signal },
    retryFailed: options.retryFailed,
    onEvent: (event) => {
      onEvent(event);
      if (event.event !== 'failed') return;
      failed++;
      countFailures();
    },
  };
  try {
    for await (const job of jobsOf(list, settings, split)) {
      while (active.size >= atOnce) await Promise.race(active);
      if (stop.signal.aborted) break;
      const work = extractShard(job, io).then((result) => {
        shards++;
        samples += result.samples;
        bytes += result.bytes;
      }, fail);
      active.add(work);
      void work.then(() => active.delete(work));
    }
    await Promise.all(active);
  } finally {
    stop.abort();
    await Promise.all(active);
    options.signal.removeEventListener('abort', over);
  }
  if (options.signal.aborted) throw new Stopped();
  if (wrong !== undefined) throw wrong as Error;
  return { shards, samples, failed, bytes };
}
