/** A tf.data.Dataset of shards: what the other datasets give, without decoding. */
import type { ShardPattern } from 'codec-patch-stream/shards';
import { checkInteger, invalid } from '../common/errors.js';
import type { HostIterator } from '../common/iterators.js';
import { batchCount } from '../common/options.js';
import { factsOf, parseShards, openFeeds } from '../common/shard-feed.js';
import type { ShardFlow, ShardOptions } from '../common/shard-feed.js';
import { countSamples } from '../common/shard-order.js';
import type { ShardEntry } from '../common/shard-order.js';
import { mostPatches, rowsOfClips, ShardPatches } from '../common/shard-patches.js';
import type { PatchRows } from '../common/shard-patches.js';
import { ClipBatcher, PatchBatcher } from './batches.js';
import type { HostBatch } from './batches.js';
import { hostDataset } from './dataset.js';
import { elementOfInputs, InputBatcher } from './input-dataset.js';
import type { HostInputs, InputElement, InputRows } from './input-dataset.js';
import type { LabelOptions } from './labels.js';
import { elementOfPatches } from './patch-dataset.js';
import type { ClipXs, InputShapes, PatchXs, Unit } from './patch-dataset.js';
import { checkTf } from './tf.js';
import type { Tensor2D, Tensor4D, TensorContainer, Tf, TfDataset } from './tf.js';

/** Options of shardDataset; `label` gets the row of the list (its other columns by their names). */
export interface ShardDatasetOptions extends ShardOptions, LabelOptions<ShardEntry> {
  /** What the shards were made of, and so what an element is like. Default: 'input'. */
  readonly kind?: 'input' | undefined;
}

/** Options of shardDataset for shards of selected patches. */
export interface ShardPatchOptions<
  U extends Unit = Unit,
  X extends TensorContainer = TensorContainer,
>
  extends ShardOptions, LabelOptions<ShardEntry> {
  /** What the shards were made of, and so what an element is like. */
  readonly kind: 'patches';
  /** One row per video ('clip') or per patch ('patch', with the video's label). Default: 'clip'. */
  readonly unit?: U | undefined;
  /**
   * Makes xs of the tensors of a batch. What it does not return is disposed, intermediate tensors
   * too.
   */
  readonly select?: ((xs: U extends 'clip' ? ClipXs : PatchXs) => X) | undefined;
  /** Patches of a clip; behind its own there are zeros. Default: what they were extracted with. */
  readonly kKeep?: number | undefined;
}

/** A Dataset that knows the shapes of its rows, where a manifest tells them. */
export type ShardPatchDataset<T extends TensorContainer> = TfDataset<T> & {
  /** Shapes of a row, without the batch axis; undefined without a manifest. */
  readonly inputShapes: InputShapes | undefined;
};

type DefaultXs<U extends Unit> = U extends 'clip' ? ClipXs : Tensor4D;

const LABELS = ['label', 'numClasses'];

function checkLabels({ label, numClasses }: LabelOptions<ShardEntry>): void {
  if (label !== undefined && typeof label !== 'function') throw invalid('label', 'function', label);
  if (numClasses !== undefined) checkInteger('numClasses', numClasses, 1);
}

/** Batches of one iteration; with `from` the first one is shorter, so there is no such number. */
function sizeOf({ shards, order, flow }: ShardFlow): number | undefined {
  if (order.from.sample > 0) return undefined;
  return batchCount(countSamples(shards, order), {
    ...flow,
    order: { ...order, shard: order.worker },
  });
}

