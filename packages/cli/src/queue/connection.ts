/** `--queue redis://HOST/NAME`: where Redis is, and the libraries that speak with it. */
import { setTimeout } from 'node:timers/promises';
import type * as Bull from 'bullmq';
import type { Redis, RedisOptions } from 'ioredis';
import { UsageError } from '../files.js';

/** All keys in Redis begin with this and the name. */
export const PREFIX = 'codec-patch-stream';

/** A queue, as the flag names it. */
export interface Address {
  /** Without the password. */
  readonly shown: string;
  readonly name: string;
  readonly redis: RedisOptions;
}

/** redis[s]://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE]/NAME */
export function addressOf(text: string): Address {
  const wrong = (): UsageError =>
    new UsageError(
      `Expected redis://[user:password@]host[:port][/database]/name for --queue but received ` +
        `'${text.replace(/:[^:@/]*@/, ':***@')}'`,
    );
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw wrong();
  }
  const parts = url.pathname.split('/').slice(1);
  const name = parts.pop() ?? '';
  const database = parts.pop() ?? '0';
  const isRedis = url.protocol === 'redis:' || url.protocol === 'rediss:';
  const isWhole = /^[\w.-]+$/.test(name) && /^\d{1,5}$/.test(database) && parts.length === 0;
  if (!isRedis || !isWhole || url.hostname === '' || url.search !== '') throw wrong();
  const [host, port] = [url.hostname.replace(/^\[|\]$/g, ''), Number(url.port || 6379)];
  return {
    shown: `${url.protocol}//${url.host}${url.pathname}`,
    name,
    redis: {
      ...{ host, port, db: Number(database) },
      ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
      ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
      ...(url.protocol === 'rediss:' ? { tls: {} } : {}),
    },
  };
}

/** BullMQ and ioredis, which come with the queue and not with the command. */
export interface Libraries {
  readonly bullmq: typeof Bull;
  readonly connect: (options: RedisOptions) => Redis;
}

async function libraries(): Promise<Libraries> {
  try {
    const bullmq = await import('bullmq');
    const ioredis = await import('ioredis');
    return { bullmq, connect: (options) => new ioredis.Redis(options) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new UsageError('--queue needs two more packages: npm install bullmq ioredis');
  }
}

/** A connection that is there: Redis was reached once. */
export interface Connected extends Address {
  readonly bullmq: typeof Bull;
  /** Waits through an outage, however long. */
  readonly client: Redis;
  close(): void;
}

const CONNECT_MS = 10_000;
const RETRY_MS = 200;

/** Redis that does not answer (yet), where one that refuses a password or a command does. */
function isAbsent(error: unknown): boolean {
  const { code, message } = error as NodeJS.ErrnoException;
  const codes = ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN'];
  return codes.includes(code ?? '') || /^LOADING|connection is closed/i.test(message);
}

/**
 * Connects, or says why not; from then on an outage is waited for. `told` hears of one. `waitMs`: how long
 * Redis may take to be there (workers are often started with it, or while it starts anew).
 */
export async function connectTo(
  address: Address,
  told: (line: string) => void,
  waitMs = 0,
): Promise<Connected> {
  const found = await libraries();
  for (const end = performance.now() + waitMs; ;) {
    try {
      return await reach(address, found, told);
    } catch (error) {
      if (!isAbsent(error) || performance.now() >= end) {
        const { message } = error as Error;
        throw new UsageError(`Expected Redis at ${address.shown} for --queue: ${message}`);
      }
      await setTimeout(RETRY_MS);
    }
  }
}

async function reach(
  address: Address,
  { bullmq, connect }: Libraries,
  told: (line: string) => void,
): Promise<Connected> {
  let isReached = false;
  let isOut = false;
  const client = connect({
    ...address.redis,
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    // BullMQ asks for it; and a command must not be lost because Redis starts anew.
    maxRetriesPerRequest: null,
    retryStrategy: (times) => (isReached ? Math.min(2000, 50 * times) : null),
  });
  let reason: unknown;
  client.on('error', (error: Error) => {
    reason = error;
    if (isReached && !isOut) told(`Redis at ${address.shown} is away (${error.message}); waiting`);
    isOut = isReached;
  });
  client.on('ready', () => {
    if (isOut) told(`Redis at ${address.shown} is back`);
    isOut = false;
  });
  try {
    await client.connect();
    await client.ping();
  } catch (error) {
    client.disconnect();
    throw reason ?? error;
  }
  isReached = true;
  return { ...address, bullmq, client, close: () => client.disconnect() };
}
