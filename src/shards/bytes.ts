/** Bytes of a shard by place. What is read is asked for by sizes that were checked against the file's. */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { CodecPatchStreamError, messageOf } from '../support/errors.js';
import type { ErrorCode, Stage } from '../support/errors.js';

/** A file, or memory that stands for one. */
export interface Bytes {
  /** What errors call it. */
  readonly name: string;
  /** Bytes in all. */
  readonly size: number;
  /** Fills `target` with what begins at `offset`; all of it lies inside. */
  readInto(target: Uint8Array, offset: number): Promise<void>;
}

/** An error about a shard or something in it. */
export function shardError(
  code: ErrorCode,
  stage: Stage,
  where: string,
  what: string,
  cause?: unknown,
): CodecPatchStreamError {
  const options = cause === undefined ? undefined : { cause };
  return new CodecPatchStreamError(code, stage, `${where}: ${what}`, options);
}

/** What contradicts itself, is cut off or was changed. */
export const corrupt = (where: string, what: string): CodecPatchStreamError =>
  shardError('ERR_CPS_CORRUPT', 'open', where, what);

/** What is well-formed, and no tensor of this package. */
export const unsupported = (where: string, what: string): CodecPatchStreamError =>
  shardError('ERR_CPS_UNSUPPORTED', 'open', where, what);

const CODES: Readonly<Record<string, ErrorCode>> = {
  EMFILE: 'ERR_CPS_LIMIT',
  ENFILE: 'ERR_CPS_LIMIT',
  ENOMEM: 'ERR_CPS_OUT_OF_MEMORY',
  EIO: 'ERR_CPS_CORRUPT',
};

/** What the file system says, as an error of the package. */
export function fileError(name: string, cause: unknown): CodecPatchStreamError {
  const { code = '' } = cause as { code?: string };
  return shardError(CODES[code] ?? 'ERR_CPS_NOT_FOUND', 'open', name, messageOf(cause), cause);
}

/** An open file; `version` differs when it was written to or replaced. */
export class FileBytes implements Bytes {
  private constructor(
    readonly name: string,
    readonly size: number,
    readonly version: string,
    private readonly handle: FileHandle,
  ) {}

  static async open(path: string): Promise<FileBytes> {
    let handle: FileHandle | undefined;
    try {
      handle = await open(path, 'r');
      const { size, mtimeMs, ino, isFile } = await handle.stat().then((stats) => ({
        ...{ size: stats.size, mtimeMs: stats.mtimeMs, ino: stats.ino },
        isFile: stats.isFile(),
      }));
      if (!isFile) throw new Error('it is not a file');
      return new FileBytes(path, size, `${ino} ${size} ${mtimeMs}`, handle);
    } catch (error) {
      await handle?.close();
      throw fileError(path, error);
    }
  }

  async readInto(target: Uint8Array, offset: number): Promise<void> {
    let at = 0;
    while (at < target.length) {
      let bytesRead: number;
      try {
        ({ bytesRead } = await this.handle.read(target, at, target.length - at, offset + at));
      } catch (error) {
        throw fileError(this.name, error);
      }
      if (bytesRead === 0) throw corrupt(this.name, 'it became shorter while it was read');
      at += bytesRead;
    }
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

/** Bytes in memory of their own. */
export async function readBytes(
  bytes: Bytes,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const target = new Uint8Array(length);
  await bytes.readInto(target, offset);
  return target;
}

/** A part of a file: a member of an archive, the elements of a tensor. */
export interface Part {
  /** What errors call it: the file, and the member in it. */
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}
