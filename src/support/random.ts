/** Seeded randomness: the same seed gives the same numbers on every machine and every Node version. */

/** A stream of random numbers: `rng()` in [0, 1), `rng(n)` a whole number below n. */
export interface Rng {
  (): number;
  (below: number): number;
}

/** FNV-1a over the UTF-16 code units. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/**
 * The generator behind every random choice of this package: shuffled datasets, random clips. Streams
 * of one seed differ, e.g. one per epoch and pass.
 */
export function seededRandom(seed: number | string, ...stream: readonly number[]): Rng {
  // SplitMix32: a Weyl sequence through a finaliser (Steele, Lea, Flood 2014, 32-bit constants).
  let state = hash([typeof seed, seed, ...stream].join(' '));
  const next = (): number => {
    state = (state + 0x9e3779b9) | 0;
    let z = state ^ (state >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  // 53 random bits, so that the bias for any realistic n is far below 2^-20.
  return (below?: number): number => {
    const fraction = (next() * 0x200000 + (next() >>> 11)) / 2 ** 53;
    return below === undefined ? fraction : Math.floor(fraction * below);
  };
}

/** The one random number in [0, 1) that a seed of its own stands for. */
export const draw = (seed: number): number => seededRandom(seed)();
