import { inspect } from 'node:util';
import type { InspectOptions } from 'node:util';
import type { NativeSampleInfo } from '../native/binding.js';
import { closedError } from '../support/errors.js';
import { bindToThread } from '../support/thread-bound.js';
import type { Augmentation } from './augmentation.js';
import type { ReplacedFrame, ResultNote } from './notes.js';
import type { Timings } from './profile.js';

/** Devices that did the work: 'cpu' or 'cuda:N'. */
export interface ResolvedBackend {
  /** Of decoding. */
  readonly decode: string;
  /** Of everything after decoding. */
  readonly process: string;
}

/** What every result knows about its sampled frames. All of it throws ERR_CPS_CLOSED after close(). */
export abstract class SampledResult {
  readonly #name: string;
  // Undefined once closed: the record holds the native buffers too.
  #info: NativeSampleInfo | undefined;

  protected constructor(info: NativeSampleInfo, name: string) {
    this.#info = info;
    this.#name = name;
    bindToThread(this);
  }

  /** Frees what close() is to free; called once. */
  protected abstract release(): void;

  protected check(): void {
    this.#open();
  }

  /** What console.log and JSON.stringify show: facts and shapes, never elements. */
  toJSON(): Record<string, unknown> {
    if (this.closed) return { closed: true };
    const { codec, format, width, height, fps, durationSec, totalFrames, notes, backend } = this;
    const { sampledFrameIds, timestampsSec, augmentation } = this;
    return {
      ...{ codec, format, width, height, fps, durationSec, totalFrames, sampledFrameIds },
      ...{ timestampsSec, backend, ...(augmentation && { augmentation }), notes },
    };
  }

  /** What console.log shows: the same as toJSON. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    return `${this.constructor.name} ${inspect(this.toJSON(), options)}`;
  }

  /** Whether close() was called. This alone never throws. */
  get closed(): boolean {
    return this.#info === undefined;
  }

  /** Display indices of the frames that are there, [T]; duplicates are kept. */
  get sampledFrameIds(): readonly number[] {
    return this.#open().sampledFrameIds;
  }

  /** Presentation times of the sampled frames by the container's clock, in seconds, [T]. */
  get timestampsSec(): readonly number[] {
    return this.#open().timestampsSec;
  }

  /**
   * When each of them is shown, in seconds since the first frame of the video, [T]: what `sample` takes
   * as timesSec. Where the container's clock restarts in mid-file it goes on.
   */
  get secondsFromStart(): Float64Array {
    return this.#open().secondsFromStart;
  }

  /** The container's key flag of each sampled frame, [T]. */
  get isKeyFrame(): readonly boolean[] {
    return this.#open().isKeyFrame;
  }

  /** Average frame rate. */
  get fps(): number {
    return this.#open().fps;
  }

  /** Length of the video in seconds: from the first frame to the end of the last. */
  get durationSec(): number {
    return this.#open().durationSec;
  }

  /** Width of the video in pixels as a viewer sees it, rotation applied. */
  get width(): number {
    return this.#open().width;
  }

  /** Height of the video in pixels as a viewer sees it, rotation applied. */
  get height(): number {
    return this.#open().height;
  }

  /** Number of video frames in the file. */
  get totalFrames(): number {
    return this.#open().totalFrames;
  }

  /** FFmpeg's name of the codec, e.g. 'h264'. */
  get codec(): string {
    return this.#open().codec;
  }

  /** FFmpeg's name of the container, e.g. 'mov,mp4,m4a,3gp,3g2,mj2'. */
  get format(): string {
    return this.#open().format;
  }

  /** Devices that did the work. */
  get backend(): ResolvedBackend {
    return this.#open().backend;
  }

  /** Why 'auto' did not take the GPU; empty when it did, or when the CPU was asked for. */
  get fallbackReason(): string {
    return this.#open().fallbackReason;
  }

  /** What else to know of this result, by code; empty for most videos. docs/notes.md has the codes. */
  get notes(): readonly ResultNote[] {
    return this.#open().notes;
  }

  /** Frames that others stand in for (option damaged 'nearest'), in order; empty on sound files. */
  get replacedFrames(): readonly ReplacedFrame[] {
    return this.#open().replacedFrames;
  }

  /** Display indices of sampled frames that were left out (option damaged 'skip'), in order. */
  get skippedFrameIds(): readonly number[] {
    return this.#open().skippedFrameIds;
  }

  /** What `augment` drew for this video; undefined without it. */
  get augmentation(): Augmentation | undefined {
    return this.#open().augmentation ?? undefined;
  }

  /** Milliseconds by stage (decodeMs, afterDecodeMs, totalMs, …) and counts (packetsDecoded, …). */
  get timings(): Timings {
    return this.#open().timings;
  }

  /** Frees the memory of this result (Note [Who holds native memory]); twice is fine. */
  close(): void {
    if (this.closed) return;
    this.#info = undefined;
    this.release();
  }

  /** close(), for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** close(), for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  #open(): NativeSampleInfo {
    if (!this.#info) throw closedError(this.#name);
    return this.#info;
  }
}
