/** numpy's linspace(from, to, n, dtype=int), from >= 0. */
export function linspace(from: number, to: number, n: number): number[] {
  const step = n > 1 ? (to - from) / (n - 1) : 0;
  return Array.from({ length: n }, (_, i) =>
    i === n - 1 && n > 1 ? to : Math.floor(i * step + from),
  );
}

/** Places of a sample of n spread over a longer one of `to`. */
export const spreadOver = (to: number, n: number): number[] => linspace(0, to - 1, n);
