/** Random order, by the generator of the package. */
import type { Rng } from 'codec-patch-stream';

/** 0..n-1 in random order (Fisher-Yates). */
export function permutation(n: number, random: Rng): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random(i + 1);
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  }
  return order;
}
