/** A long video piece by piece, in bounded memory. */
import type { NativeVideo } from '../native/video.js';
import { openedFrom } from '../native/video-handles.js';
import type { OpenVideo } from '../native/video-handles.js';
import type { DecodeOnlyConfig, PatchStreamConfig, SampleRule } from '../options/config.js';
import { parseDecodeOnly, parsePatchStream } from '../options/records.js';
import type { OneOf } from '../options/structures.js';
import { onAbort } from '../support/abort.js';
import { AbortError, closedError } from '../support/errors.js';
import { checkInteger, checkNumber, invalid } from '../support/is.js';
import { decodeParsed } from './decoded-frames.js';
import type { DecodedFrames } from './decoded-frames.js';
import { patchesOfParsed } from './patch-stream.js';
import type { PatchStream } from './patch-stream.js';
import { reseed } from './sample-rule.js';
import type { VideoInfo } from './video-info.js';

/** How long windows are and how far they move; both in frames or both in seconds. */
export type WindowSpan = OneOf<
  | { readonly frames: number; readonly hop?: number | undefined }
  | { readonly seconds: number; readonly hop?: number | undefined }
>;

/** Options of windows of: 'frames': those of decodeOnly. */
export interface FrameWindows extends Omit<DecodeOnlyConfig, 'videoPath'> {
  /** DecodedFrames of each window. */
  readonly of: 'frames';
}
/** Options of windows of: 'patches': those of patchStream. */
export interface PatchWindows extends Omit<PatchStreamConfig, 'videoPath'> {
  /** The PatchStream of each window. */
  readonly of: 'patches';
}

/** Windows one after the other, each the caller's to close; leaving a loop stops the work ahead. */
export type Windows<R extends DecodedFrames | PatchStream> = AsyncIterableIterator<R, undefined>;

/** What windows ask of a Video. */
interface Video extends OpenVideo {
  readonly closed: boolean;
  readonly info: VideoInfo;
  readonly secondsFromStart: Float64Array;
}

/** Frames [from, to) of the video: window `index`. */
interface Window {
  readonly index: number;
  readonly from: number;
  readonly to: number;
}

// Times that are written in decimals differ in their last digits: as in native/pipeline/sampling.
const TOLERANCE = 1e-6;

/** The first frame that is shown at `seconds` or later; N where none is. */
function firstFrom(times: Float64Array, seconds: number): number {
  let [begin, end] = [0, times.length];
  while (begin < end) {
    const middle = (begin + end) >> 1;
    if ((times[middle] as number) + TOLERANCE >= seconds) end = middle;
    else begin = middle + 1;
  }
  return begin;
}

function checkSpan(span: unknown): { frames?: number; seconds?: number; hop: number } {
  const expected = '{ frames, hop? } or { seconds, hop? }';
  if (typeof span !== 'object' || span === null) throw invalid('windows', expected, span);
  const { frames, seconds, hop, ...rest } = span as Record<string, unknown>;
  const isOne = (frames === undefined) !== (seconds === undefined);
  if (!isOne || Object.keys(rest).length > 0) throw invalid('windows', expected, span);
  if (frames !== undefined) {
    const length = checkInteger('windows.frames', frames, 1, 1_000_000);
    return { frames: length, hop: checkInteger('windows.hop', hop ?? length, 1, 1_000_000) };
  }
  const length = checkNumber('windows.seconds', seconds, TOLERANCE, Number.MAX_SAFE_INTEGER);
  const step = checkNumber('windows.hop', hop ?? length, TOLERANCE, Number.MAX_SAFE_INTEGER);
  return { seconds: length, hop: step };
}

/** @internal The windows with a frame that those before lack, in order. */
export function* layOutWindows(video: Video, span: WindowSpan): Generator<Window, void> {
  const { frames, seconds, hop } = checkSpan(span);
  const total = video.info.totalFrames;
  const times = seconds === undefined ? undefined : video.secondsFromStart;
  let seen = 0;
  for (let index = 0; seen < total; index++) {
    const from = times ? firstFrom(times, index * hop) : index * hop;
    if (from >= total) return;
    const to = times
      ? firstFrom(times, index * hop + (seconds as number))
      : Math.min(total, from + (frames as number));
    if (to <= Math.max(seen, from)) {
      // Nothing is shown for a while: on to the window that has the next frame.
      const next = times?.[Math.max(seen, from)];
      if (times && next !== undefined) {
        index = Math.max(index, Math.floor((next - (seconds as number)) / hop) - 1);
      }
      continue;
    }
    seen = to;
    yield { index, from, to };
  }
}

