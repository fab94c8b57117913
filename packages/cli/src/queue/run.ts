/** What a queue holds of one data set: settings once, a job per shard, and what became of each. */
import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';
import type { Queue } from 'bullmq';
import type { Plan } from '../extract/plan.js';
import type { Failure, Settings, ShardJob, VideoRow } from '../extract/shards.js';
import { UsageError } from '../files.js';
import { PREFIX } from './connection.js';
import type { Connected } from './connection.js';

// Note [Keys of a queue]
// A queue is one data set. BullMQ's own keys are codec-patch-stream:NAME:..., ours are in hashes beside them:
//   ...-run:NAME     settings, list, folders: written once, by `enqueue`
//   ...-done:NAME    shard -> what became of it; written before its job is finished, and again if it is done again
//   ...-tries:NAME   index -> how often that video was alone in the hands of a worker that then ended
//   ...-hands:NAME   index -> 1 while some worker has that video in its hands
// Rows go along with their job, deflated: workers need Redis and the videos, not the list.
const keyOf = (what: string, name: string): string => `${PREFIX}-${what}:${name}`;

/** A data set in a queue. */
export interface QueuedRun {
  readonly settings: Settings;
  readonly videos: number;
  readonly shards: number;
  /** The folders as `enqueue` had them. */
  readonly out: string;
  readonly root: string;
  /** Of settings, versions and list. */
  readonly digest: string;
}

/** What became of one shard. */
export interface DoneShard {
  readonly videos: number;
  readonly failures: readonly Failure[];
  /** When it was begun and finished, in ms since 1970. */
  readonly from: number;
  readonly to: number;
}

/** A job in Redis. */
export interface JobData {
  /** Rows as JSON, deflated, in base64. */
  readonly rows: string;
}

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

/** Rows of a shard are much alike: paths of one folder become a tenth of their length. */
export async function packRows(rows: readonly VideoRow[]): Promise<JobData> {
  return { rows: (await deflate(JSON.stringify(rows))).toString('base64') };
}

export async function unpackRows({ rows }: JobData): Promise<VideoRow[]> {
  const text = (await inflate(Buffer.from(rows, 'base64'))).toString('utf8');
  return JSON.parse(text) as VideoRow[];
}

export const jobId = (shard: number): string => `shard-${String(shard).padStart(6, '0')}`;
export const shardOf = (id: string | undefined): number =>
  Number((id ?? '').slice('shard-'.length));

/** The jobs of the queue, by BullMQ. */
export function openQueue({ bullmq, client, name }: Connected): Queue<JobData> {
  return new bullmq.Queue<JobData>(name, { connection: client, prefix: PREFIX });
}

/** Jobs by what they are doing; waiting: all that are still to be begun, also those of a second attempt. */
export interface JobCounts {
  readonly active: number;
  readonly completed: number;
  readonly failed: number;
  readonly waiting: number;
}

export async function jobCounts(queue: Queue<JobData>): Promise<JobCounts> {
  const counts = await queue.getJobCounts();
  const { active = 0, completed = 0, failed = 0 } = counts;
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return { active, completed, failed, waiting: all - active - completed - failed };
}

export const digestOf = ({ settings, versions, shards }: Plan, out: string, root: string): string =>
  createHash('sha256')
    .update(JSON.stringify([settings, versions, shards, out, root]))
    .digest('hex');

/** Reads what `enqueue` wrote. */
export async function readRun({ client, name, shown }: Connected): Promise<QueuedRun> {
  const text = await client.get(keyOf('run', name));
  if (text !== null) return JSON.parse(text) as QueuedRun;
  throw new UsageError(`Nothing was enqueued at ${shown}`);
}

/** Writes it, or throws where the queue holds another data set. */
export async function beginRun({ client, name, shown }: Connected, run: QueuedRun): Promise<void> {
  const key = keyOf('run', name);
  await client.set(key, JSON.stringify(run), 'NX');
  const kept = JSON.parse((await client.get(key)) ?? '{}') as Partial<QueuedRun>;
  if (kept.digest === run.digest) return;
  throw new UsageError(
    `Expected a queue of its own for each data set, but ${shown} holds another list, other settings or another ` +
      `--out (${kept.out ?? ''}); take another name, or 'drain --forget'`,
  );
}

export async function markDone(
  { client, name }: Connected,
  shard: number,
  done: DoneShard,
): Promise<void> {
  await client.hset(keyOf('done', name), String(shard), JSON.stringify(done));
}

export async function readDone({ client, name }: Connected): Promise<Map<number, DoneShard>> {
  const all = await client.hgetall(keyOf('done', name));
  return new Map(
    Object.entries(all).map(([shard, text]) => [Number(shard), JSON.parse(text) as DoneShard]),
  );
}

/** Takes all that the queue holds out of Redis; shards that were written stay. */
export async function forget(connected: Connected, queue: Queue<JobData>): Promise<void> {
  await queue.obliterate({ force: true });
  const { client, name } = connected;
  await client.del(...['run', 'done', 'tries', 'hands'].map((what) => keyOf(what, name)));
}

const GIVE_TRIES = 5;
const GIVE_WAIT_MS = 100;

/** Which videos workers have in their hands, so that one that ends its worker is found. */
export class Hands {
  readonly #hands: string;
  readonly #tries: string;

  constructor(private readonly connected: Connected) {
    this.#hands = keyOf('hands', connected.name);
    this.#tries = keyOf('tries', connected.name);
  }

  /** Sent at once: what ends the process a moment later has been told. */
  take(index: number, alone: boolean): void {
    const { client } = this.connected;
    const batch = client.multi().hset(this.#hands, String(index), 1);
    if (alone) batch.hincrby(this.#tries, String(index), 1);
    batch.exec().catch(() => undefined);
  }

  /**
   * Never rejects: an outage is waited for, and where Redis refuses the command again and again the video stays in
   * somebody's hands. That is no fault of its shard, which is done alone if it has to be done once more.
   */
  async give(index: number): Promise<void> {
    const { client } = this.connected;
    const field = String(index);
    for (let tries = 1; tries <= GIVE_TRIES; tries++) {
      try {
        await client.multi().hdel(this.#hands, field).hdel(this.#tries, field).exec();
        return;
      } catch {
        if (tries < GIVE_TRIES) await setTimeout(GIVE_WAIT_MS * 2 ** (tries - 1));
      }
    }
  }

  /** Of these rows: those that a worker held when it ended, and how often each was alone then. */
  async left(rows: readonly VideoRow[]): Promise<Map<number, number>> {
    if (rows.length === 0) return new Map();
    const { client } = this.connected;
    const fields = rows.map(({ index }) => String(index));
    const [held, tries] = await Promise.all([
      client.hmget(this.#hands, ...fields),
      client.hmget(this.#tries, ...fields),
    ]);
    return new Map(
      rows.flatMap(({ index }, i) =>
        held[i] === null && tries[i] === null ? [] : [[index, Number(tries[i] ?? 0)] as const],
      ),
    );
  }
}

export const shardJob = (run: QueuedRun, shard: number, videos: readonly VideoRow[]): ShardJob => ({
  shard,
  videos,
  settings: run.settings,
});
