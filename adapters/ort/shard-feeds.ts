/** Feeds out of shards: what feedStream gives, without decoding. */
import type { Tensor } from 'codec-patch-stream';
import type { InputVideo } from 'codec-patch-stream/inputs';
import { concat } from 'codec-patch-stream/shards';
import type { ShardPattern, ShardSample } from 'codec-patch-stream/shards';
import type { Decoded } from '../common/feed.js';
import { iterable } from '../common/iterators.js';
import { factsOf, openFeeds, parseShards } from '../common/shard-feed.js';
import type { ShardFlow, ShardOptions } from '../common/shard-feed.js';
import type { ShardEntry } from '../common/shard-order.js';
import { mostPatches, ShardPatches } from '../common/shard-patches.js';
import type { Sample } from '../common/videos.js';
import { Batches, checkBatchSize } from './batches.js';
import type { DeviceFeeds, DeviceSession } from './device-session.js';
import { makeFeeds } from './feeds.js';
import { agreed, checkTakesPatches, metadataOf, readInputs } from './inputs.js';
import type { DeviceMapping, Mapping } from './inputs.js';
import { feedsOfInputs } from './model-feeds.js';
import type { InputMapping } from './model-feeds.js';
import { loadOrt } from './ort.js';
import type { Feeds, Ort, OrtTensor, Session } from './ort.js';

/** Options of shardFeeds. M: how inputs of the model are named, by the kind of the shards. */
export interface ShardFeedOptions<M = InputMapping> extends ShardOptions {
  /** What the inputs of the model are, where their names do not tell. */
  readonly mapping?: M | undefined;
  /** The module of ONNX Runtime. Default: onnxruntime-node, loaded at the first use. */
  readonly ort?: Ort | undefined;
}

/** Options of shardFeeds for shards of selected patches. */
export interface ShardPatchFeedOptions<T = OrtTensor> extends ShardFeedOptions<
  Mapping<T, ShardPatches>
> {
  /** What the shards were made of. */
  readonly kind: 'patches';
}

/** One video of a batch: its row of the list, and what its KEY.json knows. */
export interface FedSample extends Sample<ShardEntry> {
  /** Number of patches (kind 'patches'; else 0); behind them there may be padding. */
  readonly length: number;
  /** Steps or sampled frames, patch rows and patch columns. */
  readonly grid: { readonly t: number; readonly h: number; readonly w: number };
  /** Display indices of the sampled frames, [T]. */
  readonly sampledFrameIds: readonly number[];
  /** Their times since the first frame of the video, in seconds, [T]. */
  readonly secondsFromStart: Float64Array;
  /** All of it, as modelInputs says it of a video. */
  readonly info: InputVideo;
}

/** One batch: what the session takes, and which videos it is of. */
export interface ShardBatch<F = Feeds> {
  /** For session.run. */
  readonly feeds: F;
  /** The videos of the batch, in its order; fewer than a fixed batch size at the very end. */
  readonly videos: readonly FedSample[];
  /** Frees the tensors of this package among the feeds (for a DeviceSession). */
  close(): void;
  /** The same as close(), for `using`. */
  [Symbol.dispose](): void;
}

/** A sample that was read: patches, or tensors by name. */
interface Row {
  readonly sample: ShardSample;
  readonly patches: ShardPatches | undefined;
}

const closeRow = ({ sample }: Row): void => {
  for (const tensor of Object.values(sample.tensors)) tensor.close();
};

type RowBatches = Batches<ShardEntry, Row, FedSample>;

function describe({ sample, result }: Decoded<ShardEntry, Row>): FedSample {
  const { entry, video, index, epoch, pass } = sample;
  const info = factsOf(result.sample);
  const [t, h, w] = info.grid;
  return {
    ...{ entry, video, index, epoch, pass },
    length: result.patches?.length ?? 0,
    grid: { t, h, w },
    sampledFrameIds: info.frames.map(({ id }) => id),
    secondsFromStart: Float64Array.from(info.frames, ({ seconds }) => seconds),
    info,
  };
}

