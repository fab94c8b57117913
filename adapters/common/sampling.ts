/** Options `sample` and `augment` of datasets and feeds: every video and every epoch draws its own. */
import { openVideo, reseed, seededRandom } from 'codec-patch-stream';
import type {
  AugmentRule,
  OpenOptions,
  Rng,
  SampleRule,
  VideoInfo,
  VideoInput,
} from 'codec-patch-stream';
import { failure, show } from './errors.js';
import type { Sample } from './videos.js';

/**
 * A rule, or a function that makes one for each video of what is known of it; `rng` draws other numbers
 * for each epoch, pass and video, the same for the same ones, whatever the concurrency.
 */
export type SampleOption =
  SampleRule | ((info: VideoInfo, rng: Rng) => SampleRule | Promise<SampleRule>);

/** What is decoded of one sample. */
export interface Sampled {
  readonly videoPath: VideoInput;
  readonly sample?: SampleRule;
  readonly augment?: AugmentRule;
  readonly signal: AbortSignal;
}

const OPENING = [
  'readerCacheSize',
  'readerCacheDir',
  'damaged',
  'decodeMode',
  'maxFramePixels',
  'maxFrames',
  'maxMemoryBytes',
  'timeoutMs',
] as const satisfies readonly (keyof OpenOptions)[];

const hash = (seed: number | string, stream: readonly number[]): number =>
  seededRandom(seed, ...stream)(Number.MAX_SAFE_INTEGER);

/**
 * Decodes samples by the option: `decode` gets what belongs to the video. `seed` is that of the order.
 * Of `options` those count that opening a function's video can need.
 */
export function decodingWith<E, R>(
  option: SampleOption | undefined,
  seed: number | string,
  options: OpenOptions & { readonly augment?: AugmentRule | undefined },
  decode: (sampled: Sampled) => Promise<R>,
): (sample: Sample<E>, signal: AbortSignal) => Promise<R> {
  const { augment } = options;
  const drawn = ({ epoch, pass, index }: Sample<E>) =>
    augment && { augment: reseed(augment, hash(seed, [epoch, pass, index])) };
  if (option === undefined) {
    return (sample, signal) => decode({ videoPath: sample.video, ...drawn(sample), signal });
  }
  if (typeof option !== 'function') {
    return (sample, signal) => {
      const { video, epoch, pass, index } = sample;
      const rule = reseed(option, hash(seed, [epoch, pass, index]));
      return decode({ videoPath: video, sample: rule, ...drawn(sample), signal });
    };
  }
  return async (entry, signal) => {
    const { video, epoch, pass, index } = entry;
    const open = Object.fromEntries(OPENING.map((name) => [name, options[name]]));
    const opened = await openVideo(video, { ...open, signal });
    try {
      const rng = seededRandom(seed, epoch, pass, index);
      const rule: unknown = await option(opened.info, rng);
      if (typeof rule !== 'object' || rule === null) {
        throw failure(
          'ERR_CPS_INVALID_ARGUMENT',
          `Expected a rule from the function of sample but received ${show(rule)}`,
        );
      }
      const sample = reseed(rule as SampleRule, hash(seed, [epoch, pass, index]));
      return await decode({ videoPath: opened, sample, ...drawn(entry), signal });
    } finally {
      opened.close();
    }
  };
}

/** What a check of options before any video is known may see of the option. */
export const fixedRule = (option: SampleOption | undefined): SampleRule | undefined =>
  typeof option === 'function' ? undefined : option;
