/** Which frames share canvases, and which of their blocks. Pure arithmetic on scores of blocks. */

/** A block that was chosen: the frame of the group it is of, its place in raster order, its score. */
interface Chosen {
  readonly score: number;
  readonly frame: number;
}

export interface GroupRules {
  /** Frames of a group, at least and at most. */
  readonly least: number;
  readonly most: number;
  /** Frames of the windows by which it is known how much energy a group should hold. */
  readonly window: number;
  readonly canvases: number;
}

/** Neither fewer bins of time than these hold chosen blocks, nor does a group grow for less than this. */
const BINS = 3;
const LEAST_GAIN = 0.05;
/** A group of fewer frames than this is none. */
export const LEAST_FRAMES = 4;

/** Blocks that the canvases of a group have room for beside its first frame. */
export const roomOf = (blocksPerFrame: number, canvases: number): number =>
  blocksPerFrame * (canvases - 1);

/** The best `room` blocks of a group that grows frame by frame. */
class Best {
  #blocks: Chosen[] = [];

  constructor(private readonly room: number) {}

  get sum(): number {
    return this.#blocks.reduce((total, { score }) => total + score, 0);
  }

  add(scores: Float64Array, frame: number): void {
    const sorted = scores.slice().sort();
    const merged: Chosen[] = [];
    // Equal scores: the earlier frame's.
    for (let a = 0, b = sorted.length - 1; merged.length < this.room;) {
      const old = this.#blocks[a];
      if (old !== undefined && (b < 0 || old.score >= (sorted[b] as number))) {
        merged.push(old);
        a++;
      } else if (b >= 0) {
        merged.push({ score: sorted[b--] as number, frame });
      } else {
        break;
      }
    }
    this.#blocks = merged;
  }

  /** How many of the bins that the frames 1..count−1 are split into hold chosen blocks. */
  bins(count: number): number {
    const edges = Array.from({ length: BINS + 1 }, (_, i) =>
      i === BINS ? Math.max(2, count) : Math.trunc(1 + (i * (Math.max(2, count) - 1)) / BINS),
    );
    const used = new Set<number>();
    for (const { frame } of this.#blocks) {
      for (let i = 0; i < BINS; i++) {
        const from = edges[i] as number;
        const to = Math.max(from + 1, edges[i + 1] as number);
        if (frame >= from && frame < to) {
          used.add(i);
          break;
        }
      }
    }
    return used.size;
  }
}

/** What groups of a fixed number of frames would hold, on average. */
function usualSum(scores: readonly Float64Array[], { window, canvases }: GroupRules): number {
  const sums: number[] = [];
  for (let from = 0; from < scores.length; from += window) {
    const to = Math.min(scores.length, from + window);
    if (to - from < Math.max(LEAST_FRAMES, BINS + 1)) continue;
    const best = new Best(roomOf(scores[from]?.length ?? 0, canvases));
    for (let i = from + 1; i < to; i++) best.add(scores[i] as Float64Array, i - from);
    sums.push(best.sum);
  }
  return sums.length === 0 ? 0 : sums.reduce((a, b) => a + b, 0) / sums.length;
}

/**
 * Splits the frames into groups [from, to): each grows until its best blocks hold as much energy as
 * those of a usual group, lie in several parts of its time, and one more frame adds little. The rest
 * that is too short for a group is left out, but of a video that is shorter than one all frames are a group.
 */
