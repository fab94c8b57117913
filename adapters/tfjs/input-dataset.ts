/** A tf.data.Dataset of the tensors that a model takes, of many videos. */
import { inputStream, modelInputs } from 'codec-patch-stream/inputs';
import type { InputOptions, Inputs, InputVideo, ModelInput } from 'codec-patch-stream/inputs';
import { checkInteger, failure, invalid, videoError } from '../common/errors.js';
import { VideoFeed } from '../common/feed.js';
import { END, item, SerialIterator } from '../common/iterators.js';
import { batchCount, parseFlow } from '../common/options.js';
import type { FlowOptions } from '../common/options.js';
import { decodingWith, fixedRule } from '../common/sampling.js';
import type { SampleOption } from '../common/sampling.js';
import { checkVideos, countVideos, sampleSource } from '../common/videos.js';
import type { Sample, VideoEntry, Videos } from '../common/videos.js';
import { hostDataset } from './dataset.js';
import { LabelReader, stackLabels } from './labels.js';
import type { LabelOptions, Ys } from './labels.js';
import { checkTf } from './tf.js';
import type { Tensor2D, Tf, TfDataset, TfTensor } from './tf.js';
import { valuesOf } from './to-tensor.js';
import type { Values } from './to-tensor.js';

/** Every option of modelInputs, those of the other datasets, and these. */
export interface InputDatasetOptions<E extends VideoEntry = VideoEntry>
  extends Omit<InputOptions, 'sample' | keyof FlowOptions<never>>, FlowOptions<E>, LabelOptions<E> {
  /**
   * Which frames, in place of the description's: a rule, or a function that makes one for each video
   * (docs/sampling.md).
   */
  readonly sample?: SampleOption | undefined;
}

/** Which video a row of a batch is, and what is known of it. */
export interface InputRow<E> extends InputVideo {
  /** As it stands among the videos. */
  readonly entry: E;
  /** Its place among them. */
  readonly index: number;
}

