/** A tf.data.Dataset of the sampled frames of videos. */
import { setImmediate } from 'node:timers/promises';
import { checkDecodeOnlyOptions, checkPatchStreamOptions, decodeOnly } from 'codec-patch-stream';
import type { DecodedFrames, DecodeOnlyConfig, PatchStreamConfig } from 'codec-patch-stream';
import { checkInteger, failure, invalid, videoError } from '../common/errors.js';
import { VideoFeed } from '../common/feed.js';
import { END, item, SerialIterator } from '../common/iterators.js';
import { batchCount, checkNames, parseFlow } from '../common/options.js';
import type { FlowOptions } from '../common/options.js';
import { decodingWith, fixedRule } from '../common/sampling.js';
import type { SampleOption } from '../common/sampling.js';
import { checkVideos, countVideos, sampleSource } from '../common/videos.js';
import type { Sample, VideoEntry, Videos } from '../common/videos.js';
import { adoptsBatches, blockTensor, makeBlock } from './adopt.js';
import type { Block, Memory } from './adopt.js';
import { hostDataset } from './dataset.js';
import { LabelReader, stackLabels } from './labels.js';
import type { Label, LabelOptions, Ys } from './labels.js';
import type { Element, Labelled } from './patch-dataset.js';
import { checkTf } from './tf.js';
import type { Tensor5D, Tf, TfDataset } from './tf.js';

type Frames = DecodedFrames<'uint8'>;

/** What datasets have in forms of their own. */
type OwnForms = 'videoPath' | 'sample' | 'outputDtype' | 'layout' | 'normalize';

/** Every option of decodeOnly but videoPath and outputDtype, and these. */
export interface FrameDatasetOptions<E extends VideoEntry = VideoEntry>
  extends
    Omit<DecodeOnlyConfig, OwnForms | keyof FlowOptions<never>>,
    FlowOptions<E>,
    LabelOptions<E> {
  /**
   * Which frames: a rule, or a function that makes one for each video (docs/sampling.md). It has to give
   * all videos of a batch the same number of frames.
   */
  readonly sample?: SampleOption | undefined;
  /** xs [B, T, H, W, 3] or [B, T, 3, H, W]. Default: 'nhwc'. */
  readonly layout?: 'nhwc' | 'nchw' | undefined;
  /** As in patchStream; float32 only. Default: 'none' (0..255). */
  readonly normalize?: PatchStreamConfig['normalize'];
  /** Default: 'float32'. */
  readonly dtype?: 'float32' | 'int32' | undefined;
  /** Whose memory the frames have, where they are tfjs-node's. Default: 'auto'. */
  readonly memory?: Memory | undefined;
}

const OWN_NAMES = ['memory', 'label', 'numClasses', 'layout', 'normalize', 'dtype'];

interface FrameBatch {
  readonly frames: Block<Float32Array | Int32Array>;
  readonly shape: [number, number, number, number, number];
  readonly ys: Ys | undefined;
}

/** Writes frames [T, H, W, 3] of bytes to `out`, each byte through the table of its channel. */
function write(
  frames: Uint8Array,
  pixels: number,
  out: Float32Array | Int32Array,
  tables: readonly Float32Array[] | undefined,
  channelsFirst: boolean,
): void {
  if (!tables && !channelsFirst) {
    out.set(frames);
    return;
  }
  const step = channelsFirst ? pixels : 1;
  for (let c = 0; c < 3; c++) {
    const table = tables?.[c];
    for (let start = 0; start < frames.length; start += pixels * 3) {
      let at = start + c * step;
      for (let i = start + c; i < start + pixels * 3; i += 3) {
        const value = frames[i] as number;
        out[at] = table ? (table[value] as number) : value;
        at += channelsFirst ? 1 : 3;
      }
    }
  }
}

interface Pixels {
  readonly dtype: 'float32' | 'int32';
  /** Whether they are put together in memory of the package. */
  readonly native: boolean;
  readonly tables: readonly Float32Array[] | undefined;
  readonly channelsFirst: boolean;
}

