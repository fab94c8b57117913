/** Where videos come from: files, object stores, servers; and what tells whether one has changed. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type * as S3 from '@aws-sdk/client-s3';
import type { VideoSource } from 'codec-patch-stream';
import { UsageError } from '../files.js';

export interface Opened {
  readonly video: string | VideoSource;
  /** Changes when the video does. */
  readonly content: string;
}

/** A video that cannot be had; everything that is about the machine is another error. */
export class SourceError extends Error {
  constructor(
    readonly code: 'ERR_CPS_NOT_FOUND' | 'ERR_CPS_SOURCE',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export interface OpenOptions {
  readonly root: string;
  readonly hash: boolean;
  readonly signal?: AbortSignal | undefined;
}

export const isRemote = (path: string): boolean => /^(s3|https?):\/\//.test(path);

/** Of a local path: resolved. Throws a SourceError for URLs of no file here. */
export function localPath(path: string, root: string): string {
  if (!path.startsWith('file:')) return resolve(root, path);
  try {
    return fileURLToPath(path);
  } catch (error) {
    const why = (error as Error).message;
    const message = `Expected the file: URL of a local file but received ${path}: ${why}`;
    throw new SourceError('ERR_CPS_NOT_FOUND', message, { cause: error });
  }
}

/** What a local file is now; undefined where there is none. */
export async function localContent(
  path: string,
  { root, hash, signal }: OpenOptions,
): Promise<string | undefined> {
  const file = localPath(path, root);
  try {
    const { size, mtimeMs } = await stat(file);
    if (!hash) return `${size} ${mtimeMs}`;
    const sha256 = createHash('sha256');
    await pipeline(createReadStream(file), sha256, { signal: signal as AbortSignal });
    return `${size} ${sha256.digest('hex')}`;
  } catch (error) {
    if (signal?.aborted) throw error;
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new SourceError('ERR_CPS_NOT_FOUND', `Cannot read ${path}: ${code}`, { cause: error });
  }
}

export async function openSource(path: string, options: OpenOptions): Promise<Opened> {
  if (path.startsWith('s3://')) return s3Source(path, options.signal);
  if (isRemote(path)) return httpSource(path, options.signal);
  const content = await localContent(path, options);
  if (content === undefined) throw new SourceError('ERR_CPS_NOT_FOUND', `No such file: ${path}`);
  return { video: localPath(path, options.root), content };
}

const TRIES = 5;
const FIRST_WAIT_MS = 250;
/** Of one request; the next one has its own. */
const REQUEST_MS = 30_000;

/** A server that is busy or out of reach for the moment. */
class Passing extends Error {}

/** Tries again what may be better in a moment, later each time. */
async function patiently<R>(work: () => Promise<R>, signal: AbortSignal | undefined): Promise<R> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      // fetch throws a TypeError for connections that fail, and a TimeoutError.
      const passes =
        error instanceof Passing ||
        error instanceof TypeError ||
        (error as Error).name === 'TimeoutError';
      if (!passes || tries === TRIES) throw error;
      await wait(FIRST_WAIT_MS * 2 ** (tries - 1), undefined, signal ? { signal } : {});
    }
  }
}

interface Part {
  readonly headers: Headers;
  readonly body: ArrayBuffer;
}

async function fetchPart(url: string, range: string, match: string | undefined): Promise<Part> {
  const response = await fetch(url, {
    headers: { range, ...(match === undefined ? {} : { 'if-match': match }) },
    signal: AbortSignal.timeout(REQUEST_MS),
  });
  const { status, headers } = response;
  if (status === 206) return { headers, body: await response.arrayBuffer() };
  await response.body?.cancel();
  const message = `${url}: HTTP status ${status}`;
  if (status === 429 || status >= 500) throw new Passing(message);
  if (status === 404 || status === 410) throw new SourceError('ERR_CPS_NOT_FOUND', message);
  const why: Record<number, string> = {
    200: `${url}: the server does not hear Range headers`,
    412: `${url} has changed while it was read`,
  };
  throw new SourceError('ERR_CPS_SOURCE', why[status] ?? message);
}

