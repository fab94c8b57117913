/** Decoded videos, one after the other, to batches in plain memory. */
import type { PatchDType, Tensor } from 'codec-patch-stream';
import type { VideoFeed } from '../common/feed.js';
import type { PatchRows } from '../common/shard-patches.js';
import { makeBlock } from './adopt.js';
import type { Block } from './adopt.js';
import { END, item, SerialIterator } from '../common/iterators.js';
import { LabelReader, stackLabels } from './labels.js';
import type { LabelOptions, Ys } from './labels.js';

export interface BatchOptions<E> extends LabelOptions<E> {
  readonly batchSize: number;
  readonly dropRemainder: boolean;
  /** Whether patches are gathered in memory of the package, for a TensorFlow that adopts it. */
  readonly native: boolean;
}

/** A batch of clips or of patches before it becomes tensors. */
export interface HostBatch {
  /** B clips, or B patches. */
  readonly count: number;
  /** [B, K, ...patch] or [B, ...patch], and perhaps more behind it. */
  readonly patches: Block;
  readonly patchesShape: readonly number[];
  /** [B, K, 3] or [B, 3] */
  readonly positions: Int32Array;
  /** [B, K], 1 where there is a patch; unit 'clip' only. */
  readonly mask: Float32Array | undefined;
  readonly ys: Ys | undefined;
}

/** A decoded video; its stream is closed. */
interface Row {
  readonly label: Float32Array | undefined;
  readonly patches: Patches;
  readonly positions: Int32Array;
  readonly count: number;
  readonly patchShape: readonly number[];
}

/**
 * float32 patches on the host: a view of the native memory, so that they can be copied into a batch
 * and the memory freed without the garbage collector; from a GPU, what was downloaded; of another type (from
 * shards), its values.
 */
class Patches {
  readonly #source: Float32Array | Tensor<PatchDType>;

  private constructor(source: Float32Array | Tensor<PatchDType>) {
    this.#source = source;
  }

  static async of({ patches, length }: PatchRows): Promise<Patches> {
    const isView = patches.device === 'cpu' && patches.dtype === 'float32';
    return new Patches(isView ? patches.view(0, length) : await patches.toFloat32());
  }

  /** All of them, without a copy; open after close(). */
  get block(): Block {
    const source = this.#source;
    if (source instanceof Float32Array) return { data: source, tensor: undefined };
    return { data: source.data as Float32Array, tensor: source.reshape(source.shape) };
  }

  /** Patches [from, from + count) of `size` values each. */
  copyTo(target: Float32Array, from: number, count: number, size: number): void {
    const source = this.#source;
    if (source instanceof Float32Array) {
      target.set(source.subarray(from * size, (from + count) * size));
      return;
    }
    const part = source.view(from, count);
    part.copyTo(target);
    part.close();
  }

  close(): void {
    if (!(this.#source instanceof Float32Array)) this.#source.close();
  }
}

const product = (sides: readonly number[]): number => sides.reduce((all, side) => all * side, 1);

/**
 * Copies videos into the batch one by one, so that none waits in memory until the batch is full.
 * What has been gathered is kept from call to call: after an error the batch goes on where it was.
 */
abstract class Batcher<E> extends SerialIterator<HostBatch> {
  readonly #labels: LabelReader<E>;

  constructor(
    private readonly feed: VideoFeed<E, PatchRows>,
    protected readonly options: BatchOptions<E>,
  ) {
    super();
    this.#labels = new LabelReader(options);
  }

  close(): void {
    this.feed.close();
  }

  protected async step(): Promise<IteratorResult<HostBatch, undefined>> {
    const { batchSize, dropRemainder } = this.options;
    while (this.missing() > 0) {
      const row = await this.#read();
      if (!row) break;
      if (this.add(row)) this.feed.released();
    }
    const partial = this.missing() > 0;
    const nothing = this.missing() === batchSize;
    // What was gathered when an abort or close() ended it, nobody wants any more.
    if (nothing || (partial && (dropRemainder || this.feed.cancelled))) {
      this.close();
      this.clear();
      return END;
    }
    return item(this.finish());
  }

  /** Rows until the batch is full. */
  protected abstract missing(): number;
  /** Returns whether the row's memory is not needed any more, so that another video may be decoded. */
  protected abstract add(row: Row): boolean;
  protected abstract finish(): HostBatch;
  protected abstract clear(): void;

  async #read(): Promise<Row | undefined> {
    const result = await this.feed.next();
    if (result.done) return undefined;
    const { sample, result: stream } = result.value;
    try {
      const label = this.#labels.read(sample);
      const positions = await stream.positions.toHost();
      const patchShape = stream.patches.shape.slice(1);
      const patches = await Patches.of(stream);
      return { label, patches, positions, count: stream.length, patchShape };
    } finally {
      stream.close();
    }
  }
}

/** unit 'clip': one row per video, padded with zeros to `k` patches. */
export class ClipBatcher<E> extends Batcher<E> {
  #labels: (Float32Array | undefined)[] = [];
  #patches: Block | undefined;
  #positions: Int32Array | undefined;
  #mask: Float32Array | undefined;
  #patchShape: readonly number[] = [];