class FrameBatcher<E> extends SerialIterator<FrameBatch> {
  readonly #reader: LabelReader<E>;
  #labels: (Float32Array | undefined)[] = [];
  #frames: Block<Float32Array | Int32Array> | undefined;
  #copy = new Uint8Array();
  /** T, H, W of the batch. */
  #size: readonly [number, number, number] | undefined;

  constructor(
    private readonly feed: VideoFeed<E, Frames>,
    private readonly options: LabelOptions<E> & { batchSize: number; dropRemainder: boolean },
    private readonly pixels: Pixels,
  ) {
    super();
    this.#reader = new LabelReader(options);
  }

  close(): void {
    this.feed.close();
  }

  protected async step(): Promise<IteratorResult<FrameBatch, undefined>> {
    const { batchSize, dropRemainder } = this.options;
    while (this.#labels.length < batchSize) {
      const result = await this.feed.next();
      if (result.done) break;
      const { sample, result: decoded } = result.value;
      try {
        await this.#add(sample, decoded);
      } finally {
        decoded.close();
        this.feed.released();
      }
    }
    const count = this.#labels.length;
    // What was gathered when an abort or close() ended it, nobody wants any more.
    if (count === 0 || (count < batchSize && (dropRemainder || this.feed.cancelled))) {
      this.close();
      this.#labels = [];
      this.#frames = undefined;
      return END;
    }
    const [t, h, w] = this.#size as readonly [number, number, number];
    const shape: FrameBatch['shape'] = this.pixels.channelsFirst
      ? [count, t, 3, h, w]
      : [count, t, h, w, 3];
    const frames = this.#frames as Block;
    const ys = stackLabels(this.#labels);
    this.#labels = [];
    this.#frames = undefined;
    return item({ frames, shape, ys });
  }

  async #add(sample: Sample<E>, decoded: Frames): Promise<void> {
    const label = this.#reader.read(sample);
    const [t = 0, h = 0, w = 0] = decoded.frames.shape;
    const [length, height, width] = (this.#size ??= [t, h, w]);
    if (t !== length) {
      const message =
        `Expected ${length} frames, as before, but received ${t}. Give a rule for sample that gives all ` +
        "videos the same number (a count or a clip, and not short: 'all').";
      const error = failure('ERR_CPS_INVALID_ARGUMENT', message);
      throw videoError(error, sample.video, sample.index);
    }
    if (h !== height || w !== width) {
      const message =
        `Expected frames of ${width}×${height}, as before, but received ${w}×${h}. ` +
        'Give size (or width and height), so that all videos have one.';
      const error = failure('ERR_CPS_INVALID_ARGUMENT', message);
      throw videoError(error, sample.video, sample.index);
    }
    const size = h * w * 3;
    const { tables, channelsFirst, dtype, native } = this.pixels;
    this.#frames ??= makeBlock(dtype, this.options.batchSize * t * size, native);
    for (let i = 0; i < t; i++) {
      const at = (this.#labels.length * t + i) * size;
      const out = this.#frames.data.subarray(at, at + size);
      write(await this.#bytes(decoded, i, size), h * w, out, tables, channelsFirst);
      // One frame is what the event loop waits for at most.
      await setImmediate();
    }
    this.#labels.push(label);
  }

  /** Frame `index` on the host: a copy, so that its memory does not wait for the garbage collector. */
  async #bytes(decoded: Frames, index: number, size: number): Promise<Uint8Array> {
    const frame = decoded.frame(index);
    try {
      if (frame.device !== 'cpu') return await frame.toHost();
      if (this.#copy.length !== size) this.#copy = new Uint8Array(size);
      frame.copyTo(this.#copy);
      return this.#copy;
    } finally {
      frame.close();
    }
  }
}

/** (rgb · scale − offset − mean) / std for the 256 values of each channel; undefined: as they are. */
function tablesOf(normalize: PatchStreamConfig['normalize']): Float32Array[] | undefined {
  const { scale, offset, mean, std } = checkPatchStreamOptions({ normalize }).patch.normalize;
  const moved = Math.fround(offset ?? 0);
  const plain = scale === 1 && moved === 0 && mean.every((m) => m === 0);
  if (plain && std.every((s) => s === 1)) return undefined;
  const { fround } = Math;
  return mean.map((m, c) =>
    Float32Array.from({ length: 256 }, (_, v) => {
      const scaled = fround(fround(v * fround(scale)) - moved);
      return fround(fround(scaled - fround(m)) / fround(std[c] ?? 1));
    }),
  );
}

/**
 * The sampled frames of `videos` as batches `{ xs, ys }`: xs [B, T, H, W, 3]. All videos must have
 * one size; size, or width and height, see to it.
 */
export function frameDataset<E extends VideoEntry>(
  tf: Tf,
  videos: Videos<E>,
  options: FrameDatasetOptions<E> & { readonly label: (entry: E) => Label },
): TfDataset<Labelled<Tensor5D>>;
export function frameDataset<E extends VideoEntry>(
  tf: Tf,
  videos: Videos<E>,
  options?: FrameDatasetOptions<E>,
): TfDataset<Element<E, Tensor5D>>;
export function frameDataset<E extends VideoEntry>(
  tf: Tf,
  videos: Videos<E>,
  options: FrameDatasetOptions<E> = {},
): TfDataset<{ xs: Tensor5D }> {
  checkTf(tf);
  const { flow, rest } = parseFlow<E, FrameDatasetOptions<E>>(options);
  const { label, numClasses, layout = 'nhwc', normalize, dtype = 'float32', ...others } = rest;
  const { sample, memory = 'auto', ...config } = others;
  checkVideos(videos);
  if ((layout as string) !== 'nhwc' && (layout as string) !== 'nchw') {
    throw invalid('layout', "'nhwc' or 'nchw'", layout);
  }
  if ((dtype as string) !== 'float32' && (dtype as string) !== 'int32') {
    throw invalid('dtype', "'float32' or 'int32'", dtype);
  }
  if (label !== undefined && typeof label !== 'function') {
    throw invalid('label', 'function', label);
  }
  if (numClasses !== undefined) checkInteger('numClasses', numClasses, 1);
  const tables = tablesOf(normalize);
  if (tables && dtype === 'int32')
    throw invalid('normalize', "'none' (dtype is 'int32')", normalize);
  const { outputDtype } = config as DecodeOnlyConfig;
  if (outputDtype !== undefined) {
    throw invalid('outputDtype', 'no value', outputDtype, '; dtype says what xs holds');
  }
  checkNames('frameDataset', config, checkDecodeOnlyOptions, OWN_NAMES);
  const checked = checkDecodeOnlyOptions({ ...config, sample: fixedRule(sample) });
  if (checked.source.damaged === 'skip') {
    throw invalid('damaged', "'error' or 'nearest' (all videos of a batch have one T)", 'skip');
  }
  adoptsBatches(tf, memory);
  const source = sampleSource(videos, flow.order);
  return hostDataset<FrameBatch, { xs: Tensor5D }>(tf, {
    open: () => {
      const feed = new VideoFeed<E, Frames>({
        ...flow,
        source: source(),
        decode: decodingWith(sample, flow.order.seed, config, (sampled) =>
          decodeOnly({ ...config, ...sampled }),
        ),
        discard: (frames) => frames.close(),
      });
      const native = adoptsBatches(tf, memory);
      const pixels = { dtype, native, tables, channelsFirst: layout === 'nchw' };
      return new FrameBatcher<E>(feed, { ...flow, label, numClasses }, pixels);
    },
    toElement: ({ frames, shape, ys }) => {
      const xs = blockTensor(tf, frames, shape, memory) as Tensor5D;
      return ys ? { xs, ys: tf.tensor(ys.data, ys.shape, 'float32') } : { xs };
    },
    size: batchCount(countVideos(videos, flow.order), flow),
  });
}