function patchesOfShards(
  tf: Tf,
  shared: ShardFlow,
  options: Omit<ShardPatchOptions, keyof ShardOptions>,
): ShardPatchDataset<{ xs: TensorContainer }> {
  const { unit = 'clip', select, kKeep, label, numClasses } = options;
  if ((unit as string) !== 'clip' && (unit as string) !== 'patch') {
    throw invalid('unit', "'clip' or 'patch'", unit);
  }
  if (select !== undefined && typeof select !== 'function') {
    throw invalid('select', 'function', select);
  }
  const { shards, flow } = shared;
  const rows = unit === 'clip' ? rowsOfClips(shards, kKeep) : 0;
  const most = unit === 'clip' ? rows : (mostPatches(shards, kKeep) ?? Infinity);
  const feeds = openFeeds<PatchRows>(
    shared,
    (sample) => new ShardPatches(sample, most),
    (patches) => patches.close(),
  );
  const batching = { ...flow, label, numClasses, native: false };
  const open = (): HostIterator<HostBatch> =>
    unit === 'clip'
      ? new ClipBatcher<ShardEntry>(feeds(), batching, rows)
      : new PatchBatcher<ShardEntry>(feeds(), batching);
  const dataset = hostDataset<HostBatch, { xs: TensorContainer }>(tf, {
    open,
    toElement: elementOfPatches(tf, { rows, select: select, memory: 'host' }),
    size: unit === 'clip' ? sizeOf(shared) : undefined,
  });
  const pixels = shards.manifest?.tensors['patches']?.shape.slice(1);
  const isKnown = pixels?.every((side) => side !== null) ?? false;
  const k = unit === 'clip' ? [rows] : [];
  const inputShapes: InputShapes | undefined = isKnown
    ? { patches: [...k, ...(pixels as number[])], positions: [...k, 3], mask: k }
    : undefined;
  return Object.assign(dataset, { inputShapes });
}

function inputsOfShards(
  tf: Tf,
  shared: ShardFlow,
  { label, numClasses }: LabelOptions<ShardEntry>,
): TfDataset<InputElement> {
  const { flow } = shared;
  const feeds = openFeeds<InputRows>(
    shared,
    (sample) => ({
      tensors: sample.tensors,
      videos: [factsOf(sample)],
      close: () => {
        for (const tensor of Object.values(sample.tensors)) tensor.close();
      },
    }),
    (inputs) => inputs.close(),
  );
  return hostDataset<HostInputs<ShardEntry>, InputElement>(tf, {
    open: () => new InputBatcher<ShardEntry>(feeds(), { ...flow, label, numClasses }),
    toElement: (batch) => elementOfInputs(tf, batch),
    size: sizeOf(shared),
  });
}

/**
 * Shards that `codec-patch-stream extract` has written, as the batches that inputDataset (kind 'input') or
 * patchDataset (kind 'patches') make of the videos: a training script changes one line, and decodes nothing.
 * `pattern` is the folder of `extract`, its manifest.json, files ('out/shard-{000000..000009}.tar',
 * 'out/*.tar'), or a list of these.
 *
 * Labels are the column `label` of the list; `meta` of an input tells the row, the frames, the grid. Samples
 * are read `prefetchDepth` ahead of the consumer, in order, and none before the first element is asked for.
 * What cannot be a sample (cut off, changed, other tensors than the rest) is an error with a code and the
 * names of file and sample; onError says what becomes of it.
 */
export function shardDataset<U extends Unit = 'clip', X extends TensorContainer = DefaultXs<U>>(
  tf: Tf,
  pattern: ShardPattern,
  options: ShardPatchOptions<U, X>,
): ShardPatchDataset<{ xs: X; ys?: Tensor2D }>;
export function shardDataset(
  tf: Tf,
  pattern: ShardPattern,
  options?: ShardDatasetOptions,
): TfDataset<InputElement>;
export function shardDataset(
  tf: Tf,
  pattern: ShardPattern,
  options: ShardDatasetOptions | ShardPatchOptions = {},
): TfDataset<InputElement> | ShardPatchDataset<{ xs: TensorContainer }> {
  checkTf(tf);
  const own =
    (options as { kind?: unknown } | null)?.kind === 'patches'
      ? ['unit', 'select', 'kKeep', ...LABELS]
      : LABELS;
  const { shared, rest } = parseShards('shardDataset', pattern, options, own);
  checkLabels(rest);
  return shared.kind === 'patches'
    ? patchesOfShards(tf, shared, rest)
    : inputsOfShards(tf, shared, rest);
}
