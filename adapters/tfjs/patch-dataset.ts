/** A tf.data.Dataset of the selected patches of videos. */
import { checkPatchStreamOptions, patchStream } from 'codec-patch-stream';
import type { PatchStreamConfig } from 'codec-patch-stream';
import { checkInteger, invalid } from '../common/errors.js';
import { VideoFeed } from '../common/feed.js';
import type { HostIterator } from '../common/iterators.js';
import { batchCount, checkNames, parseFlow } from '../common/options.js';
import { decodingWith, fixedRule } from '../common/sampling.js';
import type { SampleOption } from '../common/sampling.js';
import type { PatchRows } from '../common/shard-patches.js';
import type { FlowOptions } from '../common/options.js';
import { checkVideos, countVideos, sampleSource } from '../common/videos.js';
import type { VideoEntry, Videos } from '../common/videos.js';
import { ClipBatcher, PatchBatcher } from './batches.js';
import type { HostBatch } from './batches.js';
import { adoptsBatches, blockTensor } from './adopt.js';
import type { Memory } from './adopt.js';
import { hostDataset } from './dataset.js';
import type { Label, LabelOptions } from './labels.js';
import { checkTf } from './tf.js';
import type {
  Tensor2D,
  Tensor3D,
  Tensor4D,
  Tensor5D,
  TensorContainer,
  Tf,
  TfDataset,
} from './tf.js';

/** xs of unit 'clip'. */
export type ClipXs = {
  /** float32 [B, K, P, P, 3] ([B, K, 3, P, P] with layout 'nchw'); zeros behind the last patch. */
  readonly patches: Tensor5D;
  /** int32 [B, K, 3]: position in time, row and column in the patch grid. */
  readonly positions: Tensor3D;
  /** float32 [B, K]: 1 for a patch, 0 for padding. */
  readonly mask: Tensor2D;
};

/** What `select` gets with unit 'patch'. */
export type PatchXs = {
  /** float32 [B, P, P, 3] ([B, 3, P, P] with layout 'nchw'). */
  readonly patches: Tensor4D;
  /** int32 [B, 3] */
  readonly positions: Tensor2D;
};

/** What a row of a batch is: all patches of a video, or one patch. */
export type Unit = 'clip' | 'patch';
type Selectable<U extends Unit> = U extends 'clip' ? ClipXs : PatchXs;
/** xs without `select`: everything of a clip; of a patch its pixels. */
type DefaultXs<U extends Unit> = U extends 'clip' ? ClipXs : Tensor4D;

const OWN_NAMES = ['unit', 'select', 'label', 'numClasses', 'memory'];

type StreamOptions = Omit<
  PatchStreamConfig,
  'videoPath' | 'outputDtype' | 'sample' | keyof FlowOptions<never>
>;

/** Every option of patchStream but videoPath, and these; outputDtype is always float32. */
export interface PatchDatasetOptions<
  E extends VideoEntry = VideoEntry,
  U extends Unit = Unit,
  X extends TensorContainer = TensorContainer,
>
  extends StreamOptions, FlowOptions<E>, LabelOptions<E> {
  /** Nothing else: the tensors of TensorFlow.js are float32. */
  readonly outputDtype?: 'float32' | 'fp32' | undefined;
  /** Which frames: a rule, or a function that makes one for each video (docs/sampling.md). */
  readonly sample?: SampleOption | undefined;
  /** One row per video ('clip') or per patch ('patch', with the video's label). Default: 'clip'. */
  readonly unit?: U | undefined;
  /**
   * Makes xs of the tensors of a batch, e.g. `({ patches }) => patches` for a model with one
   * input. What it does not return is disposed, intermediate tensors too.
   */
  readonly select?: ((xs: Selectable<U>) => X) | undefined;
  /** Order within a patch. Default: 'nhwc', as the layers of TensorFlow.js expect. */
  readonly layout?: 'nhwc' | 'nchw' | undefined;
  /** Whose memory the patches have, where they are tfjs-node's. Default: 'auto'. */
  readonly memory?: Memory | undefined;
}

/** An element of a dataset; without labels there are no ys, with an optional one there may be. */
export type Element<E, X> = E extends { readonly label: Label }
  ? Labelled<X>
  : 'label' extends keyof E
    ? { xs: X; ys?: Tensor2D }
    : { xs: X };
/** An element of a dataset of videos with labels. */
export type Labelled<X> = {
  /** The inputs. */
  xs: X;
  /** float32 [B, 1], [B, C] for labels of C numbers or with numClasses. */
  ys: Tensor2D;
};

/** Sizes of one row, for `tf.input({ shape })`. */
export interface InputShapes {
  /** [K, P, P, 3], with unit 'patch' [P, P, 3]; the 3 first with layout 'nchw'. */
  readonly patches: readonly number[];
  /** [K, 3], with unit 'patch' [3]. */
  readonly positions: readonly number[];
  /** [K], with unit 'patch' []. */
  readonly mask: readonly number[];
}

/** A Dataset of tf.data that knows the shapes of its rows. */
export type PatchDataset<T extends TensorContainer> = TfDataset<T> & {
  /** Shapes of a row, without the batch axis. */
  readonly inputShapes: InputShapes;
};

