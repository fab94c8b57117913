/**
 * Whether tests run in full (CPS_LONG=1, which .ci/run sets) or as `npm test` runs them: what is said
 * of many clips in many ways is then tried in some of the ways for each, each way with many clips.
 */
export const longForm = !['', '0', undefined].includes(process.env['CPS_LONG']);

/** In full: all of `ways`; else `count` of them, other ones for each `turn`. */
export function someOf<T>(ways: readonly T[], turn: number, count: number): T[] {
  if (longForm) return [...ways];
  return Array.from({ length: count }, (_, i) => ways[(turn * count + i) % ways.length] as T);
}
