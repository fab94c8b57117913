/** What sampling rules have in common outside of the addon. */
import type { SampleRule } from '../options/config.js';
import { seededRandom } from '../support/random.js';

/**
 * The rule with another random start for each `stream` of numbers (an epoch, a video's index, a window),
 * the same for the same ones; a rule without randomness as it is.
 */
export function reseed(rule: SampleRule, ...stream: readonly number[]): SampleRule {
  if (!('clip' in rule) || rule.start !== 'random') return rule;
  return { ...rule, seed: seededRandom(rule.seed ?? 0, ...stream)(Number.MAX_SAFE_INTEGER) };
}