  constructor(
    feed: VideoFeed<E, PatchRows>,
    options: BatchOptions<E>,
    private readonly k: number,
  ) {
    super(feed, options);
  }

  protected missing(): number {
    return this.options.batchSize - this.#labels.length;
  }

  protected add({ label, patches, positions, count, patchShape }: Row): boolean {
    const { batchSize } = this.options;
    const at = this.#labels.length * this.k;
    this.#patchShape = patchShape;
    this.#labels.push(label);
    if (batchSize === 1 && count === this.k) {
      this.#patches = patches.block; // The native memory itself.
    } else {
      const size = product(patchShape);
      this.#patches ??= makeBlock('float32', batchSize * this.k * size, this.options.native);
      patches.copyTo(this.#patches.data.subarray(at * size), 0, count, size);
    }
    patches.close();
    this.#positions ??= new Int32Array(batchSize * this.k * 3);
    this.#positions.set(positions, at * 3);
    this.#mask ??= new Float32Array(batchSize * this.k);
    this.#mask.fill(1, at, at + count);
    return true;
  }

  protected finish(): HostBatch {
    const labels = this.#labels;
    const count = labels.length;
    const rows = count * this.k;
    const batch = {
      count,
      patches: this.#patches as Block,
      patchesShape: [count, this.k, ...this.#patchShape],
      positions: (this.#positions as Int32Array).subarray(0, rows * 3),
      mask: (this.#mask as Float32Array).subarray(0, rows),
      ys: stackLabels(labels),
    };
    this.clear();
    return batch;
  }

  protected clear(): void {
    this.#labels = [];
    this.#patches = this.#positions = this.#mask = undefined;
  }
}

/** unit 'patch': one row per patch, the patches of a video in their order, one video after another. */
export class PatchBatcher<E> extends Batcher<E> {
  /** The video whose patches are being handed out, and how many of them have been. */
  #row: Row | undefined;
  #next = 0;
  #labels: (Float32Array | undefined)[] = [];
  #patches: Block = makeBlock('float32', 0, false);
  #positions = new Int32Array();
  #patchShape: readonly number[] = [];

  protected override step(): Promise<IteratorResult<HostBatch, undefined>> {
    this.#takeFromRow();
    return super.step();
  }

  protected missing(): number {
    return this.options.batchSize - this.#labels.length;
  }

  protected add(row: Row): boolean {
    this.#row = row;
    this.#next = 0;
    this.#patchShape = row.patchShape;
    this.#takeFromRow();
    return this.#next === row.count;
  }

  #takeFromRow(): void {
    const row = this.#row;
    if (!row) return;
    const [from, at] = [this.#next, this.#labels.length];
    const count = Math.min(this.missing(), row.count - from);
    const size = product(row.patchShape);
    this.#reserve(at + count, size);
    row.patches.copyTo(this.#patches.data.subarray(at * size), from, count, size);
    this.#positions.set(row.positions.subarray(from * 3, (from + count) * 3), at * 3);
    for (let i = 0; i < count; i++) this.#labels.push(row.label);
    this.#next += count;
    if (this.#next < row.count) return;
    row.patches.close();
    this.#row = undefined;
  }

  /** Room for `rows` patches, doubled each time: batchSize may be far more than there are. */
  #reserve(rows: number, size: number): void {
    const have = this.#positions.length / 3;
    if (rows <= have) return;
    const room = Math.min(this.options.batchSize, Math.max(rows, 2 * have));
    const [patches, positions] = [this.#patches, this.#positions];
    this.#patches = makeBlock('float32', room * size, this.options.native);
    this.#patches.data.set(patches.data);
    this.#positions = new Int32Array(room * 3);
    this.#positions.set(positions);
  }

  protected finish(): HostBatch {
    const count = this.#labels.length;
    const batch = {
      count,
      patches: this.#patches,
      patchesShape: [count, ...this.#patchShape],
      positions: this.#positions.subarray(0, count * 3),
      mask: undefined,
      ys: stackLabels(this.#labels),
    };
    this.#empty();
    return batch;
  }

  protected clear(): void {
    this.#row?.patches.close();
    this.#row = undefined;
    this.#empty();
  }

  #empty(): void {
    this.#labels = [];
    this.#patches = makeBlock('float32', 0, false);
    this.#positions = new Int32Array();
  }
}