/** Decodes one window ahead of the consumer; next() may be called before the last has settled. */
class Ahead<R extends DecodedFrames | PatchStream> implements Windows<R> {
  readonly #video: Video;
  readonly #windows: Iterator<Window, void>;
  readonly #decode: (window: Window, signal: AbortSignal) => Promise<R>;
  readonly #release: () => void;
  readonly #signal: AbortSignal | undefined;
  readonly #stop = new AbortController();
  #next: Promise<R> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #over = false;

  constructor(
    video: Video,
    windows: Iterator<Window, void>,
    signal: AbortSignal | undefined,
    decode: (window: Window, signal: AbortSignal) => Promise<R>,
    release: () => void,
  ) {
    this.#video = video;
    this.#windows = windows;
    this.#decode = decode;
    this.#release = release;
    this.#signal = signal;
  }

  next(): Promise<IteratorResult<R, undefined>> {
    const result = this.#last.then(() => this.#step());
    this.#last = result.catch(() => undefined);
    return result;
  }

  return(): Promise<IteratorResult<R, undefined>> {
    this.#end();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#end();
    return Promise.resolve();
  }

  async #step(): Promise<IteratorResult<R, undefined>> {
    if (this.#over) return { value: undefined, done: true };
    try {
      if (this.#video.closed) throw closedError('The video');
      if (this.#signal?.aborted) throw new AbortError(this.#signal.reason);
      this.#next ??= this.#start();
      if (!this.#next) {
        this.#end();
        return { value: undefined, done: true };
      }
      const value = await this.#next;
      this.#next = undefined;
      // Left in the meantime: nobody will close it.
      if (this.#isOver()) {
        value.close();
        return { value: undefined, done: true };
      }
      this.#next = this.#start();
      return { value, done: false };
    } catch (error) {
      const left = this.#isOver();
      this.#end();
      if (left) return { value: undefined, done: true };
      throw error;
    }
  }

  #isOver(): boolean {
    return this.#over;
  }

  #start(): Promise<R> | undefined {
    const window = this.#windows.next();
    if (window.done) return undefined;
    const signal = this.#signal;
    // Only while there is work: a long-lived signal must not keep abandoned windows alive.
    const listening = signal && onAbort(signal, () => this.#stop.abort(signal.reason));
    const result = this.#decode(window.value, this.#stop.signal);
    const settled = (): void => listening?.();
    result.then(settled, settled); // whoever asks for it will see an error
    return result;
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    const ahead = this.#next;
    this.#next = undefined;
    this.#stop.abort();
    this.#release();
    ahead?.then(
      (result) => result.close(),
      () => undefined,
    );
  }
}

interface Sampling {
  readonly sample?: SampleRule | undefined;
  readonly sequenceLength?: number | undefined;
}

/** What a window samples: all of it unless the options say less; each has random clips of its own. */
function samplingOf({ sample, sequenceLength }: Sampling, { index, from, to }: Window): Sampling {
  if (sample !== undefined) return { sample: reseed(sample, index) };
  return sequenceLength === undefined ? { sample: { count: to - from } } : { sequenceLength };
}

/** @internal The windows of `video`, decoded by `reader`. */
export function windowsOf(
  video: Video,
  reader: NativeVideo,
  span: WindowSpan,
  options: FrameWindows | PatchWindows,
): Windows<DecodedFrames> | Windows<PatchStream> {
  checkSpan(span);
  const { of, ...given } = options;
  const windows = layOutWindows(video, span);
  /** `parse` reads the options of one window, `run` decodes it. */
  const by = <P extends object, R extends DecodedFrames | PatchStream>(
    // Which options there are hangs on `of`; parse checks them all the same.
    parse: (config: never) => P,
    run: (parsed: P & { input: NativeVideo }) => Promise<R>,
  ): Windows<R> => {
    parse({ ...given, videoPath: video } as never); // wrong options are known before the first window
    const decode = async (window: Window, signal: AbortSignal): Promise<R> => {
      const sampling = samplingOf(given, window);
      const parsed = parse({ ...given, ...sampling, videoPath: video, signal } as never);
      return run({ ...parsed, input: openedFrom(reader.part(window.from, window.to), reader) });
    };
    return new Ahead(video, windows, given.signal, decode, () => reader.release());
  };
  if (of === 'frames') return by(parseDecodeOnly, decodeParsed);
  if ((of as string) !== 'patches') throw invalid('of', "'frames' or 'patches'", of);
  return by(parsePatchStream, patchesOfParsed);
}
