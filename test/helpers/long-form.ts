/**
 * How much tests try, by CPS_LONG: 0, as `npm test` runs them; 1, as .ci/run does (longForm); 10, everything
 * (fullForm), before a release. What is said of many clips in many ways is tried in some of the ways for each
 * clip, each way with many clips.
 */
const effort = Number(process.env['CPS_LONG'] ?? 0);
export const longForm = effort !== 0;
export const fullForm = effort >= 10;

/** In full: all of `ways`; else `count` of them (`longer` in .ci/run), other ones for each `turn`. */
export function someOf<T>(
  ways: readonly T[],
  turn: number,
  count: number,
  longer = 2 * count,
): T[] {
  const wanted = longForm ? longer : count;
  if (fullForm || wanted >= ways.length) return [...ways];
  return Array.from({ length: wanted }, (_, i) => ways[(turn * wanted + i) % ways.length] as T);
}

/** In the long form all of `all`; else every nth. */
export function everyNth<T>(all: readonly T[], n: number): T[] {
  return all.filter((_, i) => longForm || i % n === 0);
}

/** In full: all of `clips`; else every eighth (every third in .ci/run). */
export function someClips<T>(clips: readonly T[]): T[] {
  const step = longForm ? 3 : 8;
  return clips.filter((_, i) => fullForm || i % step === 0);
}
