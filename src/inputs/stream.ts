/** Inputs of many videos, or of a long one piece by piece, decoded while the model runs. */
import { layOutWindows } from '../api/windows.js';
import type { WindowSpan } from '../api/windows.js';
import { openVideo } from '../api/video.js';
import type { Video } from '../api/video.js';
import { onAbort } from '../support/abort.js';
import { AbortError } from '../support/errors.js';
import { checkInteger, invalid } from '../support/is.js';
import { Ahead, Entries } from './entries.js';
import type { Some } from './entries.js';
import { isGiven } from './given-frames.js';
import { inputsOf, parseInputCall } from './model-inputs.js';
import type {
  InputOptions,
  Inputs,
  InputSource,
  InputVideo,
  ModelInput,
  ParsedInputCall,
} from './model-inputs.js';
import type { Pictures } from './picture-options.js';
import { picturesOf, windowsOfVideo } from './pictures.js';

/** A video, or an object that has one and whatever else belongs to it. */
export type InputEntry = InputSource | { readonly video: InputSource };

/** What becomes of a video that cannot be decoded. */
export type OnInputError<E> =
  'throw' | 'skip' | ((error: unknown, entry: E, index: number) => void);

export interface InputStreamOptions<E = InputEntry> extends InputOptions {
  /** Videos per Inputs. With windows: windows of one video. Default: 1. */
  readonly batchSize?: number | undefined;
  /** Leaves out a last batch with fewer. Default: false. */
  readonly dropRemainder?: boolean | undefined;
  /** Videos decoding or decoded ahead, at most. 1..64. Default: 3. */
  readonly prefetchDepth?: number | undefined;
  /**
   * Slides over each video: windows start at k · hop, in the unit of their length and equal to it unless
   * given. `sample` sees a window as if it were the whole video.
   */
  readonly windows?: WindowSpan | undefined;
  /** 'skip' leaves it out, a function is told and may throw. Default: 'throw'. */
  readonly onError?: OnInputError<E> | undefined;
}

/** Which piece of a video it is. */
export interface InputWindow {
  /** It starts at index · hop. */
  readonly index: number;
  /** Display index of its first frame. */
  readonly from: number;
  /** Display index of the first frame behind it. */
  readonly to: number;
  /** When the first of its frames is shown, in seconds since the start. */
  readonly fromSec: number;
  /** When the first frame behind it is shown; of the last window the end of the video. */
  readonly toSec: number;
}

/** One video of a streamed Inputs. */
export interface StreamedVideo<E> extends InputVideo {
  /** As it stands among the videos. */
  readonly entry: E;
  /** Its place among the videos. */
  readonly index: number;
  /** With option windows. */
  readonly window?: InputWindow;
}

interface Flow<E> {
  readonly batchSize: number;
  readonly dropRemainder: boolean;
  readonly depth: number;
  readonly windows: WindowSpan | undefined;
  readonly onError: OnInputError<E>;
}

interface Item<E> {
  readonly entry: E;
  readonly index: number;
  readonly window?: InputWindow;
  readonly pictures: Pictures;
}

function sourceOf(entry: unknown, index: number): InputSource {
  const isPair = typeof entry === 'object' && entry !== null && 'video' in entry && !isGiven(entry);
  const video = isPair ? entry.video : entry;
  if (video === undefined || video === null) {
    throw invalid(`videos[${index}]`, 'a video, or an object with one as `video`', entry);
  }
  return video as InputSource;
}

function parseFlow<E>(options: InputStreamOptions<E>): { flow: Flow<E>; rest: InputOptions } {
  if (typeof options !== 'object' || (options as unknown) === null) {
    throw invalid('options', 'object', options);
  }
  const { batchSize, dropRemainder, prefetchDepth, windows, onError, ...rest } = options;
  const drops: unknown = dropRemainder ?? false;
  if (typeof drops !== 'boolean') throw invalid('dropRemainder', 'boolean', drops);
  const handled: unknown = onError ?? 'throw';
  if (handled !== 'throw' && handled !== 'skip' && typeof handled !== 'function') {
    throw invalid('onError', "'throw', 'skip' or a function", handled);
  }
  const flow: Flow<E> = {
    batchSize: checkInteger('batchSize', batchSize ?? 1, 1, 1_000_000),
    dropRemainder: drops,
    depth: checkInteger('prefetchDepth', prefetchDepth ?? 3, 1, 64),
    windows,
    onError: handled as OnInputError<E>,
  };
  return { flow, rest };
}

/** The windows of one video, one after the other; the next one decodes while one is used. */
async function* windowItems<E>(
  video: Video,
  span: WindowSpan,
  { input, options }: ParsedInputCall,
  of: { readonly entry: E; readonly index: number },
): AsyncGenerator<Item<E>, void> {
  const { secondsFromStart, info } = video;
  const places = layOutWindows(video, span);
  for await (const pictures of windowsOfVideo(video, span, input, options)) {
    const place = places.next();
    if (place.done) {
      pictures.close();
      return;
    }
    const { index, from, to } = place.value;
    const fromSec = secondsFromStart[from] ?? 0;
    const toSec = secondsFromStart[to] ?? info.durationSec;
    yield { ...of, pictures, window: { index, from, to, fromSec, toSec } };
  }
}

/** What a failed video means: thrown, or told and left out. */
function handle<E>(onError: OnInputError<E>, error: unknown, entry: E, index: number): void {
  if (onError === 'throw' || error instanceof AbortError) throw error;
  if (onError !== 'skip') onError(error, entry, index);
}

