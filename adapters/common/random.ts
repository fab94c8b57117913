/** Seeded randomness: the same seed gives the same order on every machine and every Node version. */

/** Uniform integers in [0, n). */
export type RandomInt = (n: number) => number;

/** FNV-1a over the UTF-16 code units. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/** A generator for a seed and a stream; streams of one seed differ, e.g. one per epoch and pass. */
export function randomInts(seed: number | string, ...stream: readonly number[]): RandomInt {
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
  return (n) => Math.floor(((next() * 0x200000 + (next() >>> 11)) / 2 ** 53) * n);
}

/** 0..n-1 in random order (Fisher-Yates). */
export function permutation(n: number, random: RandomInt): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random(i + 1);
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  }
  return order;
}
