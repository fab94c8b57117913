/**
 * The size of the largest picture of the proportions height : width with at most `limit` patches of side
 * `patch`, both sides multiples of it and at least one: SigLIP 2's search, whose lower end counts.
 */
export function patchesSize(
  height: number,
  width: number,
  patch: number,
  limit: number,
): readonly [height: number, width: number] {
  const side = (scale: number, length: number): number =>
    Math.max(patch, Math.ceil((length * scale) / patch) * patch);
  let [low, high] = [1e-5 / 10, 100];
  while (high - low >= 1e-5) {
    const middle = (low + high) / 2;
    const fits = (side(middle, height) / patch) * (side(middle, width) / patch) <= limit;
    if (fits) low = middle;
    else high = middle;
  }
  return [side(low, height), side(low, width)];
}