/** The tensors of samples as those of one batch. */
async function joined(rows: readonly Row[]): Promise<Record<string, Tensor>> {
  const names = Object.keys(rows[0]?.sample.tensors ?? {});
  const tensors = names.map(async (name) => {
    const own = rows.map(({ sample }) => sample.tensors[name] as Tensor);
    return [name, own.length === 1 ? (own[0] as Tensor) : await concat(own)] as const;
  });
  return Object.fromEntries(await Promise.all(tensors));
}

function inputBatches(session: Session, shared: ShardFlow, options: ShardFeedOptions): RowBatches {
  const { mapping = {}, ort } = options;
  metadataOf(session); // Says so now where it cannot be fed.
  const open = openFeeds<Row>(shared, (sample) => ({ sample, patches: undefined }), closeRow);
  const make = async (rows: readonly Row[]): Promise<DeviceFeeds> =>
    feedsOfInputs(loadOrt(ort), session, { tensors: await joined(rows) }, mapping);
  return new Batches(open(), { ...shared.flow, make, describe, free: closeRow });
}

function patchBatches(
  session: Session,
  shared: ShardFlow,
  { mapping = {}, ort }: ShardPatchFeedOptions<OrtTensor | Tensor>,
  isGiven: boolean,
): RowBatches {
  const inputs = readInputs(session, mapping as unknown as DeviceMapping);
  const pixels = shared.shards.manifest?.tensors['patches']?.shape;
  checkTakesPatches(inputs, mapping as unknown as DeviceMapping, pixels?.[2] ?? undefined);
  const fixed = agreed(inputs.fed, 'batch');
  const flow = isGiven ? shared.flow : { ...shared.flow, batchSize: fixed ?? 1 };
  checkBatchSize(inputs, flow.batchSize);
  const most = mostPatches(shared.shards, undefined) ?? Infinity;
  const open = openFeeds<Row>(
    { ...shared, flow },
    (sample) => ({ sample, patches: new ShardPatches(sample, most) }),
    closeRow,
  );
  const make = (rows: readonly Row[]): Promise<DeviceFeeds> =>
    makeFeeds(
      loadOrt(ort),
      inputs,
      rows.map(({ patches }) => patches as ShardPatches),
    );
  return new Batches(open(), { ...flow, make, describe, free: closeRow });
}

/**
 * Feeds for `session.run` out of shards that `codec-patch-stream extract` has written: those that feedStream
 * (kind 'patches') or feeds with modelInputs (kind 'input') makes of the videos, one batch after the other:
 *
 *     for await (const { feeds, videos } of shardFeeds(session, 'out', { batchSize: 8 })) {
 *       const results = await session.run(feeds);
 *     }
 *
 * `pattern` is the folder of `extract`, its manifest.json, files ('out/shard-{000000..000009}.tar',
 * 'out/*.tar'), or a list of these. While the model runs the next samples are read, at most `prefetchDepth`
 * besides the batch in use. Leaving the loop, or the signal, stops everything. Values are converted to the type
 * that the model declares; a fixed batch or number of patches is filled up with zeros.
 */
export function shardFeeds(
  session: DeviceSession,
  pattern: ShardPattern,
  options: ShardPatchFeedOptions<OrtTensor | Tensor>,
): AsyncIterableIterator<ShardBatch<DeviceFeeds>>;
export function shardFeeds(
  session: Session,
  pattern: ShardPattern,
  options: ShardPatchFeedOptions,
): AsyncIterableIterator<ShardBatch>;
export function shardFeeds(
  session: Session,
  pattern: ShardPattern,
  options?: ShardFeedOptions & { readonly kind?: 'input' | undefined },
): AsyncIterableIterator<ShardBatch>;
export function shardFeeds(
  session: Session,
  pattern: ShardPattern,
  options: ShardFeedOptions | ShardPatchFeedOptions<OrtTensor | Tensor> = {},
): AsyncIterableIterator<ShardBatch<DeviceFeeds>> {
  const { shared, rest } = parseShards('shardFeeds', pattern, options, ['mapping', 'ort']);
  const batches =
    shared.kind === 'patches'
      ? patchBatches(
          session,
          shared,
          rest as unknown as ShardPatchFeedOptions,
          options.batchSize !== undefined,
        )
      : inputBatches(session, shared, rest as ShardFeedOptions);
  return iterable(batches);
}