async function httpSource(url: string, signal: AbortSignal | undefined): Promise<Opened> {
  let first: Part;
  try {
    // Not HEAD: links that are signed for GET do not take it, and this tells about ranges, too.
    first = await patiently(() => fetchPart(url, 'bytes=0-0', undefined), signal);
  } catch (error) {
    if (error instanceof SourceError || signal?.aborted) throw error;
    throw new SourceError('ERR_CPS_SOURCE', `${url}: ${reasonOf(error)}`, { cause: error });
  }
  const { headers } = first;
  const size = Number(/\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1] ?? NaN);
  if (!Number.isSafeInteger(size)) {
    throw new SourceError('ERR_CPS_SOURCE', `${url}: the server does not say how long it is`);
  }
  const etag = headers.get('etag') ?? undefined;
  // A weak tag says nothing about bytes.
  const match = etag?.startsWith('W/') ? undefined : etag;
  const read = async (offset: number, length: number): Promise<ArrayBuffer> => {
    const range = `bytes=${offset}-${offset + length - 1}`;
    return (await patiently(() => fetchPart(url, range, match), signal)).body;
  };
  return {
    video: { size, name: url, read },
    content: `${size} ${etag ?? headers.get('last-modified') ?? ''}`,
  };
}

const reasonOf = (error: unknown): string => {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
};

let s3: Promise<{ sdk: typeof S3; client: S3.S3Client }> | undefined;

/** The SDK is loaded where an s3:// video asks for it: it is an optional peer. */
function s3Client(): NonNullable<typeof s3> {
  s3 ??= import('@aws-sdk/client-s3').then(
    (sdk) => {
      const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL } = process.env;
      // Servers other than Amazon's mostly have buckets in the path.
      const forcePathStyle = (AWS_ENDPOINT_URL_S3 ?? AWS_ENDPOINT_URL) !== undefined;
      return { sdk, client: new sdk.S3Client({ forcePathStyle, maxAttempts: TRIES }) };
    },
    () => {
      throw new UsageError(
        's3:// needs the AWS SDK, which is not installed: npm install @aws-sdk/client-s3',
      );
    },
  );
  return s3;
}

async function s3Source(url: string, signal: AbortSignal | undefined): Promise<Opened> {
  const [, Bucket = '', Key = ''] = /^s3:\/\/([^/]+)\/(.+)$/.exec(url) ?? [];
  if (Bucket === '') {
    throw new SourceError('ERR_CPS_NOT_FOUND', `Expected s3://BUCKET/KEY but received ${url}`);
  }
  const { sdk, client } = await s3Client();
  const options = signal ? { abortSignal: signal } : {};
  let size: number;
  let etag: string | undefined;
  try {
    const head = await client.send(new sdk.HeadObjectCommand({ Bucket, Key }), options);
    [size, etag] = [head.ContentLength ?? 0, head.ETag];
  } catch (error) {
    signal?.throwIfAborted();
    const { name, message } = error as Error;
    // Without credentials no object can be had.
    if (name === 'CredentialsProviderError') throw new UsageError(`${url}: ${message}`);
    const missing = ['NotFound', 'NoSuchKey', 'NoSuchBucket'].includes(name);
    const code = missing ? 'ERR_CPS_NOT_FOUND' : 'ERR_CPS_SOURCE';
    throw new SourceError(code, `${url}: ${name}: ${message}`, { cause: error });
  }
  const read = async (offset: number, length: number): Promise<Uint8Array> => {
    const Range = `bytes=${offset}-${offset + length - 1}`;
    // Refused once the object is another one: frames never come of two of them.
    const command = new sdk.GetObjectCommand({ Bucket, Key, Range, IfMatch: etag });
    const { Body } = await client.send(command, options);
    if (!Body) throw new Error('the answer has no body');
    return Body.transformToByteArray();
  };
  return { video: { size, name: url, read }, content: `${size} ${etag ?? ''}` };
}
