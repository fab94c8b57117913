/**
 * What extract writes and what a unit of its work is. Note [Shards] in ARCHITECTURE.md has the whole of it
 * in words; readers of shards rely on that.
 */
import { join } from 'node:path';
import type { DType } from 'codec-patch-stream';
import type { InputSpec } from 'codec-patch-stream/inputs';

export const FORMAT = 'codec-patch-stream shards';
export const FORMAT_VERSION = 1;

const padded = (number: number, digits: number): string => String(number).padStart(digits, '0');

/** What the members of a video's sample begin with: its place in the list. */
export const keyOf = (index: number): string => padded(index, 8);
/** An archive; of a layout the videos that are there, one a line of JSON. */
export const shardFile = (shard: number, format: Settings['format'] = 'webdataset'): string =>
  `shard-${padded(shard, 6)}.${format === 'webdataset' ? 'tar' : 'jsonl'}`;
/** Samples of a shard that is not finished. */
export const pieceFolder = (out: string, shard: number): string =>
  join(stateFolder(out), `shard-${padded(shard, 6)}`);

/** Files of the folder `--out`. */
export const manifestFile = (out: string): string => join(out, 'manifest.json');
export const failuresFile = (out: string): string => join(out, 'failures.jsonl');
/** What only extract itself reads: settings, results of shards, what is not finished. */
export const stateFolder = (out: string): string => join(out, '.extract');
export const settingsFile = (out: string): string => join(stateFolder(out), 'settings.json');
export const resultFile = (out: string, shard: number): string =>
  join(stateFolder(out), `shard-${padded(shard, 6)}.json`);

export type Json =
  string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** One video of a list, or a part of one. */
export interface VideoRow {
  /** Its place in the list. */
  readonly index: number;
  /** A path, s3://BUCKET/KEY or https://..., as the list has it. */
  readonly path: string;
  /** Seconds since the first frame, half open: an episode. null: the video's own beginning or end. */
  readonly fromSec?: number | null;
  readonly toSec?: number | null;
  /** The other columns, as they are: they come into KEY.json. */
  readonly columns: Readonly<Record<string, Json>>;
}

/** KEY.json has a row's columns, path, index, the seconds of an episode, and this as `video`. */
export interface SampleFacts {
  /** Display indices of the sampled frames, and their times. */
  readonly frames: readonly number[];
  readonly seconds: readonly number[];
  /** Of inputs: InputVideo.steps. */
  readonly stepSeconds?: readonly number[];
  readonly stepTokens?: readonly number[];
  /** Of patches: which sampled frames count as I frames. */
  readonly isI?: readonly boolean[];
  readonly size: readonly [height: number, width: number];
  readonly grid: readonly [t: number, h: number, w: number];
  readonly tokens: number;
  /** ResultNote[] as JSON text: readers that infer types want one for all samples. */
  readonly notes: string;
}

/** Folders as the loaders of one model read them, in place of archives: docs/scale.md. */
export type LayoutName = 'onevision' | 'onevision-mosaics' | 'llava-onevision-2';

/** What a shard's tensors are made of. */
export type Recipe =
  | { readonly kind: 'input'; readonly input: InputSpec }
  /** Options of patchStream. */
  | { readonly kind: 'patches'; readonly options: Readonly<Record<string, Json>> }
  /** Options of codecCanvases. */
  | { readonly kind: 'canvases'; readonly options: Readonly<Record<string, Json>> };

/**
 * All that decides the bytes, but for the list. Plain JSON: it is written down in the output folder and
 * compared by a later run, and it is part of a queue's jobs.
 */
export interface Settings {
  readonly recipe: Recipe;
  readonly format: 'webdataset' | LayoutName;
  readonly members: 'npy' | 'safetensors';
  readonly shardVideos: number;
  /** Options of decoding that change results, e.g. `damaged`. */
  readonly decoding: Readonly<Record<string, Json>>;
  /** Whether the content of local files tells whether they have changed, rather than size and time. */
  readonly hash: boolean;
}

/** The unit of work: one shard's worth of videos. Plain JSON. */
export interface ShardJob {
  readonly shard: number;
  readonly videos: readonly VideoRow[];
  readonly settings: Settings;
}

export interface TensorInfo {
  readonly dtype: DType;
  /** null: differs from sample to sample. */
  readonly shape: readonly (number | null)[];
}

/** A video of which there is no sample. */
export interface Failure {
  readonly index: number;
  readonly path: string;
  /** ERR_CPS_..., or what a queue says of a video that ended its worker. */
  readonly code: string;
  readonly message: string;
}

export interface ShardInfo {
  /** Below `--out`. */
  readonly file: string;
  readonly samples: number;
  readonly bytes: number;
  readonly sha256: string;
}

/** What became of a shard: .extract/shard-NNNNNN.json. Where it is there, the shard is finished. */
export interface ShardResult extends ShardInfo {
  readonly shard: number;
  /** The list's rows from `first` on. */
  readonly first: number;
  readonly videos: number;
  readonly tensors: Readonly<Record<string, TensorInfo>>;
  readonly failures: readonly Failure[];
  /** What each video was when it was read: a change makes the shard anew. */
  readonly contents: readonly string[];
  readonly versions: Readonly<Record<string, string>>;
}

/** manifest.json: there when every shard is finished. */
export interface Manifest extends Pick<
  Settings,
  'recipe' | 'members' | 'shardVideos' | 'decoding'
> {
  readonly format: typeof FORMAT;
  readonly formatVersion: number;
  readonly layout: Settings['format'];
  readonly versions: Readonly<Record<string, readonly string[]>>;
  readonly videos: number;
  readonly samples: number;
  readonly bytes: number;
  readonly tensors: Readonly<Record<string, TensorInfo>>;
  readonly shards: readonly ShardInfo[];
  readonly failures: readonly Failure[];
}

/** What happens, in the order in which it does; `--json` prints one a line. */
export type ExtractEvent =
  | { readonly event: 'started'; readonly index: number; readonly path: string }
  | { readonly event: 'video'; readonly index: number; readonly path: string }
  | ({ readonly event: 'failed' } & Failure)
  /** `reused`: an earlier run had finished it. */
  | {
      readonly event: 'shard';
      readonly shard: number;
      readonly samples: number;
      readonly reused: boolean;
    };

/** What a worker lends to its jobs; nothing of it changes a byte of the result. */
export interface ShardIo {
  /** The output folder; it exists. */
  readonly out: string;
  /** Where relative paths begin. */
  readonly root: string;
  /** Options of the machine: backend, threads, caches, time limits. */
  readonly machine: Readonly<Record<string, unknown>>;
  /** How many videos of all jobs together are in work at once. */
  readonly limit: Limit;
  /** Stops at once: the videos in work are dropped, finished ones are kept for the next try. */
  readonly signal?: AbortSignal;
  /** No further video is begun; those in work are finished and kept. Then the job rejects as for `signal`. */
  readonly drain?: AbortSignal;
  /** Videos that are not tried, by index: they ended a worker before. */
  readonly setAside?: ReadonlyMap<number, Failure>;
  /** Finished shards with failures are made anew. */
  readonly retryFailed?: boolean;
  readonly onEvent?: (event: ExtractEvent) => void;
}

/** Runs work when its turn comes. */
export interface Limit {
  run<R>(work: () => Promise<R>): Promise<R>;
}
