/**
 * The size of as large an area as `limit` patches of side `patch` have, in proportion, both sides cut down to
 * multiples of `multipleOf`: Gemma 4's rule. Undefined where no multiple is left of either side.
 */
export function multiplesSize(
  height: number,
  width: number,
  { patch, limit, multipleOf }: { patch: number; limit: number; multipleOf: number },
): readonly [height: number, width: number] | undefined {
  const factor = Math.sqrt((limit * patch * patch) / (height * width));
  const down = (side: number): number => Math.floor((factor * side) / multipleOf) * multipleOf;
  const [h, w] = [down(height), down(width)];
  if (h > 0 && w > 0) return [h, w];
  if (h === 0 && w === 0) return undefined;
  // A strip: one multiple high, and as long as the budget allows.
  const most = Math.floor(limit / (multipleOf / patch) ** 2) * multipleOf;
  const long = (a: number, b: number): number => Math.min(Math.floor(a / b) * multipleOf, most);
  return h === 0 ? [multipleOf, long(width, height)] : [long(height, width), multipleOf];
}
