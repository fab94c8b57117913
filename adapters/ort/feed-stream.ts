/** Feeds of many videos, decoded while the model runs. */
import { checkPatchStreamOptions, patchStream } from 'codec-patch-stream';
import type { PatchStream, PatchStreamConfig } from 'codec-patch-stream';
import type { InputEntry } from 'codec-patch-stream/inputs';
import { invalid } from '../common/errors.js';
import { VideoFeed } from '../common/feed.js';
import type { Decoded } from '../common/feed.js';
import { iterable } from '../common/iterators.js';
import { checkNames, parseFlow } from '../common/options.js';
import { decodingWith, fixedRule } from '../common/sampling.js';
import type { SampleOption } from '../common/sampling.js';
import type { FlowOptions } from '../common/options.js';
import { checkVideos, sampleSource } from '../common/videos.js';
import type { Sample, VideoEntry, Videos } from '../common/videos.js';
import { Batches, checkBatchSize } from './batches.js';
import type { DeviceFeeds, DeviceSession } from './device-session.js';
import { makeFeeds } from './feeds.js';
import { agreed, checkTakesPatches, optionsOf, readInputs } from './inputs.js';
import type { DeviceMapping, Inputs, Mapping } from './inputs.js';
import { inputFeed } from './input-feed.js';
import type { FedInputs, InputFeedOptions } from './input-feed.js';
import { loadOrt } from './ort.js';
import type { Feeds, Ort, Session } from './ort.js';

/** Every option of patchStream but videoPath, and these. M: DeviceMapping for a DeviceSession. */
export interface FeedStreamOptions<E extends VideoEntry = VideoEntry, M = Mapping>
  extends
    Omit<PatchStreamConfig, 'videoPath' | 'sample' | keyof FlowOptions<never>>,
    FlowOptions<E> {
  /** Which frames: a rule, or a function that makes one for each video (docs/sampling.md). */
  readonly sample?: SampleOption | undefined;
  /** What the inputs of the model are, where their names do not tell. */
  readonly mapping?: M | undefined;
  /** The module of ONNX Runtime. Default: onnxruntime-node, loaded at the first use. */
  readonly ort?: Ort | undefined;
}

type InputVideos<E extends InputEntry> =
  Iterable<E> | AsyncIterable<E> | (() => Iterable<E> | AsyncIterable<E>);

/** One video of a batch: its entry, and what its stream knew besides the tensors. */
export interface FedVideo<E> extends Sample<E> {
  /** Number of patches; behind them there may be padding. */
  readonly length: number;
  /** Sampled frames, patch rows and patch columns. */
  readonly grid: PatchStream['grid'];
  /** Display indices of the sampled frames, [T]. */
  readonly sampledFrameIds: readonly number[];
  /** Their times by the container's clock, in seconds, [T]. */
  readonly timestampsSec: readonly number[];
  /** Their times since the first frame of the video, in seconds, [T]. */
  readonly secondsFromStart: Float64Array;
  /** Average frame rate. */
  readonly fps: number;
  /** Length of the video in seconds. */
  readonly durationSec: number;
  /** Milliseconds by stage, and counts. */
  readonly timings: PatchStream['timings'];
}

/** One batch: what the session takes, and which videos it is of. */
export interface FedBatch<E, F = Feeds> {
  /** For session.run. */
  readonly feeds: F;
  /** The videos of the batch, in its order; fewer than a fixed batch size at the very end. */
  readonly videos: readonly FedVideo<E>[];
  /**
   * Frees the tensors of this package among the feeds (for a DeviceSession) at once; without it they
   * go with the garbage collector. Allowed as soon as session.run has returned its promise.
   */
  close(): void;
  /** The same as close(), for `using`. */
  [Symbol.dispose](): void;
}

type Held<E> = Decoded<E, PatchStream>;

const describe = <E>({ sample, result: stream }: Held<E>): FedVideo<E> => ({
  ...sample,
  length: stream.length,
  grid: stream.grid,
  sampledFrameIds: stream.sampledFrameIds,
  timestampsSec: stream.timestampsSec,
  secondsFromStart: stream.secondsFromStart,
  fps: stream.fps,
  durationSec: stream.durationSec,
  timings: stream.timings,
});

/**
 * Feeds for `session.run`, one batch of videos after the other, in order:
 *
 *     for await (const { feeds, videos } of feedStream(session, paths)) {
 *       const results = await session.run(feeds);
 *     }
 *
 * While the model runs (which blocks the event loop in onnxruntime-node, not in a DeviceSession) the
 * next videos decode: at most `prefetchDepth` besides the batch in use. Type, layout and fixed sizes are taken from the
 * model; an option that contradicts it is an error. A fixed batch size is kept: the last batch is
 * padded with zeros. Leaving the loop, or the signal, stops everything.
 *
 * With `input`, a description or a preset's name, the model is fed what modelInputs makes; the other options
 * are those of inputStream then, windows over long videos among them:
 *
 *     for await (const { feeds, videos } of feedStream(session, paths, { input: 'videomae' })) { ... }
 */
