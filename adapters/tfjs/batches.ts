/** Decoded videos, one after the other, to batches in plain memory. */
import type { PatchStream } from 'codec-patch-stream';
import type { Decoded, VideoFeed } from '../common/feed.js';
import { END, item, SerialIterator } from '../common/iterators.js';
import type { Sample } from '../common/videos.js';
import { readLabel, stackLabels } from './labels.js';
import type { LabelOptions, Ys } from './labels.js';

export interface BatchOptions<E> extends LabelOptions<E> {
  readonly batchSize: number;
  readonly dropRemainder: boolean;
}

/** A batch of clips or of patches before it becomes tensors. */
export interface HostBatch {
  /** B clips, or B patches. */
  readonly count: number;
  /** [B, K, ...patch] or [B, ...patch] */
  readonly patches: Float32Array;
  readonly patchesShape: readonly number[];
  /** [B, K, 3] or [B, 3] */
  readonly positions: Int32Array;
  /** [B, K], 1 where there is a patch; unit 'clip' only. */
  readonly mask: Float32Array | undefined;
  readonly ys: Ys | undefined;
}

interface Row<E> {
  readonly sample: Sample<E>;
  readonly label: Float32Array | undefined;
  readonly patches: Float32Array;
  readonly positions: Int32Array;
  readonly count: number;
  readonly patchShape: readonly number[];
}

abstract class Batcher<E> extends SerialIterator<HostBatch> {
  constructor(
    private readonly feed: VideoFeed<E, PatchStream>,
    protected readonly options: BatchOptions<E>,
  ) {
    super();
  }

  close(): void {
    this.feed.close();
  }

  /** The next video; its memory may be shared with the stream, which is closed. */
  protected async read(): Promise<Row<E> | undefined> {
    const result: IteratorResult<Decoded<E, PatchStream>, undefined> = await this.feed.next();
    if (result.done) return undefined;
    const { sample, result: stream } = result.value;
    try {
      const label = readLabel(sample, this.options);
      const patches = (await stream.patches.toHost()) as Float32Array;
      const positions = await stream.positions.toHost();
      const patchShape = stream.patches.shape.slice(1);
      return { sample, label, patches, positions, count: stream.length, patchShape };
    } finally {
      stream.close();
    }
  }

  /** The row's memory is not needed any more, so another video may be decoded. */
  protected released(): void {
    this.feed.released();
  }
}

/** unit 'clip': one row per video, padded with zeros to `k` patches. */
export class ClipBatcher<E> extends Batcher<E> {
  /** Kept from call to call: after an error the batch goes on where it was. */
  #rows: Row<E>[] = [];
  #patches: Float32Array | undefined;

  constructor(
    feed: VideoFeed<E, PatchStream>,
    options: BatchOptions<E>,
    private readonly k: number,
  ) {
    super(feed, options);
  }

  protected async step(): Promise<IteratorResult<HostBatch, undefined>> {
    const { batchSize, dropRemainder } = this.options;
    while (this.#rows.length < batchSize) {
      const row = await this.read();
      if (!row) break;
      this.#add(row);
      this.released();
    }
    if (this.#rows.length === 0 || (dropRemainder && this.#rows.length < batchSize)) {
      this.close();
      this.#rows = [];
      return END;
    }
    return item(this.#finish());
  }

  #add(row: Row<E>): void {
    const size = row.patchShape.reduce((product, side) => product * side, this.k);
    if (this.options.batchSize === 1 && row.count === this.k) {
      this.#patches = row.patches; // The native memory itself.
      this.#rows.push(row);
      return;
    }
    this.#patches ??= new Float32Array(size * this.options.batchSize);
    this.#patches.set(row.patches, this.#rows.length * size);
    this.#rows.push({ ...row, patches: new Float32Array() });
  }

  #finish(): HostBatch {
    const rows = this.#rows;
    const patches = this.#patches as Float32Array;
    this.#rows = [];
    this.#patches = undefined;
    const count = rows.length;
    const positions = new Int32Array(count * this.k * 3);
    const mask = new Float32Array(count * this.k);
    rows.forEach((row, i) => {
      positions.set(row.positions, i * this.k * 3);
      mask.fill(1, i * this.k, i * this.k + row.count);
    });
    const patchShape = (rows[0] as Row<E>).patchShape;
    return {
      count,
      patches: patches.subarray(0, (patches.length / this.options.batchSize) * count),
      patchesShape: [count, this.k, ...patchShape],
      positions,
      mask,
      ys: ysOf(rows),
    };
  }
}

/** unit 'patch': one row per patch, the patches of a video in their order, one video after another. */
export class PatchBatcher<E> extends Batcher<E> {
  #row: Row<E> | undefined;
  #next = 0;
  #filled: { readonly row: Row<E>; readonly from: number; readonly count: number }[] = [];
  #count = 0;

  protected async step(): Promise<IteratorResult<HostBatch, undefined>> {
    const { batchSize, dropRemainder } = this.options;
    while (this.#count < batchSize) {
      if (!this.#row || this.#next === this.#row.count) {
        this.#row = undefined;
        const row = await this.read();
        if (!row) break;
        this.#row = row;
        this.#next = 0;
      }
      const count = Math.min(batchSize - this.#count, this.#row.count - this.#next);
      this.#filled.push({ row: this.#row, from: this.#next, count });
      this.#next += count;
      this.#count += count;
    }
    if (this.#count === 0 || (dropRemainder && this.#count < batchSize)) {
      this.close();
      return END;
    }
    return item(this.#finish());
  }

  #finish(): HostBatch {
    const parts = this.#filled;
    const count = this.#count;
    this.#filled = [];
    this.#count = 0;
    const patchShape = (parts[0] as { row: Row<E> }).row.patchShape;
    const size = patchShape.reduce((product, side) => product * side, 1);
    const patches = new Float32Array(count * size);
    const positions = new Int32Array(count * 3);
    const rows: Row<E>[] = [];
    for (const { row, from, count: n } of parts) {
      patches.set(row.patches.subarray(from * size, (from + n) * size), rows.length * size);
      positions.set(row.positions.subarray(from * 3, (from + n) * 3), rows.length * 3);
      for (let i = 0; i < n; i++) rows.push(row);
    }
    const patchesShape = [count, ...patchShape];
    return { count, patches, patchesShape, positions, mask: undefined, ys: ysOf(rows) };
  }
}

function ysOf<E>(rows: readonly Row<E>[]): Ys | undefined {
  return stackLabels(
    rows.map((row) => row.label),
    rows.map((row) => row.sample),
  );
}
