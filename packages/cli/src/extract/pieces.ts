/**
 * Samples of an unfinished shard, one file each. A run that goes on takes those that are there.
 *
 * Note [Pieces]
 * Videos end in any order, and an archive has them in one: a piece waits on the disk, not in memory. It
 * is written beside and renamed, and its name has its checksum: what a power failure left of it is seen
 * when the shard is put together, and the video is done again. The name also says what the video was
 * (its content key). So two processes may work on the same shard: they write the same bytes under
 * the same names.
 *
 * Whoever finishes the shard takes its folder away, under the hands of the others: what they find
 * missing then is PiecesGone, and the finished shard is there when they look again. Node's recursive
 * mkdir and rm fail when another process removes or makes what they are at (ENOENT, ENOTEMPTY).
 */
import { createHash, randomBytes, webcrypto } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { UsageError } from '../files.js';
import type { TensorInfo } from './shards.js';

export type Tensors = Readonly<Record<string, TensorInfo>>;

export interface Piece {
  readonly index: number;
  readonly content: string;
  readonly file: string;
  readonly sha256: string;
}

/** On a thread of the pool: pieces are large, and this one has other things to do. */
const sha256Of = async (bytes: Uint8Array): Promise<string> =>
  Buffer.from(await webcrypto.subtle.digest('SHA-256', bytes)).toString('hex');

const short = (text: string): string =>
  createHash('sha256').update(text).digest('hex').slice(0, 24);
const PIECE = /^(\d+)\.([0-9a-f]{24})\.([0-9a-f]{64})$/;
const FULL: readonly string[] = ['ENOSPC', 'EDQUOT', 'EFBIG'];

/** An error of the output folder: about the machine, never about a video. */
export function outputError(what: string, error: unknown): UsageError {
  const { code = String(error) } = error as NodeJS.ErrnoException;
  const why = FULL.includes(code) ? `${code}, the disk is full` : code;
  const hint = 'What is finished is kept: the same command goes on from there.';
  return new UsageError(`Could not write ${what}: ${why}. ${hint}`, { cause: error });
}

/**
 * Writes all of it under another name, which no other process takes, then moves it in place. `beside`: the
 * folder of that other name, on the same file system; `sync`: the file outlives a power failure.
 */
export async function writeBeside(
  file: string,
  parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { sync, beside = dirname(file) }: { readonly sync: boolean; readonly beside?: string },
): Promise<void> {
  const name = `${basename(file)}.${process.pid}-${randomBytes(4).toString('hex')}.part`;
  const part = join(beside, name);
  try {
    const handle = await open(part, 'wx');
    try {
      for await (const bytes of parts) await handle.writeFile(bytes);
      if (sync) await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(part, file);
    if (sync) await syncFolder(dirname(file));
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

/** Makes names in a folder outlive a power failure, where the file system knows such a thing. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  await handle.sync().catch(() => undefined);
  await handle.close();
}

/** Another process has taken the folder away, having finished the shard. */
export class PiecesGone extends Error {}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** What `work` makes of the folder of pieces, which is there when it begins. */
async function inFolder<R>(folder: string, work: () => Promise<R>): Promise<R> {
  for (let tries = 1; ; tries++) {
    try {
      await mkdir(folder, { recursive: true });
      return await work();
    } catch (error) {
      if (!isMissing(error)) throw outputError(folder, error);
      if (tries === 3) throw new PiecesGone(folder, { cause: error });
    }
  }
}

/** Takes the pieces of a finished shard away; what another process is writing there stays, for merge to find. */
export async function removePieces(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
}

/** Those that are in `folder`, which is made where it is missing; of each video one. */
export async function findPieces(folder: string): Promise<Map<string, Piece>> {
  const found = new Map<string, Piece>();
  for (const name of await inFolder(folder, () => readdir(folder))) {
    const [, index = '', content = '', sha256 = ''] = PIECE.exec(name) ?? [];
    if (index === '') continue;
    found.set(`${Number(index)} ${content}`, {
      ...{ index: Number(index), content, sha256, file: join(folder, name) },
    });
  }
  return found;
}

export const pieceId = (index: number, content: string): string => `${index} ${short(content)}`;

/** A sample's members, and what is told of them behind. */
export async function writePiece(
  folder: string,
  index: number,
  content: string,
  members: Uint8Array,
  tensors: Tensors,
): Promise<Piece> {
  const told = Buffer.from(JSON.stringify(tensors));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(told.length);
  const bytes = Buffer.concat([members, told, length]);
  const sha256 = await sha256Of(bytes);
  const file = join(folder, `${index}.${short(content)}.${sha256}`);
  await inFolder(folder, () => writeBeside(file, [bytes], { sync: false }));
  return { index, content: short(content), file, sha256 };
}

/** undefined: it is not what was written. */
export async function readPiece(
  piece: Piece,
): Promise<{ readonly members: Buffer; readonly tensors: Tensors } | undefined> {
  const bytes = await readFile(piece.file);
  if ((await sha256Of(bytes)) !== piece.sha256) return undefined;
  const end = bytes.length - 4;
  const begin = end - bytes.readUInt32LE(end);
  const tensors = JSON.parse(bytes.toString('utf8', begin, end)) as Tensors;
  return { members: bytes.subarray(0, begin), tensors };
}
