/** What random options have in common outside of the addon. */
import type { AugmentRule, SampleRule } from '../options/config.js';
import { seededRandom } from '../support/random.js';

/**
 * The rule of option sample or augment with another draw for each `stream` of numbers (an epoch, a
 * video's index, a window), the same for the same ones; a rule without randomness as it is.
 */
export function reseed<R extends SampleRule | AugmentRule>(
  rule: R,
  ...stream: readonly number[]
): R {
  const { clip, start, count, indices, timesSec, seed = 0 } = rule as Mixed;
  if ((count ?? indices ?? timesSec) !== undefined) return rule;
  if (clip !== undefined && start !== 'random') return rule;
  return { ...rule, seed: seededRandom(seed, ...stream)(Number.MAX_SAFE_INTEGER) };
}

interface Mixed {
  readonly clip?: unknown;
  readonly start?: unknown;
  readonly count?: unknown;
  readonly indices?: unknown;
  readonly timesSec?: unknown;
  readonly seed?: number;
}
