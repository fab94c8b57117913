/** A video that is opened once and used many times. */
import { inspect } from 'node:util';
import type { InspectOptions } from 'node:util';
import type { NativeInput, NativeVideo } from '../native/video.js';
import { describeInput, openedFrom, OpenVideo, standsFor } from '../native/video-handles.js';
import type { DecodeConfig, DecodeOnlyConfig, PatchStreamConfig } from '../options/config.js';
import { parseDecodeOnly } from '../options/records.js';
import { closedError } from '../support/errors.js';
import { invalid } from '../support/is.js';
import { callNative } from './call.js';
import { decodeOnly } from './decoded-frames.js';
import type { DecodedFrames, FollowingFrames, FramesOf } from './decoded-frames.js';
import type { ResultNote } from './notes.js';
import type { VideoInfo } from './video-info.js';
import { patchStream } from './patch-stream.js';
import type { PatchesOf, PatchStream } from './patch-stream.js';
import type { BackendOption, DTypeOption, Following, LayoutOption } from './result-types.js';
import { windowsOf } from './windows.js';
import type { FrameWindows, PatchWindows, WindowSpan, Windows } from './windows.js';

/**
 * What can be decoded: a local path, a file: URL, the bytes of the whole file, a Blob or File, a
 * VideoSource, or an open Video.
 */
export type VideoInput = DecodeConfig['videoPath'];

type PerVideo = 'videoPath' | 'sequenceLength' | 'sample';

/**
 * The options that both calls share; a Video's own calls take them, too, and theirs count: a `backend` of
 * theirs also for the stages that the video was opened with.
 */
export type OpenOptions = Omit<DecodeConfig, PerVideo>;
/** Options of `Video.frames`: those of decodeOnly without the video. */
export type FrameOptions = Omit<DecodeOnlyConfig, 'videoPath'>;
/** Options of `Video.patches`: those of patchStream without the video. */
export type PatchOptions = Omit<PatchStreamConfig, 'videoPath'>;

/**
 * The options of a call of a Video: what it gives, else what the video was opened with. A backend of the
 * call is that of both stages unless it gives theirs, too.
 */
function own<T extends object>(opened: OpenOptions, options: T): OpenOptions & T {
  const { videoPath, backend } = options as { videoPath?: unknown; backend?: unknown };
  if (videoPath !== undefined) {
    throw invalid('videoPath', 'no value for a Video, which is the video', videoPath);
  }
  const stages = { decodeBackend: undefined, processBackend: undefined };
  const inherited = backend === undefined ? opened : { ...opened, ...stages };
  const result: Record<string, unknown> = { ...inherited, ...options };
  for (const [key, value] of Object.entries(inherited)) {
    if (result[key] === undefined) result[key] = value;
  }
  return result as OpenOptions & T;
}

/**
 * A video with its frame index, which is built once and held until close(). It can be given wherever
 * a video is taken. Calls that run when it is closed end as ever; every access then throws
 * ERR_CPS_CLOSED.
 */
export class Video extends OpenVideo {
  readonly #name: string;
  readonly #options: OpenOptions;
  readonly #notes: readonly ResultNote[];
  #native: NativeVideo | undefined;
  #info: VideoInfo | undefined;
  #timestampsSec: Float64Array | undefined;
  #secondsFromStart: Float64Array | undefined;
  #keyFrameIndices: Int32Array | undefined;
  #packetBytes: Int32Array | undefined;

