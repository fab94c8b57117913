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

/** How long a file stays open that nobody reads. */
const IDLE_MS = 500;
/** Of files that nobody reads at this moment. */
const MOST_IDLE = 32;

interface Lent {
  readonly file: Promise<FileBytes>;
  users: number;
  timer?: NodeJS.Timeout;
}

/** Files stay open between reads, for a while: opening one takes as long as reading a sample. */
export class OpenFiles {
  /** The one that was used last stands last. */
  readonly #lent = new Map<string, Lent>();

  async use<R>(path: string, work: (file: FileBytes) => Promise<R>): Promise<R> {
    const lent = this.#lent.get(path) ?? { file: FileBytes.open(path), users: 0 };
    this.#lent.delete(path);
    this.#lent.set(path, lent);
    clearTimeout(lent.timer);
    lent.users++;
    try {
      return await work(await lent.file);
    } finally {
      if (--lent.users === 0) this.#idle(path, lent);
    }
  }

  #idle(path: string, lent: Lent): void {
    const close = (): void => {
      if (this.#lent.get(path) === lent) this.#lent.delete(path);
      // One that did not open has nothing to close, and whoever asked knows.
      lent.file.then((file) => file.close()).catch(() => undefined);
    };
    lent.timer = setTimeout(close, IDLE_MS).unref();
    lent.file.catch(close);
    const idle = [...this.#lent].filter(([, { users }]) => users === 0);
    for (const [other, { timer, file }] of idle.slice(0, -MOST_IDLE)) {
      clearTimeout(timer);
      this.#lent.delete(other);
      file.then((opened) => opened.close()).catch(() => undefined);
    }
  }
}

/** A piece of a file that has been read: all that lies inside costs nothing any more. */
export class PieceOf implements Bytes {
  private constructor(
    private readonly whole: Bytes,
    private readonly from: number,
    private readonly data: Uint8Array,
  ) {}

  static async read(whole: Bytes, from: number, to: number): Promise<PieceOf> {
    return new PieceOf(whole, from, await readBytes(whole, from, to - from));
  }

  get name(): string {
    return this.whole.name;
  }

  get size(): number {
    return this.whole.size;
  }

  readInto(target: Uint8Array, offset: number): Promise<void> {
    const at = offset - this.from;
    if (at < 0 || at + target.length > this.data.length) return this.whole.readInto(target, offset);
    target.set(this.data.subarray(at, at + target.length));
    return Promise.resolve();
  }
}
