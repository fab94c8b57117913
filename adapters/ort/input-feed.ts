/** Feeds of model inputs of many videos, made while the model runs. */
import { inputStream } from 'codec-patch-stream/inputs';
import type {
  InputEntry,
  Inputs,
  InputStreamOptions,
  ModelInput,
  StreamedVideo,
} from 'codec-patch-stream/inputs';
import { END, handled, item, iterable, SerialIterator } from '../common/iterators.js';
import { DeviceSession } from './device-session.js';
import type { DeviceFeeds } from './device-session.js';
import { closeFeeds, feedsOfInputs } from './model-feeds.js';
import type { InputMapping } from './model-feeds.js';
import { loadOrt } from './ort.js';
import type { Feeds, Ort, Session } from './ort.js';

/** Every option of inputStream, and these. */
export interface InputFeedOptions<E extends InputEntry = InputEntry> extends InputStreamOptions<E> {
  /** What the model takes: a description (fromConfig, defineInput) or the name of a preset. */
  readonly input: ModelInput;
  /** Which tensor an input of the model is, where their names differ, or a tensor for it. */
  readonly mapping?: InputMapping | undefined;
  /** The module of ONNX Runtime. Default: onnxruntime-node, loaded at the first use. */
  readonly ort?: Ort | undefined;
}

/** What the session takes for one batch, and which videos (or windows of one) it is of. */
export interface FedInputs<E, F = Feeds> {
  /** For session.run. */
  readonly feeds: F;
  /** The videos of the batch, in its order, as inputStream gives them. */
  readonly videos: readonly StreamedVideo<E>[];
  /**
   * Frees the tensors of this package among the feeds (for a DeviceSession) at once; without it they go
   * with the garbage collector. Allowed as soon as session.run has returned its promise.
   */
  close(): void;
  /** The same as close(), for `using`. */
  [Symbol.dispose](): void;
}

type Fed<E> = FedInputs<E, DeviceFeeds>;

// One batch is made while the last one is in use: decoding goes on by itself, but laying pixels out begins
// when somebody asks for them, and would otherwise wait for session.run.
class InputFeed<E extends InputEntry> extends SerialIterator<Fed<E>> {
  #ahead: Promise<Fed<E> | undefined> | undefined;
  #over = false;

  constructor(
    private readonly stream: AsyncIterableIterator<Inputs<StreamedVideo<E>>, undefined>,
    private readonly toFeeds: (inputs: Inputs) => Promise<DeviceFeeds>,
    private readonly ended: () => void,
  ) {
    super();
  }

  protected async step(): Promise<IteratorResult<Fed<E>, undefined>> {
    if (this.#over) return END;
    const current = this.#ahead ?? this.#make();
    this.#ahead = undefined;
    let fed: Fed<E> | undefined;
    try {
      fed = await current;
    } catch (error) {
      this.close();
      throw error;
    }
    if (fed === undefined) {
      this.close();
      return END;
    }
    if (!this.#isOver()) this.#ahead = handled(this.#make());
    return item(fed);
  }

  async #make(): Promise<Fed<E> | undefined> {
    const next = await this.stream.next();
    if (next.done === true) return undefined;
    const inputs = next.value;
    try {
      const feeds = await this.toFeeds(inputs);
      const close = (): void => closeFeeds(feeds);
      return { feeds, videos: inputs.videos, close, [Symbol.dispose]: close };
    } finally {
      // The feeds keep the memory that they share for as long as they need it.
      inputs.close();
    }
  }

  /** Asked anew after each wait: close() may have been called meanwhile. */
  #isOver(): boolean {
    return this.#over;
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.ended();
    const ahead = this.#ahead;
    this.#ahead = undefined;
    ahead?.then(
      (fed) => fed?.close(),
      () => undefined,
    );
    // The generator ends what it has decoded once it is where it can.
    Promise.resolve(this.stream.return?.(undefined)).catch(() => undefined);
  }
}

/** The feeds of `videos` for a session whose inputs `options.input` describes. */
export function inputFeed<E extends InputEntry>(
  session: Session,
  videos: Parameters<typeof inputStream<E>>[0],
  options: InputFeedOptions<E>,
): AsyncIterableIterator<Fed<E>, undefined> {
  const { input, mapping = {}, ort, ...rest } = options;
  const stop = new AbortController();
  const onAbort = (): void => stop.abort(rest.signal?.reason);
  if (rest.signal?.aborted === true) onAbort();
  else rest.signal?.addEventListener('abort', onAbort, { once: true });
  // A session on a GPU takes the pixels there.
  const outputs = session instanceof DeviceSession && session.device !== 'cpu' ? 'device' : 'host';
  const stream = inputStream<E>(videos, input, { outputs, ...rest, signal: stop.signal });
  const toFeeds = (inputs: Inputs): Promise<DeviceFeeds> =>
    feedsOfInputs(loadOrt(ort), session, inputs, mapping);
  const feed = new InputFeed<E>(stream, toFeeds, () => {
    rest.signal?.removeEventListener('abort', onAbort);
    // What decodes for a batch that was begun ends, too.
    stop.abort();
  });
  return iterable(feed);
}
