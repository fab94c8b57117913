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
   * one at a time for each call, as decoding needs them, mostly for a MiB or two.
   */
  read(offset: number, length: number): Promise<Uint8Array | ArrayBuffer>;
  /** What errors call it. Default: '<source, N bytes>'. */
  readonly name?: string | undefined;
}

type Settle = (bytesOrFailure: Uint8Array | string) => void;

/** A source as the addon takes it: src/native/contract.ts. */
export class NativeSource {
  readonly size: number;
  readonly name: string;
  /** What the last read that failed has thrown. */
  failure: unknown;
  /** Bound: the addon calls it as a plain function. */
  readonly read: (offset: number, length: number, settle: Settle) => void;

  constructor(source: VideoSource, name: string) {
    this.size = source.size;
    this.name = name;
    this.read = (offset, length, settle): void => {
      const fail = (error: unknown): void => {
        this.failure = error;
        settle(messageOf(error) || 'no reason given');
      };
      this.#bytes(source, offset, length).then(settle, fail);
    };
  }

  async #bytes(source: VideoSource, offset: number, length: number): Promise<Uint8Array> {
    const read: unknown = await source.read(offset, length);
    if (source.size !== this.size) {
      throw new Error(`its size was ${this.size} and is ${String(source.size)} now`);
    }
    if (types.isUint8Array(read)) return read;
    if (types.isAnyArrayBuffer(read)) return new Uint8Array(read);
    throw new TypeError(`Expected a Uint8Array or ArrayBuffer from read but received ${show(read)}`);
  }
}