export function groupFrames(
  scores: readonly Float64Array[],
  rules: GroupRules,
): (readonly [from: number, to: number])[] {
  const n = scores.length;
  const enough = usualSum(scores, rules);
  const least = Math.max(LEAST_FRAMES, Math.min(rules.least, n));
  const groups: (readonly [number, number])[] = [];
  for (let start = 0; n - start >= least;) {
    const end = Math.min(n, start + Math.max(least, rules.most));
    const best = new Best(roomOf(scores[start]?.length ?? 0, rules.canvases));
    for (let i = start + 1; i < start + least - 1; i++)
      best.add(scores[i] as Float64Array, i - start);
    let chosen = end;
    let before: number | undefined;
    let ready = false;
    for (let to = start + least; to <= end; to++) {
      best.add(scores[to - 1] as Float64Array, to - 1 - start);
      const { sum } = best;
      if (sum >= enough && best.bins(to - start) >= Math.min(BINS, rules.canvases - 1)) {
        chosen = to;
        ready = true;
        const gain = before === undefined ? 1 : (sum - before) / Math.max(Math.abs(before), 1e-6);
        if (gain < LEAST_GAIN) break;
      }
      before = sum;
    }
    groups.push([start, ready ? chosen : end]);
    start = ready ? chosen : end;
  }
  return groups;
}

/** A block of a frame, frames counted within the group. */
export interface Block {
  readonly frame: number;
  /** In raster order. */
  readonly block: number;
}

/**
 * What goes into the canvases of a group, in their order: all blocks of the anchor, then the best
 * ones of the other good frames by frame and place.
 */
export function packOrder(
  scores: readonly Float64Array[],
  good: readonly boolean[],
  canvases: number,
): { readonly anchor: number; readonly blocks: readonly Block[] } {
  const anchor = Math.max(0, good.indexOf(true));
  const perFrame = scores[0]?.length ?? 0;
  const whole = Array.from({ length: perFrame }, (_, block) => ({ frame: anchor, block }));
  const others: (Block & { readonly score: number })[] = [];
  scores.forEach((ofFrame, frame) => {
    if (frame === anchor || good[frame] !== true) return;
    ofFrame.forEach((score, block) => others.push({ frame, block, score }));
  });
  others.sort((a, b) => b.score - a.score || a.frame - b.frame || a.block - b.block);
  const best = others.slice(0, roomOf(perFrame, canvases));
  best.sort((a, b) => a.frame - b.frame || a.block - b.block);
  return { anchor, blocks: [...whole, ...best.map(({ frame, block }) => ({ frame, block }))] };
}

/**
 * `count` frames of `total` spread from the first to the last, each once and, where `keys` are given, off
 * these: to the nearest frame beside, four at most away; what coincides then is made up for by the frames
 * nearest to the others.
 */
export function canvasFrames(total: number, count: number, keys: Iterable<number>): number[] {
  const n = Math.min(total, count);
  const isKey = new Set(keys);
  const ends = Array.from({ length: n }, (_, i) =>
    n > 1 ? Math.floor((i * (total - 1)) / (n - 1)) : 0,
  );
  const beside = (id: number): number => {
    if (!isKey.has(id)) return id;
    for (let d = 1; d <= 4; d++) {
      for (const other of [id + d, id - d]) {
        if (other >= 0 && other < total && !isKey.has(other)) return other;
      }
    }
    return id;
  };
  const used = new Set(ends.map(beside));
  if (used.size < n) {
    const there = [...used].sort((a, b) => a - b);
    const middle = Math.floor(total / 2);
    const free = distances(there, total)
      .map((distance, id) => ({ id, distance, key: isKey.has(id) ? 1 : 0 }))
      .filter(({ id }) => !used.has(id))
      .sort(
        (a, b) =>
          a.key - b.key ||
          (a.key === 1 ? 0 : a.distance - b.distance) ||
          (a.key === 1 ? 0 : Math.abs(a.id - middle) - Math.abs(b.id - middle)) ||
          a.id - b.id,
      );
    for (const { id } of free) {
      if (used.size === n) break;
      used.add(id);
    }
  }
  return [...used].sort((a, b) => a - b);
}

/** From each of `total` numbers to the nearest of the sorted ones. */
function distances(sorted: readonly number[], total: number): number[] {
  let at = 0;
  return Array.from({ length: total }, (_, id) => {
    while (
      at + 1 < sorted.length &&
      Math.abs((sorted[at + 1] as number) - id) <= Math.abs((sorted[at] as number) - id)
    ) {
      at++;
    }
    return Math.abs((sorted[at] as number) - id);
  });
}