/** Pictures of all videos in order, `depth` of them decoding ahead. */
async function* decodeAhead<E>(
  videos: Some<E>,
  call: ParsedInputCall,
  flow: Flow<E>,
): AsyncGenerator<Item<E>, void> {
  const { signal } = call.options.decoding;
  const ahead = new Ahead(new Entries(videos, signal), flow.depth, async (entry, index) =>
    picturesOf(sourceOf(entry, index), call.input, call.options),
  );
  try {
    for (;;) {
      if (signal?.aborted) throw new AbortError(signal.reason);
      const first = await ahead.next();
      if (!first) return;
      let pictures: Pictures;
      try {
        pictures = await first.pictures;
      } catch (error) {
        handle(flow.onError, error, first.entry, first.index);
        continue;
      }
      yield { entry: first.entry, index: first.index, pictures };
    }
  } finally {
    await ahead.close();
  }
}

/** Windows of all videos, one video after the other; undefined behind the last one of each. */
async function* slide<E>(
  videos: Some<E>,
  span: WindowSpan,
  call: ParsedInputCall,
  flow: Flow<E>,
): AsyncGenerator<Item<E> | undefined, void> {
  const entries = new Entries(videos, call.options.decoding.signal);
  try {
    for (let index = 0; ; index++) {
      const next = await entries.next();
      if (next.done) return;
      const entry = next.value;
      const source = sourceOf(entry, index);
      if (isGiven(source)) throw invalid('videos', 'videos (windows slide over these)', source);
      let video: Video | undefined;
      try {
        video = await openVideo(source, call.options.decoding);
        yield* windowItems(video, span, call, { entry, index });
      } catch (error) {
        handle(flow.onError, error, entry, index);
      } finally {
        video?.close();
      }
      yield undefined;
    }
  } finally {
    await entries.close();
  }
}

async function* batches<E>(
  videos: Some<E>,
  call: ParsedInputCall,
  flow: Flow<E>,
  stop: AbortController,
): AsyncGenerator<Inputs<StreamedVideo<E>>, void> {
  // The caller's signal and our own are one.
  const { signal } = call.options.decoding;
  if (signal?.aborted) stop.abort(signal.reason);
  const unlink = signal && onAbort(signal, () => stop.abort(signal.reason));
  const decoding = { ...call.options.decoding, signal: stop.signal };
  const own: ParsedInputCall = { ...call, options: { ...call.options, decoding } };
  const items =
    flow.windows === undefined
      ? decodeAhead(videos, own, flow)
      : slide(videos, flow.windows, own, flow);
  let held: Item<E>[] = [];
  const give = (): Promise<Inputs<StreamedVideo<E>>> => {
    const batch = held;
    held = [];
    return inputsOf(
      own,
      batch.map(({ pictures }) => pictures),
      (video, i) => {
        const { entry, index, window } = batch[i] as Item<E>;
        return { ...video, entry, index, ...(window ? { window } : {}) };
      },
    );
  };
  try {
    for await (const one of items) {
      if (one) held.push(one);
      if (held.length === flow.batchSize) yield await give();
      if (one) continue;
      // Windows of two videos do not share a batch.
      if (held.length > 0 && !flow.dropRemainder) yield await give();
      for (const { pictures } of held.splice(0)) pictures.close();
    }
    if (held.length > 0 && !flow.dropRemainder) yield await give();
  } finally {
    for (const { pictures } of held) pictures.close();
    stop.abort();
    unlink?.();
    await items.return();
  }
}

const DONE: IteratorReturnResult<undefined> = { value: undefined, done: true };

/** Leaving ends what a call that is under way waits for: a generator alone would wait for it first. */
class Batches<E> implements AsyncIterableIterator<Inputs<StreamedVideo<E>>, undefined> {
  readonly #generator: AsyncGenerator<Inputs<StreamedVideo<E>>, void>;
  readonly #stop: AbortController;
  #left = false;

  constructor(generator: AsyncGenerator<Inputs<StreamedVideo<E>>, void>, stop: AbortController) {
    this.#generator = generator;
    this.#stop = stop;
  }

  async next(): Promise<IteratorResult<Inputs<StreamedVideo<E>>, undefined>> {
    try {
      const result = await this.#generator.next();
      if (result.done) return DONE;
      if (!this.#left) return result;
      result.value.close(); // nobody else will
    } catch (error) {
      if (!this.#left) throw error;
    }
    return DONE;
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#left = true;
    this.#stop.abort();
    await this.#generator.return();
    return DONE;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** return(), for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}

function checkVideos<E>(given: unknown): Some<E> {
  const videos: unknown = typeof given === 'function' ? (given as () => unknown)() : given;
  const isList =
    typeof videos === 'object' &&
    videos !== null &&
    !ArrayBuffer.isView(videos) &&
    (Symbol.asyncIterator in videos || Symbol.iterator in videos);
  if (!isList) throw invalid('videos', 'an array or another iterable of videos', given);
  return videos as Some<E>;
}

/**
 * Inputs of many videos, one batch after the other, in order:
 *
 *     for await (const inputs of inputStream(paths, 'videomae')) {
 *       const results = await session.run(await feeds(session, inputs));
 *       inputs.close();
 *     }
 *
 * While one is used the next ones decode. `windows` slides over long videos; each Inputs says which
 * seconds it covers. Each Inputs is the caller's to close; leaving the loop, or the signal, stops
 * everything. `videos` may be entries that come one by one: a video is decoded and given as soon as its
 * own is there.
 */
export function inputStream<E extends InputEntry>(
  videos: Some<E> | (() => Some<E>),
  input: ModelInput,
  options: InputStreamOptions<E> = {},
): AsyncIterableIterator<Inputs<StreamedVideo<E>>, undefined> {
  const { flow, rest } = parseFlow(options);
  const call = parseInputCall(input, rest);
  const stop = new AbortController();
  return new Batches(batches(checkVideos<E>(videos), call, flow, stop), stop);
}
