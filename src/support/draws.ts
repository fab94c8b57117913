/** The random numbers of one video's augmentation. */
import { seededRandom } from './random.js';

/** As many as the addon takes: ten attempts of a part, four numbers each, and the mirror's. */
const COUNT = 41;

/** Uniform in [0, 1), the same for a seed on every machine. */
export function randomNumbers(seed: number): readonly number[] {
  // A stream apart from that of random clips, which may have the same seed.
  const next = seededRandom(seed, 1);
  return Object.freeze(Array.from({ length: COUNT }, () => next()));
}
