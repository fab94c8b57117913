/** Where the samples of a shard are: members whose names begin alike belong together. */
import { corrupt } from './bytes.js';
import type { Bytes, Part } from './bytes.js';
import { tarMembers } from './tar.js';

// Note [Samples of a shard]
// The convention of WebDataset: the key of a member is its name up to the first dot behind the last slash,
// what follows says what it is, and a sample is a run of members with one key. Members are listed once per
// shard, from their headers alone, so that samples are read in any order without holding any of them: orders
// are made of numbers (adapters/common/shard-order.ts).

/** Of one sample; more would take long to compare. */
const MOST_MEMBERS = 1000;

/** A member of a sample: what stands behind its key, and where it is. */
export interface Member extends Part {
  readonly kind: string;
}

/** Members by number, in arrays: an index of a million samples is some tens of MB. */
export class ShardIndex {
  readonly #keys: string[] = [];
  /** First member of each sample. */
  readonly #firsts: number[] = [];
  readonly #kinds: string[] = [];
  readonly #offsets: number[] = [];
  readonly #sizes: number[] = [];

  private constructor(
    private readonly file: string,
    /** Of the file when it was listed. */
    readonly version: string,
  ) {}

  static async of(bytes: Bytes, version: string): Promise<ShardIndex> {
    const index = new ShardIndex(bytes.name, version);
    const kinds = new Map<string, string>();
    const seen = new Set<string>();
    for await (const { name, offset, size } of tarMembers(bytes)) {
      const dot = name.indexOf('.', name.lastIndexOf('/') + 1);
      if (dot < 0) continue;
      const key = name.slice(0, dot);
      const text = name.slice(dot + 1).toLowerCase();
      // One string for all members of a kind.
      const kind = kinds.get(text) ?? text;
      kinds.set(text, kind);
      if (key !== index.#keys.at(-1)) {
        if (seen.has(key)) throw corrupt(bytes.name, `the members of '${key}' are in two places`);
        seen.add(key);
        index.#keys.push(key);
        index.#firsts.push(index.#kinds.length);
      } else if (index.#kinds.indexOf(kind, index.#firsts.at(-1)) >= 0) {
        throw corrupt(bytes.name, `two members are called '${name}'`);
      }
      if (index.#kinds.length - (index.#firsts.at(-1) as number) >= MOST_MEMBERS) {
        throw corrupt(bytes.name, `'${key}' has more than ${MOST_MEMBERS} members`);
      }
      index.#kinds.push(kind);
      index.#offsets.push(offset);
      index.#sizes.push(size);
    }
    return index;
  }

  /** Samples. */
  get length(): number {
    return this.#keys.length;
  }

  /** Members of all of them: what the index takes in memory goes by it. */
  get members(): number {
    return this.#kinds.length;
  }

  keyOf(sample: number): string {
    return this.#keys[sample] as string;
  }

  membersOf(sample: number): Member[] {
    const from = this.#firsts[sample] as number;
    const to = this.#firsts[sample + 1] ?? this.#kinds.length;
    return this.#kinds.slice(from, to).map((kind, i) => ({
      kind,
      name: `${this.file}: ${this.keyOf(sample)}.${kind}`,
      offset: this.#offsets[from + i] as number,
      size: this.#sizes[from + i] as number,
    }));
  }
}
