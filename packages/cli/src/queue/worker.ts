/** A worker: takes shards from the queue until there are none. */
import { setTimeout } from 'node:timers/promises';
import type { Job, Worker } from 'bullmq';
import { Stopped } from '../extract/failures.js';
import { Jobs } from '../extract/limit.js';
import { extractShard } from '../extract/shard.js';
import type { ExtractEvent, Failure, ShardIo, VideoRow } from '../extract/shards.js';
import { PREFIX } from './connection.js';
import type { Connected } from './connection.js';
import { Hands, jobCounts, markDone, openQueue, shardJob, shardOf, unpackRows } from './run.js';
import type { JobData, QueuedRun } from './run.js';
import { Turns } from './turns.js';

// Note [Videos that end their worker]
// A video is in a worker's hands from its 'started' to its 'video' or 'failed', and Redis knows. A job that comes
// to a worker with videos still in somebody's hands was taken over: that worker has ended (or lost Redis). All
// of them are suspects, the guilty one and those beside it, so the job is run alone in this process, one video at a
// time. Who is then in hand when the worker ends again is guilty of it, and counted; after `videoTries` of that it
// is set aside as a failure of the data set. A worker that was killed for another reason costs the time of one slow
// shard, and its videos' counts are taken back once they are done. Where Redis refuses to take one back, the video
// is a suspect without guilt: it is given back when its shard is done again, as a finished video is not begun again.

export interface WorkerOptions {
  readonly run: QueuedRun;
  readonly io: Omit<ShardIo, 'limit' | 'signal' | 'drain' | 'setAside' | 'onEvent'>;
  /** Videos in work at once. */
  readonly jobs: number;
  /** A worker that was silent for so long has lost its jobs to others. */
  readonly takeoverMs: number;
  readonly videoTries: number;
  /** Waits for more where the queue is empty. */
  readonly keep: boolean;
  /** Finishes the videos in work and hands the rest back. */
  readonly drain: AbortSignal;
  readonly onEvent: (event: ExtractEvent) => void;
  readonly onError: (message: string) => void;
  /** What is done with a job; another one to measure the queue alone. */
  readonly extract?: typeof extractShard;
}

const POLL_MS = 500;
export const ENDED_WORKER = 'WORKER_ENDED';

const guilty = ({ index, path }: VideoRow, tries: number): Failure => ({
  ...{ index, path, code: ENDED_WORKER },
  message: `${path}: the worker ended ${tries} times while it had this video alone in its hands`,
});

/** One job: the shard of its rows. */
async function doJob(
  job: Job<JobData>,
  connected: Connected,
  options: WorkerOptions,
  shared: { readonly turns: Turns; readonly limit: Jobs; readonly hands: Hands },
): Promise<void> {
  const { run, drain, videoTries, onEvent, extract = extractShard } = options;
  const { turns, limit, hands } = shared;
  const shard = shardOf(job.id);
  const rows = await unpackRows(job.data);
  const left = await hands.left(rows);
  const setAside = new Map<number, Failure>();
  for (const row of rows) {
    const tries = left.get(row.index) ?? 0;
    if (tries >= videoTries) setAside.set(row.index, guilty(row, tries));
  }
  const alone = left.size > setAside.size;
  const from = Date.now();
  const taken = new Set<number>();
  const given: Promise<void>[] = [];
  const give = (index: number): void => {
    taken.delete(index);
    given.push(hands.give(index));
  };
  const io: ShardIo = {
    ...options.io,
    ...{ drain, setAside, limit: alone ? new Jobs(1) : limit },
    onEvent: (event) => {
      if (event.event === 'started') {
        taken.add(event.index);
        hands.take(event.index, alone);
      }
      if (event.event === 'video' || (event.event === 'failed' && !setAside.has(event.index))) {
        give(event.index);
      }
      onEvent(event);
    },
  };
  const work = async (): Promise<void> => {
    if (drain.aborted) throw new Stopped();
    const { failures } = await extract(shardJob(run, shard, rows), io).finally(() => {
      // An error, or the end of the work: this process is still there, so no video has ended it.
      for (const index of taken) give(index);
      return Promise.all(given);
    });
    const done = { videos: rows.length, failures, from, to: Date.now() };
    await markDone(connected, shard, done);
  };
  await (alone ? turns.alone(work) : turns.shared(work));
}

function makeWorker(connected: Connected, options: WorkerOptions): Worker<JobData> {
  const { bullmq, client, name } = connected;
  const { run, jobs, takeoverMs, onError } = options;
  const shared = { turns: new Turns(), limit: new Jobs(jobs), hands: new Hands(connected) };
  const worker = new bullmq.Worker<JobData>(
    name,
    async (job, token) => {
      try {
        await doJob(job, connected, options, shared);
      } catch (error) {
        if (error instanceof Stopped) {
          // Back into the queue, and no failed attempt.
          await job.moveToWait(token);
          throw new bullmq.WaitingError();
        }
        onError(`shard ${shardOf(job.id)}: ${(error as Error).message}`);
        throw error;
      }
    },
    {
      connection: client,
      prefix: PREFIX,
      // The next shard begins when the last videos of the one before leave room.
      concurrency: Math.ceil(jobs / run.settings.shardVideos) + 1,
      lockDuration: takeoverMs,
      stalledInterval: takeoverMs,
      // How often a job may be taken over is not the question here: videos are counted.
      maxStalledCount: 1_000_000,
      drainDelay: 1,
      runRetryDelay: 1000,
    },
  );
  // Of the connection: told there, and waited for.
  worker.on('error', () => undefined);
  return worker;
}

/** Settles when nothing waits and nobody works, or after `drain`. */
async function over(connected: Connected, { keep, drain }: WorkerOptions): Promise<void> {
  const queue = openQueue(connected);
  queue.on('error', () => undefined);
  try {
    while (!drain.aborted) {
      const { active, waiting } = await jobCounts(queue);
      if (active + waiting === 0 && !keep) return;
      await setTimeout(POLL_MS, undefined, { signal: drain }).catch(() => undefined);
    }
  } finally {
    await queue.close();
  }
}

/** Works until the queue is empty (option keep: until drain). */
export async function runWorker(connected: Connected, options: WorkerOptions): Promise<void> {
  const worker = makeWorker(connected, options);
  try {
    await over(connected, options);
  } finally {
    await worker.close();
  }
}
