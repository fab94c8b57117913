/** A list of videos into a queue. */
import { jobsOf } from '../extract/plan.js';
import type { VideoList } from '../extract/list.js';
import { PREFIX } from './connection.js';
import type { Connected } from './connection.js';
import { beginRun, jobCounts, jobId, openQueue, packRows } from './run.js';
import type { JobData, QueuedRun } from './run.js';

/** Jobs that go to Redis together. */
const BATCH = 200;
/** Of a shard that fails as a whole (a full disk, a lost device): 2, 4, 8, ... seconds apart. */
const ATTEMPTS = 6;
const BACKOFF_MS = 2000;

export interface Enqueued {
  readonly videos: number;
  readonly shards: number;
  /** Jobs that were not there before. */
  readonly added: number;
  /** Jobs that had failed and are tried again. */
  readonly retried: number;
}

/**
 * Puts a job for each shard into the queue. One that is there already stays as it is, so that an enqueuer that
 * was killed is simply run again; those that have failed are tried again.
 */
export async function enqueue(
  connected: Connected,
  run: QueuedRun,
  list: VideoList,
  onJob: () => void,
): Promise<Enqueued> {
  await beginRun(connected, run);
  const queue = openQueue(connected);
  try {
    const { failed: retried, ...counts } = await jobCounts(queue);
    const before = counts.active + counts.completed + counts.waiting + retried;
    if (retried > 0) await queue.retryJobs({ state: 'failed' });
    let batch: { name: string; data: JobData; opts: object }[] = [];
    const flush = async (): Promise<void> => {
      if (batch.length > 0) await queue.addBulk(batch);
      batch = [];
    };
    for await (const { shard, videos } of jobsOf(list, run.settings, { part: 0, of: 1 })) {
      const opts = {
        jobId: jobId(shard),
        attempts: ATTEMPTS,
        backoff: { type: 'exponential', delay: BACKOFF_MS },
        stackTraceLimit: 1,
      };
      batch.push({ name: PREFIX, data: await packRows(videos), opts });
      if (batch.length === BATCH) await flush();
      onJob();
    }
    await flush();
    const now = await jobCounts(queue);
    const after = now.active + now.completed + now.waiting + now.failed;
    const { videos, shards } = run;
    return { videos, shards, added: Math.max(0, after - before), retried };
  } finally {
    await queue.close();
  }
}
