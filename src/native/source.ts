/** A caller's own bytes as the addon takes them, and how reads of them are answered. */
import { types } from 'node:util';
import { messageOf } from '../support/errors.js';
import { show } from '../support/is.js';

/**
 * Bytes of a video that a caller's own function reads: of an object store, a server, a database.
 * docs/sources.md shows some.
 */
export interface VideoSource {
  /** Bytes in all; may not change. */
  readonly size: number;
  /**
   * Gives bytes [offset, offset + length): exactly so many, all of them inside the source. Called
   * one at a time for each call, as decoding needs them, mostly for a MiB or two. `signal` is aborted
   * when nobody waits for them any more: the call was aborted, has timed out, or needs no more.
   */
  read(
    offset: number,
    length: number,
    options: { readonly signal: AbortSignal },
  ): Promise<Uint8Array | ArrayBuffer>;
  /** What errors call it. Default: '<source, N bytes>'. */
  readonly name?: string | undefined;
  /**
   * Tells these bytes from others of the same name and size: an ETag, a version id, a checksum. With it
   * the frame index is kept for later calls (readerCacheSize, readerCacheDir). May not change.
   */
  readonly version?: string | undefined;
}

type Settle = (bytesOrFailure: Uint8Array | string) => void;

/** A source as the addon takes it: src/native/contract.ts. */
export class NativeSource {
  readonly size: number;
  readonly name: string;
  /** '' where nothing tells the bytes from others. */
  readonly version: string;
  /** What the last read that failed has thrown. */
  failure: unknown;
  /** Bound: the addon calls it as a plain function. */
  readonly read: (offset: number, length: number, settle: Settle) => () => void;

  constructor(source: VideoSource, name: string) {
    this.size = source.size;
    this.name = name;
    this.version = source.version ?? '';
    this.read = (offset, length, settle) => {
      const stop = new AbortController();
      const fail = (error: unknown): void => {
        this.failure = error;
        settle(messageOf(error) || 'no reason given');
      };
      this.#bytes(source, offset, length, stop.signal).then(settle, fail);
      return (): void => stop.abort();
    };
  }

  async #bytes(
    source: VideoSource,
    offset: number,
    length: number,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const read: unknown = await source.read(offset, length, { signal });
    if (source.size !== this.size) {
      throw new Error(`its size was ${this.size} and is ${String(source.size)} now`);
    }
    const { version = '' } = source;
    if (version !== this.version) {
      throw new Error(`its version was '${this.version}' and is '${version}' now`);
    }
    if (types.isUint8Array(read)) return read;
    if (types.isAnyArrayBuffer(read)) return new Uint8Array(read);
    throw new TypeError(`Expected a Uint8Array or ArrayBuffer from read but received ${show(read)}`);
  }
}