/** An element of the dataset. */
export type InputElement = {
  /** The tensors by their names: float32, int32 for whole numbers, bool. */
  xs: Record<string, TfTensor>;
  /** float32 [B, C]; only where the videos have labels. */
  ys?: Tensor2D;
  /** InputRow[], one per video of the batch; tf.data's own types know nothing but tensors and numbers. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- see above
  meta: any;
};

interface Column {
  readonly values: Values;
  readonly shape: readonly number[];
}

export interface HostInputs<E> {
  readonly columns: ReadonlyMap<string, Column>;
  readonly ys: Ys | undefined;
  readonly meta: InputRow<E>[];
}

/** Tensors of several videos one behind the other: videos are their outermost axis. */
function joined(columns: readonly Column[]): Column {
  const [first] = columns as [Column, ...Column[]];
  if (columns.length === 1) return first;
  const length = columns.reduce((sum, { values }) => sum + values.data.length, 0);
  const array = first.values.data.constructor as new (length: number) => Float32Array;
  const data = new array(length);
  let at = 0;
  for (const { values } of columns) {
    data.set(values.data, at);
    at += values.data.length;
  }
  const rows = columns.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
  const values = { data, dtype: first.values.dtype } as Values;
  return { values, shape: [rows, ...first.shape.slice(1)] };
}

/** What is used of Inputs once they are decoded: tensors by name, and the videos that they are of. */
export type InputRows = Pick<Inputs, 'tensors' | 'videos' | 'close'>;

export class InputBatcher<E> extends SerialIterator<HostInputs<E>> {
  readonly #reader: LabelReader<E>;
  #labels: (Float32Array | undefined)[] = [];
  #rows: ReadonlyMap<string, Column>[] = [];
  #meta: InputRow<E>[] = [];

  constructor(
    private readonly feed: VideoFeed<E, InputRows>,
    private readonly options: LabelOptions<E> & { batchSize: number; dropRemainder: boolean },
  ) {
    super();
    this.#reader = new LabelReader(options);
  }

  close(): void {
    this.feed.close();
  }

  protected async step(): Promise<IteratorResult<HostInputs<E>, undefined>> {
    const { batchSize, dropRemainder } = this.options;
    while (this.#meta.length < batchSize) {
      const result = await this.feed.next();
      if (result.done) break;
      const { sample, result: inputs } = result.value;
      try {
        await this.#add(sample, inputs);
      } finally {
        inputs.close();
        this.feed.released();
      }
    }
    const count = this.#meta.length;
    // What was gathered when an abort or close() ended it, nobody wants any more.
    if (count === 0 || (count < batchSize && (dropRemainder || this.feed.cancelled))) {
      this.close();
      this.#take();
      return END;
    }
    return item(this.#take());
  }

  #take(): HostInputs<E> {
    const [rows, labels, meta] = [this.#rows, this.#labels, this.#meta];
    [this.#rows, this.#labels, this.#meta] = [[], [], []];
    const names = [...(rows[0]?.keys() ?? [])];
    const columns = names.map(
      (name) => [name, joined(rows.map((row) => row.get(name) as Column))] as const,
    );
    return { columns: new Map(columns), ys: stackLabels(labels), meta };
  }

  async #add(sample: Sample<E>, inputs: InputRows): Promise<void> {
    const label = this.#reader.read(sample);
    const row = new Map<string, Column>();
    const before = this.#rows[0];
    for (const [name, tensor] of Object.entries(inputs.tensors)) {
      const { shape } = tensor;
      const inside = shape.slice(1).join(', ');
      const wanted = before?.get(name)?.shape.slice(1).join(', ') ?? inside;
      if (inside !== wanted) {
        const message =
          `Expected '${name}' of [${wanted}] per row, as before, but received [${inside}]. ` +
          'Give one size and one number of frames for all videos, or batchSize 1.';
        throw videoError(failure('ERR_CPS_INVALID_ARGUMENT', message), sample.video, sample.index);
      }
      row.set(name, { values: await valuesOf(tensor, true), shape });
    }
    this.#rows.push(row);
    this.#labels.push(label);
    const [video] = inputs.videos as readonly [InputVideo];
    this.#meta.push({ ...video, entry: sample.entry, index: sample.index });
  }
}

/** Makes the tensors of a batch. */
export function elementOfInputs<E>(tf: Tf, { columns, ys, meta }: HostInputs<E>): InputElement {
  const xs = Object.fromEntries(
    [...columns].map(([name, { values, shape }]) => [
      name,
      tf.tensor(values.data, [...shape], values.dtype),
    ]),
  );
  const element: InputElement = { xs, meta };
  if (ys) element.ys = tf.tensor(ys.data, ys.shape, 'float32');
  return element;
}

/**
 * The tensors of a model for `videos` as batches `{ xs, ys, meta }`: xs by the model's names, ys where
 * there are labels, meta what each row is. `input` is a description or the name of a preset, as
 * modelInputs takes it. The videos of a batch must agree in their shapes; rows of `(n ...)` axes
 * may differ in number.
 */
export function inputDataset<E extends VideoEntry>(
  tf: Tf,
  videos: Videos<E>,
  input: ModelInput,
  options: InputDatasetOptions<E> = {},
): TfDataset<InputElement> {
  checkTf(tf);
  const { flow, rest } = parseFlow<E, InputDatasetOptions<E>>(options);
  const { label, numClasses, sample, ...config } = rest;
  checkVideos(videos);
  if (label !== undefined && typeof label !== 'function') {
    throw invalid('label', 'function', label);
  }
  if (numClasses !== undefined) checkInteger('numClasses', numClasses, 1);
  // Checks the description and the options; nothing of it is read.
  inputStream([], input, { ...config, sample: fixedRule(sample) });
  const source = sampleSource(videos, flow.order);
  return hostDataset<HostInputs<E>, InputElement>(tf, {
    open: () => {
      const feed = new VideoFeed<E, InputRows>({
        ...flow,
        source: source(),
        decode: decodingWith(sample, flow.order.seed, config, ({ videoPath, ...sampled }) =>
          modelInputs(videoPath, input, { ...config, ...sampled }),
        ),
        discard: (inputs) => inputs.close(),
      });
      return new InputBatcher<E>(feed, { ...flow, label, numClasses });
    },
    toElement: (batch) => elementOfInputs(tf, batch),
    size: batchCount(countVideos(videos, flow.order), flow),
  });
}