/** Option select, whichever unit. */
export type Select = ((xs: ClipXs & PatchXs) => TensorContainer) | undefined;

/** Makes the tensors of a batch. */
export const elementOfPatches =
  (
    tf: Tf,
    { rows, select, memory }: { rows: number; select: Select; memory: Memory },
  ): ((batch: HostBatch) => { xs: TensorContainer; ys?: Tensor2D }) =>
  (batch) => {
    const { count, mask, ys } = batch;
    const patches = blockTensor(tf, batch.patches, batch.patchesShape, memory);
    const rowShape = mask ? [count, rows] : [count];
    const positions = tf.tensor(batch.positions, [...rowShape, 3], 'int32');
    const parts = mask
      ? { patches, positions, mask: tf.tensor(mask, rowShape, 'float32') }
      : { patches, positions };
    const xs = select ? select(parts as unknown as ClipXs & PatchXs) : mask ? parts : patches;
    return ys ? { xs, ys: tf.tensor(ys.data, ys.shape, 'float32') } : { xs };
  };

/**
 * The selected patches of `videos` as batches `{ xs, ys }` of fresh tensors, ready for
 * `model.fitDataset`. `size` is the number of batches where it is known beforehand (videos an array,
 * unit 'clip', onError 'throw').
 *
 * Videos are decoded natively, `prefetchDepth` ahead of the consumer and in order; nothing is decoded
 * before the first element is asked for, and nothing goes on when nobody asks any more.
 */
export function patchDataset<
  E extends VideoEntry,
  U extends Unit = 'clip',
  X extends TensorContainer = DefaultXs<U>,
>(
  tf: Tf,
  videos: Videos<E>,
  options: PatchDatasetOptions<E, U, X> & { readonly label: (entry: E) => Label },
): PatchDataset<Labelled<X>>;
export function patchDataset<
  E extends VideoEntry,
  U extends Unit = 'clip',
  X extends TensorContainer = DefaultXs<U>,
>(tf: Tf, videos: Videos<E>, options?: PatchDatasetOptions<E, U, X>): PatchDataset<Element<E, X>>;
export function patchDataset<E extends VideoEntry>(
  tf: Tf,
  videos: Videos<E>,
  options: PatchDatasetOptions<E> = {},
): PatchDataset<{ xs: TensorContainer }> {
  checkTf(tf);
  const { flow, rest } = parseFlow<E, PatchDatasetOptions<E>>(options);
  const { unit = 'clip', select, label, numClasses, layout = 'nhwc', sample, ...others } = rest;
  const { outputDtype = 'float32', memory = 'auto', ...streamOptions } = others;
  checkVideos(videos);
  if ((unit as string) !== 'clip' && (unit as string) !== 'patch') {
    throw invalid('unit', "'clip' or 'patch'", unit);
  }
  if (select !== undefined && typeof select !== 'function') {
    throw invalid('select', 'function', select);
  }
  if (label !== undefined && typeof label !== 'function') {
    throw invalid('label', 'function', label);
  }
  if (numClasses !== undefined) checkInteger('numClasses', numClasses, 1);
  if ((outputDtype as string) !== 'float32' && (outputDtype as string) !== 'fp32') {
    const hint = ': the tensors of TensorFlow.js, and it is made natively';
    throw invalid('outputDtype', "'float32'", outputDtype, hint);
  }
  checkNames('patchDataset', streamOptions, checkPatchStreamOptions, OWN_NAMES);
  const config = { ...streamOptions, layout, outputDtype };
  const { patch, mostPatches } = checkPatchStreamOptions({ ...config, sample: fixedRule(sample) });
  if (unit === 'clip' && mostPatches === undefined) {
    const hint = ": the rows of unit 'clip' have one length";
    throw invalid('kKeep', 'integer, or { perSecond, max }', config.kKeep, hint);
  }
  const rows = mostPatches ?? 0; // of a clip
  const source = sampleSource(videos, flow.order);
  adoptsBatches(tf, memory);

  const open = (): HostIterator<HostBatch> => {
    const batching = { ...flow, label, numClasses, native: adoptsBatches(tf, memory) };
    const feed = new VideoFeed<E, PatchRows>({
      ...flow,
      source: source(),
      decode: decodingWith(sample, flow.order.seed, config, (sampled) =>
        patchStream({ ...config, ...sampled }),
      ),
      discard: (stream) => stream.close(),
    });
    return unit === 'clip'
      ? new ClipBatcher<E>(feed, batching, rows)
      : new PatchBatcher<E>(feed, batching);
  };
  const toElement = elementOfPatches(tf, { rows, select: select, memory });

  const size = unit === 'clip' ? batchCount(countVideos(videos, flow.order), flow) : undefined;
  const dataset = hostDataset<HostBatch, { xs: TensorContainer }>(tf, { open, toElement, size });
  const p = patch.patchSize;
  const pixels = layout === 'nhwc' ? [p, p, 3] : [3, p, p];
  const k = unit === 'clip' ? [rows] : [];
  const inputShapes = { patches: [...k, ...pixels], positions: [...k, 3], mask: k };
  return Object.assign(dataset, { inputShapes });
}
