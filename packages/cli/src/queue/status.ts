/** How far a queue is. */
import type { Failure } from '../extract/shards.js';
import type { Connected } from './connection.js';
import { jobCounts, openQueue, readDone, readRun, shardOf } from './run.js';
import type { DoneShard } from './run.js';

export interface QueueStatus {
  readonly queue: string;
  readonly out: string;
  readonly videos: { readonly total: number; readonly done: number; readonly failed: number };
  /** waiting: in the queue, delayed ones included; failed: given up after all attempts; missing: not enqueued. */
  readonly shards: {
    readonly total: number;
    readonly done: number;
    readonly active: number;
    readonly waiting: number;
    readonly failed: number;
    readonly missing: number;
  };
  /** Over the shards that were finished last; null before the first. */
  readonly videosPerSecond: number | null;
  readonly secondsLeft: number | null;
  /** Videos of which there is no sample. */
  readonly failures: readonly Failure[];
  /** Shards that are given up, and why. */
  readonly failedShards: readonly { readonly shard: number; readonly reason: string }[];
}

/** Shards over which the rate is taken. */
const RECENT = 50;
const MOST_SHOWN = 100;

/** Videos per second of the shards that were finished last, however many workers made them. */
export function rateOf(done: readonly DoneShard[], now: number): number | null {
  const recent = [...done].sort((a, b) => b.to - a.to).slice(0, RECENT);
  const first = recent.reduce((least, { from }) => Math.min(least, from), now);
  const last = recent[0]?.to;
  if (last === undefined || last <= first) return null;
  return (1000 * recent.reduce((sum, { videos }) => sum + videos, 0)) / (last - first);
}

export async function statusOf(connected: Connected): Promise<QueueStatus> {
  const run = await readRun(connected);
  const queue = openQueue(connected);
  try {
    const { active, completed, failed, waiting } = await jobCounts(queue);
    const failedJobs = await queue.getJobs(['failed'], 0, MOST_SHOWN - 1);
    const done = [...(await readDone(connected)).values()];
    const videos = done.reduce((sum, one) => sum + one.videos, 0);
    const failures = done.flatMap((one) => one.failures).sort((a, b) => a.index - b.index);
    const rate = rateOf(done, Date.now());
    const left = run.videos - videos;
    const missing = Math.max(0, run.shards - completed - failed - active - waiting);
    return {
      ...{ queue: connected.shown, out: run.out },
      videos: { total: run.videos, done: videos, failed: failures.length },
      shards: { total: run.shards, done: completed, active, waiting, failed, missing },
      videosPerSecond: rate,
      secondsLeft: left === 0 ? 0 : rate === null ? null : left / rate,
      failures,
      failedShards: failedJobs.map(({ id, failedReason }) => ({
        shard: shardOf(id),
        reason: failedReason,
      })),
    };
  } finally {
    await queue.close();
  }
}
