/** Memory that records its release, for unit tests of tensors and cursors without the addon. */
import type { NativeBuffer, NativePatchResult } from '../../src/native/binding.js';

export class FakeBuffer implements NativeBuffer {
  released = 0;
  looks = 0;
  downloads = 0;
  readonly address = 0n;

  constructor(
    private readonly bytes: ArrayBuffer,
    readonly device = 'cpu',
  ) {}

  get byteLength(): number {
    return this.bytes.byteLength;
  }

  arrayBuffer(): ArrayBuffer {
    if (this.device !== 'cpu') throw new Error('arrayBuffer() of device memory');
    if (this.released > 0) throw new Error('arrayBuffer() after release');
    this.looks++;
    return this.bytes;
  }

  copyTo(target: Uint8Array, byteOffset: number): void {
    if (this.released > 0) throw new Error('copyTo() after release');
    target.set(new Uint8Array(this.bytes, byteOffset, target.byteLength));
  }

  toHost(): Promise<ArrayBuffer> {
    this.downloads++;
    return Promise.resolve(this.bytes);
  }

  release(): void {
    this.released++;
  }
}

/** K patches of 2 frames with a 2×K grid; patch i is filled with the value i. */
export function fakePatchResult(
  k: number,
  p: number,
): NativePatchResult & Record<'patches' | 'fields' | 'scores' | 'frameScores', FakeBuffer> {
  const patches = new Float32Array(k * 3 * p * p).map((_, i) => Math.floor(i / (3 * p * p)));
  const grid = { t: 2, h: 2, w: Math.max(1, k) };
  const fields = new Int32Array(k * 6);
  for (let i = 0; i < k; i++) {
    fields.set([1, 70, i % 2, grid.h * grid.w + grid.w + i, 1, i], i * 6);
  }
  const scores = new Float32Array(k).map((_, i) => i / 2);
  return {
    patches: new FakeBuffer(patches.buffer),
    fields: new FakeBuffer(fields.buffer),
    scores: new FakeBuffer(scores.buffer),
    frameScores: new FakeBuffer(new ArrayBuffer(4 * grid.t * grid.h * grid.w)),
    count: k,
    isI: [true, false],
    grid,
    targetWidth: grid.w * p,
    targetHeight: grid.h * p,
    sampledFrameIds: [0, 70],
    timestampsSec: [0, 2.8],
    secondsFromStart: new Float64Array([0, 2.8]),
    isKeyFrame: [true, false],
    fps: 25,
    durationSec: 2.84,
    width: 64,
    height: 48,
    totalFrames: 71,
    codec: 'h264',
    format: 'mp4',
    backend: { decode: 'cpu', process: 'cpu' },
    fallbackReason: '',
    augmentation: null,
    notes: [],
    replacedFrames: [],
    skippedFrameIds: [],
    timings: { totalMs: 1 },
  };
}
