/** Shards that `codec-patch-stream extract` has written, or other tar files of numpy arrays, read back. */
import type { Tensor } from '../api/tensor.js';
import { checkInteger } from '../support/is.js';
import { AbortError } from '../support/errors.js';
import { corrupt, OpenFiles, PieceOf, readBytes } from './bytes.js';
import type { Bytes, FileBytes, Part } from './bytes.js';
import { readNpy } from './npy.js';
import { findShards } from './pattern.js';
import type { ShardManifest, ShardPattern } from './pattern.js';
import { readSafetensors } from './safetensors.js';
import { ShardIndex } from './shard-index.js';
import type { Member } from './shard-index.js';

/** Of a KEY.json. */
const MAX_JSON = 1 << 24;
/** Members whose places are remembered: some 64 MB. */
const MAX_MEMBERS = 1_000_000;

/** One sample: the tensors of one video, and what is known of it. */
export interface ShardSample {
  /** What its members are called, up to the dot. */
  readonly key: string;
  /** The file that it is in. */
  readonly file: string;
  /** By name: those of KEY.NAME.npy and of KEY.safetensors. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** KEY.json; empty where there is none. */
  readonly json: Readonly<Record<string, unknown>>;
}

function parseJson(name: string, bytes: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw corrupt(name, 'it is no JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw corrupt(name, 'it is no object');
  }
  return value as Record<string, unknown>;
}

async function readJson(bytes: Bytes, part: Part): Promise<Record<string, unknown>> {
  if (part.size > MAX_JSON) throw corrupt(part.name, `it has more than ${MAX_JSON} bytes`);
  return parseJson(part.name, await readBytes(bytes, part.offset, part.size));
}

/** A piece that is read at once, at most. */
const MAX_PIECE = 1 << 26;

/** Members stand together: one read for all of them, unless much else stands between. */
async function pieceOf(file: Bytes, members: readonly Member[]): Promise<Bytes> {
  const from = Math.min(...members.map(({ offset }) => offset));
  const to = Math.max(...members.map(({ offset, size }) => offset + size));
  const own = members.reduce((sum, { size }) => sum + size, 0);
  const isDense = to - from <= Math.min(MAX_PIECE, 2 * own + 1024 * members.length);
  return isDense ? PieceOf.read(file, from, to) : file;
}

const isRead = ({ kind }: Member): boolean =>
  kind === 'json' || kind === 'safetensors' || kind.endsWith('.npy');

/** The sample of some members; those of other kinds (pictures, texts) are not looked at. */
export async function readSample(
  file: Bytes,
  key: string,
  all: readonly Member[],
): Promise<ShardSample> {
  const members = all.filter(isRead);
  const bytes = members.length === 0 ? file : await pieceOf(file, members);
  const tensors = new Map<string, Tensor>();
  const add = (member: Member, name: string, tensor: Tensor): void => {
    if (name === '' || tensors.has(name)) throw corrupt(member.name, `a second tensor '${name}'`);
    tensors.set(name, tensor);
  };
  let json: Record<string, unknown> = {};
  for (const member of members) {
    const { kind } = member;
    if (kind === 'json') {
      json = await readJson(bytes, member);
    } else if (kind.endsWith('.npy')) {
      add(member, kind.slice(0, -'.npy'.length), await readNpy(bytes, member));
    } else if (kind === 'safetensors') {
      for (const [name, tensor] of await readSafetensors(bytes, member)) add(member, name, tensor);
    }
  }
  if (tensors.size === 0) {
    throw corrupt(`${bytes.name}: ${key}`, 'no KEY.NAME.npy and no KEY.safetensors');
  }
  return { key, file: bytes.name, tensors: Object.fromEntries(tensors), json };
}

/** Shards as one long list of samples, each of which can be read by its place. */
export class Shards implements AsyncIterable<ShardSample> {
  /** The files, in order. */
  readonly files: readonly string[];
  /** What `extract` wrote about them, where the pattern names its folder. */
  readonly manifest: ShardManifest | undefined;
  readonly #counts: (number | undefined)[];
  /** The least recently used one first. */
  readonly #indices = new Map<number, ShardIndex>();
  /** Listed at this moment: who else asks waits for the same. */
  readonly #listing = new Map<string, Promise<ShardIndex>>();
  #members = 0;
  readonly #open = new OpenFiles();