  /** @internal */
  constructor(
    native: NativeVideo,
    input: NativeInput,
    options: OpenOptions,
    notes: readonly ResultNote[],
  ) {
    super();
    this.#native = openedFrom(native, input);
    this.#name = describeInput(input);
    this.#options = options;
    this.#notes = notes;
    standsFor(this, () => ({ native: this.#native }));
  }

  /** Codec, size, number of frames, rate, duration, colour. */
  get info(): VideoInfo {
    const native = this.#open();
    this.#info ??= Object.freeze(native.info());
    return this.#info;
  }

  /** Presentation time of each frame by the container's clock, in seconds, [N] in display order. */
  get timestampsSec(): Float64Array {
    const native = this.#open();
    this.#timestampsSec ??= native.timestampsSec();
    return this.#timestampsSec;
  }

  /**
   * When each frame is shown, in seconds since the first one, [N]: what `sample` takes as timesSec.
   * Where the container's clock restarts in mid-file it goes on.
   */
  get secondsFromStart(): Float64Array {
    const native = this.#open();
    this.#secondsFromStart ??= native.secondsFromStart();
    return this.#secondsFromStart;
  }

  /** Display indices of the frames with the container's key flag, ascending. */
  get keyFrameIndices(): Int32Array {
    const native = this.#open();
    this.#keyFrameIndices ??= native.keyFrameIndices();
    return this.#keyFrameIndices;
  }

  /** Bytes of each frame's packet, [N] in display order. */
  get packetBytes(): Int32Array {
    const native = this.#open();
    this.#packetBytes ??= native.packetBytes();
    return this.#packetBytes;
  }

  /** What else to know of the video, by code; docs/notes.md has the codes. */
  get notes(): readonly ResultNote[] {
    this.#open();
    return this.#notes;
  }

  /** decodeOnly of this video: its options, and those that it was opened with. */
  async frames<
    D extends DecodeOnlyConfig['outputDtype'] = undefined,
    L extends LayoutOption = undefined,
    B extends BackendOption = undefined,
    P extends BackendOption = undefined,
  >(options: FrameOptions & FollowingFrames<D, L, B, P> = {}): Promise<FramesOf<D, L, B, P>> {
    const call: unknown = decodeOnly({ ...own(this.#options, options), videoPath: this });
    return call as Promise<FramesOf<D, L, B, P>>;
  }

  /** patchStream of this video: its options, and those that it was opened with. */
  async patches<
    D extends DTypeOption = undefined,
    B extends BackendOption = undefined,
    P extends BackendOption = undefined,
  >(options: PatchOptions & Following<D, B, P> = {}): Promise<PatchesOf<D, B, P>> {
    const call: unknown = patchStream({ ...own(this.#options, options), videoPath: this });
    return call as Promise<PatchesOf<D, B, P>>;
  }

  /**
   * The video piece by piece: of: 'frames' gives the DecodedFrames of each window, of: 'patches' its
   * PatchStream, all frames of the window unless `sample` says less (which sees the window as if it
   * were the whole video). Windows start at k · hop, in the unit of their length and equal to it
   * unless given; the last may be shorter.
   *
   *     for await (const window of video.windows({ seconds: 2 }, { of: 'frames' })) {
   *       using frames = window;
   *     }
   *
   * While one window is used the next one decodes; no more than these two are in memory, if each is
   * closed. Windows that do not overlap decode each packet once.
   */
  windows<
    D extends DecodeOnlyConfig['outputDtype'] = undefined,
    L extends LayoutOption = undefined,
    B extends BackendOption = undefined,
    P extends BackendOption = undefined,
  >(
    span: WindowSpan,
    options: FrameWindows & FollowingFrames<D, L, B, P>,
  ): Windows<FramesOf<D, L, B, P>>;
  windows<
    D extends DTypeOption = undefined,
    B extends BackendOption = undefined,
    P extends BackendOption = undefined,
  >(span: WindowSpan, options: PatchWindows & Following<D, B, P>): Windows<PatchesOf<D, B, P>>;
  windows(
    span: WindowSpan,
    options: FrameWindows | PatchWindows,
  ): Windows<DecodedFrames> | Windows<PatchStream> {
    const held = this.#open();
    const reader = openedFrom(held.reader(), held);
    return windowsOf(this, reader, span, own(this.#options, options));
  }

  /** Whether close() was called. This alone never throws. */
  get closed(): boolean {
    return this.#native === undefined;
  }

  /** Lets go of the file and the index; twice is fine. */
  close(): void {
    this.#native?.release();
    this.#native = undefined;
    this.#timestampsSec = this.#secondsFromStart = undefined;
    this.#keyFrameIndices = this.#packetBytes = undefined;
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

  /** What JSON.stringify shows. */
  toJSON(): Record<string, unknown> {
    return this.closed ? { closed: true } : { video: this.#name, ...this.info };
  }

  /** What console.log shows. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    const shown = this.closed ? { closed: true } : { video: this.#name, info: this.info };
    return `Video ${inspect(shown, options)}`;
  }

  #open(): NativeVideo {
    if (!this.#native) throw closedError('The video');
    return this.#native;
  }
}

/**
 * Opens a video and builds its frame index, which `readerCacheSize` and `readerCacheDir` may spare.
 * `options` hold for its calls, too; `signal` is for opening alone.
 *
 * Rejects with a CodecPatchStreamError (docs/errors.md has its codes) or an AbortError.
 */
export async function openVideo(video: VideoInput, options: OpenOptions = {}): Promise<Video> {
  const { input, signal, records, notes } = parseDecodeOnly(
    { ...options, videoPath: video },
    'openVideo',
  );
  const result = await callNative({
    api: 'openVideo',
    input,
    signal,
    timeoutMs: records.call.timeoutMs,
    notes,
    start: (binding, cancel) => binding.openVideo(input, records, cancel),
    discard: (r) => r.video.release(),
  });
  // The signal was for opening alone.
  const rest = { ...options, signal: undefined };
  return new Video(result.video, input, rest, result.notes);
}

/**
 * What is known of a video without decoding it, but for its colours where the container is silent.
 * Rejects as openVideo does.
 */
export async function probe(video: VideoInput, options: OpenOptions = {}): Promise<VideoInfo> {
  const opened = await openVideo(video, options);
  const { info } = opened;
  opened.close();
  return info;
}