export function feedStream<E extends InputEntry>(
  session: DeviceSession,
  videos: InputVideos<E>,
  options: InputFeedOptions<E>,
): AsyncIterableIterator<FedInputs<E, DeviceFeeds>, undefined>;
export function feedStream<E extends InputEntry>(
  session: Session,
  videos: InputVideos<E>,
  options: InputFeedOptions<E>,
): AsyncIterableIterator<FedInputs<E>, undefined>;
export function feedStream<E extends VideoEntry>(
  session: DeviceSession,
  videos: Videos<E>,
  options?: FeedStreamOptions<E, DeviceMapping>,
): AsyncIterableIterator<FedBatch<E, DeviceFeeds>>;
export function feedStream<E extends VideoEntry>(
  session: Session,
  videos: Videos<E>,
  options?: FeedStreamOptions<E>,
): AsyncIterableIterator<FedBatch<E>>;
export function feedStream<E extends VideoEntry>(
  session: Session,
  videos: Videos<E>,
  options: FeedStreamOptions<E, DeviceMapping> | InputFeedOptions<E & InputEntry> = {},
): AsyncIterableIterator<FedBatch<E, DeviceFeeds> | FedInputs<E, DeviceFeeds>> {
  if (typeof options !== 'object' || (options as unknown) === null) {
    throw invalid('options', 'object', options);
  }
  if ((options as { input?: unknown }).input !== undefined) {
    const forInputs = options as InputFeedOptions<E & InputEntry>;
    return inputFeed(session, videos as InputVideos<E & InputEntry>, forInputs);
  }
  const forPatches = options as FeedStreamOptions<E, DeviceMapping>;
  return patchFeed(session, videos, forPatches) as AsyncIterableIterator<
    FedBatch<E, DeviceFeeds>,
    undefined
  >;
}

function patchFeed<E extends VideoEntry>(
  session: Session,
  videos: Videos<E>,
  options: FeedStreamOptions<E, DeviceMapping>,
): AsyncIterableIterator<FedBatch<E, DeviceFeeds>> {
  const { mapping, ort, sample, ...others } = options;
  const inputs = readInputs(session, mapping);
  checkTakesPatches(inputs, mapping ?? {}, others.patchSize);
  const fixed = agreed(inputs.fed, 'batch');
  const { flow, rest } = parseFlow<E, Omit<FeedStreamOptions<E>, 'mapping' | 'ort' | 'sample'>>({
    ...others,
    batchSize: others.batchSize ?? fixed ?? 1,
  });
  checkVideos(videos);
  checkBatchSize(inputs, flow.batchSize);
  checkNames('feedStream', rest, checkPatchStreamOptions, ['mapping', 'ort']);
  checkPatchStreamOptions({ ...rest, sample: fixedRule(sample) });
  const config = modelConfig(inputs, rest);
  const batches = new Batches<E, PatchStream, FedVideo<E>>(
    new VideoFeed<E, PatchStream>({
      ...flow,
      source: sampleSource(videos, flow.order)(),
      decode: decodingWith(sample, flow.order.seed, config, (sampled) =>
        patchStream({ ...config, ...sampled }),
      ),
      discard: (stream) => stream.close(),
    }),
    {
      ...flow,
      make: (streams) => makeFeeds(loadOrt(ort), inputs, streams),
      describe,
      free: (stream) => stream.close(),
    },
  );
  return iterable(batches);
}

type Rest = Omit<PatchStreamConfig, 'videoPath' | 'signal' | 'prefetchDepth'>;

/** The caller's options and the model's, checked against each other before anything is decoded. */
function modelConfig(inputs: Inputs, rest: Rest): Rest {
  const model = optionsOf(inputs);
  const { patch: asked, mostPatches = Infinity } = checkPatchStreamOptions(rest);
  for (const [name, value] of Object.entries(model) as [keyof typeof model, unknown][]) {
    const fits = name === 'kKeep' ? mostPatches <= (value as number) : asked[name] === value;
    if (rest[name] !== undefined && !fits) {
      throw invalid(name, `${JSON.stringify(value)}, which the model takes`, rest[name]);
    }
  }
  const config: Rest = { ...model, ...rest };
  checkPatchStreamOptions(config);
  return config;
}