  /** @internal */
  constructor(pattern: ShardPattern) {
    const { files, counts, manifest } = findShards(pattern);
    this.files = Object.freeze([...files]);
    this.manifest = manifest;
    this.#counts = [...counts];
  }

  /** Samples of each file where all are known: from a manifest, or after count(). */
  get counts(): readonly number[] | undefined {
    const counts = this.#counts.filter((count) => count !== undefined);
    return counts.length === this.#counts.length ? counts : undefined;
  }

  /** Samples of each file. What no manifest says is counted from the headers of the files. */
  async count(): Promise<readonly number[]> {
    const missing = [...this.files.keys()].filter((file) => this.#counts[file] === undefined);
    const next = missing.values();
    const work = async (): Promise<void> => {
      for (const file of next) await this.#withIndex(file, () => Promise.resolve());
    };
    await Promise.all(Array.from({ length: 4 }, work));
    return this.counts as readonly number[];
  }

  /**
   * Sample `sample` of file `file`, both counted from 0. Reads nothing but its members. What contradicts
   * itself or was cut off is ERR_CPS_CORRUPT, other element types and sparse members are
   * ERR_CPS_UNSUPPORTED; the message names file and member.
   */
  async read(file: number, sample: number, signal?: AbortSignal): Promise<ShardSample> {
    checkInteger('file', file, 0, this.files.length - 1);
    return this.#withIndex(file, (index, bytes) => {
      if (signal?.aborted) throw new AbortError(signal.reason);
      checkInteger('sample', sample, 0, index.length - 1);
      return readSample(bytes, index.keyOf(sample), index.membersOf(sample));
    });
  }

  /** The samples in order. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ShardSample, void> {
    for (const file of this.files.keys()) {
      const count = await this.#withIndex(file, (index) => Promise.resolve(index.length));
      for (let sample = 0; sample < count; sample++) yield await this.read(file, sample);
    }
  }

  async #withIndex<R>(
    file: number,
    use: (index: ShardIndex, bytes: Bytes) => Promise<R>,
  ): Promise<R> {
    return this.#open.use(this.files[file] as string, async (bytes) => {
      let index = this.#indices.get(file);
      if (index?.version !== bytes.version) {
        if (index) this.#forget(file, index);
        index = await this.#list(file, bytes);
      }
      this.#remember(file, index);
      return use(index, bytes);
    });
  }

  async #list(file: number, bytes: FileBytes): Promise<ShardIndex> {
    const key = `${file} ${bytes.version}`;
    const listing = this.#listing.get(key) ?? ShardIndex.of(bytes, bytes.version);
    this.#listing.set(key, listing);
    try {
      const index = await listing;
      const said = this.#counts[file];
      if (said !== undefined && said !== index.length) {
        throw corrupt(bytes.name, `Expected ${said} samples but it has ${index.length}`);
      }
      this.#counts[file] = index.length;
      return index;
    } finally {
      this.#listing.delete(key);
    }
  }

  #remember(file: number, index: ShardIndex): void {
    const before = this.#indices.get(file);
    if (before) this.#forget(file, before);
    this.#indices.set(file, index);
    this.#members += index.members;
    for (const [oldest, other] of this.#indices) {
      if (this.#members <= MAX_MEMBERS || oldest === file) break;
      this.#forget(oldest, other);
    }
  }

  #forget(file: number, index: ShardIndex): void {
    this.#indices.delete(file);
    this.#members -= index.members;
  }
}

/**
 * Opens shards: a folder of `codec-patch-stream extract`, its manifest.json, a pattern of files
 * ('out/shard-{000000..000009}.tar', 'out/*.tar'), or a list. Files are found at once, and read when a
 * sample is.
 */
export const openShards = (pattern: ShardPattern): Shards => new Shards(pattern);
