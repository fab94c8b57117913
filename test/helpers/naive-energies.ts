// Locals: jest looks a global up through an interceptor, which made these loops a hundred times slower.
const { abs, floor, fround, max, min, sqrt } = Math;
/** Energies on cell maps once more, from the text alone: plain loops over whole maps. */
import { cellMap, cellSide, patchScores, percentile } from './naive.js';
import type { LumaFrame, Map2d } from './naive.js';

const f = fround;
const clamp = (x: number, low: number, high: number): number => min(high, max(low, x));

/** What one frame's energy is made of, per cell of `c` samples a side. */
export interface CellMaps {
  readonly rows: number;
  readonly cols: number;
  readonly c: number;
  /** Displacements, or none where an energy has no motion. */
  readonly dy?: Float64Array;
  readonly dx?: Float64Array;
  readonly residual: Float64Array;
}

/** Offsets around (0, 0) in the order in which they win ties. */
const offsets = (radius: number): { oy: number; ox: number }[] => {
  const side = 2 * radius + 1;
  return Array.from({ length: side * side }, (_, i) => ({
    oy: floor(i / side) - radius,
    ox: (i % side) - radius,
  })).sort((a, b) => a.oy ** 2 + a.ox ** 2 - (b.oy ** 2 + b.ox ** 2) || a.oy - b.oy || a.ox - b.ox);
};

/** 'adjacent': coarse to fine, from cells of 'block' down to samples. */
export function adjacentMaps(cur: LumaFrame, prev: LumaFrame, video: LumaFrame): CellMaps {
  const first = cellSide(video);
  let moves: { my: number; mx: number }[] = [];
  for (let c = first, side = 4; ; c /= 2, side *= 2) {
    const a = cellMap(cur, video, c);
    const b = cellMap(prev, video, c);
    const { rows, cols } = a;
    const dy = new Float64Array(rows * cols);
    const dx = new Float64Array(rows * cols);
    const residual = new Float64Array(rows * cols);
    const difference = (y: number, x: number, my: number, mx: number): number =>
      abs(
        (a.values[y * cols + x] ?? 0) -
          (b.values[clamp(y - my, 0, rows - 1) * cols + clamp(x - mx, 0, cols - 1)] ?? 0),
      );
    const candidates = offsets(c === first ? 4 : 1);
    const next: typeof moves = [];
    for (let by = 0; by < rows; by += side) {
      for (let bx = 0; bx < cols; bx += side) {
        const so = moves[next.length] ?? { my: 0, mx: 0 };
        let best = Infinity;
        let found = so;
        for (const { oy, ox } of candidates) {
          const my = 2 * so.my + oy;
          const mx = 2 * so.mx + ox;
          let cost = ((side * side) / 4) * (abs(my) + abs(mx));
          for (let y = by; y < min(rows, by + side); y++) {
            for (let x = bx; x < min(cols, bx + side); x++) cost += difference(y, x, my, mx);
          }
          if (cost < best) [best, found] = [cost, { my, mx }];
        }
        next.push(found);
        for (let y = by; y < min(rows, by + side); y++) {
          for (let x = bx; x < min(cols, bx + side); x++) {
            dy[y * cols + x] = found.my;
            dx[y * cols + x] = found.mx;
            residual[y * cols + x] = difference(y, x, found.my, found.mx);
          }
        }
      }
    }
    moves = next;
    if (c === 1) return { rows, cols, c, dy, dx, residual };
  }
}

export const motion2 = ({ dy, dx, residual }: CellMaps): Float64Array =>
  residual.map((_, i) => (dy?.[i] ?? 0) ** 2 + (dx?.[i] ?? 0) ** 2);

/** Energy of every cell by these maps' own percentiles. */
export function energyOf(maps: CellMaps, pct: number): Map2d {
  const { rows, cols, residual } = maps;
  const squares = motion2(maps);
  const m = max(f(sqrt(percentile(squares, pct))), 1);
  const r = max(percentile(residual, pct), 1);
  const values = residual.map((value, i) => {
    const rest = min(f(value / r), 1);
    if (!maps.dy) return rest;
    return f(0.5 * f(min(f(f(sqrt(squares[i] ?? 0)) / m), 1) + rest));
  });
  return { rows, cols, values };
}

export interface Asked {
  readonly grid: { rows: number; cols: number };
  readonly patchSize: number;
  readonly energyPct?: number;
}

/** Scores of all patches of the sampled frames `ids`; repeats of a frame have none. */
export function scoresOf(
  ids: readonly number[],
  video: LumaFrame,
  mapsOf: (id: number) => CellMaps | undefined,
  { grid, patchSize, energyPct = 95 }: Asked,
): Float32Array {
  const scores = ids.flatMap((id, t) => {
    const maps = ids.indexOf(id) === t ? mapsOf(id) : undefined;
    if (!maps) return new Array<number>(grid.rows * grid.cols).fill(0);
    return patchScores(energyOf(maps, energyPct), video, grid, patchSize, maps.c);
  });
  return Float32Array.from(scores);
}

/** 'adjacent' of the sampled frames, from any frame of the video. */
export const adjacentScores = (
  ids: readonly number[],
  frameAt: (id: number) => LumaFrame,
  asked: Asked,
): Float32Array => {
  const video = frameAt(0);
  const mapsOf = (id: number): CellMaps | undefined =>
    id === 0 ? undefined : adjacentMaps(frameAt(id), frameAt(id - 1), video);
  return scoresOf(ids, video, mapsOf, asked);
};

/**
 * 'accumulated' of every distinct sampled frame; frames of `lost` cannot be had and are stepped over.
 * Undefined: nothing comes before it.
 */
export function accumulatedMaps(
  ids: readonly number[],
  frameAt: (id: number) => LumaFrame,
  lost: ReadonlySet<number> = new Set(),
): Map<number, CellMaps | undefined> {
  const distinct = [...new Set(ids)].sort((a, b) => a - b);
  const video = frameAt(0);
  const c = cellSide(video);
  const out = new Map<number, CellMaps | undefined>();
  const [a = 0, second] = distinct;
  distinct.forEach((id, k) => {
    const from =
      k > 0 ? (distinct[k - 1] ?? 0) : max(0, a - (second === undefined ? 1 : second - a));
    let prev: Map2d | undefined;
    let sums: Float64Array | undefined;
    for (let j = from; j <= id; j++) {
      if (lost.has(j)) continue;
      const cur = cellMap(frameAt(j), video, c);
      if (prev) {
        const { values } = prev;
        sums ??= new Float64Array(values.length);
        for (let i = 0; i < values.length; i++) {
          sums[i] = min(65535, (sums[i] ?? 0) + abs((cur.values[i] ?? 0) - (values[i] ?? 0)));
        }
      }
      prev = cur;
    }
    const { rows, cols } = prev ?? { rows: 0, cols: 0 };
    out.set(id, sums && { rows, cols, c, residual: sums });
  });
  return out;
}

export const accumulatedScores = (
  ids: readonly number[],
  frameAt: (id: number) => LumaFrame,
  asked: Asked,
  lost?: ReadonlySet<number>,
): Float32Array => {
  const maps = accumulatedMaps(ids, frameAt, lost);
  return scoresOf(ids, frameAt(0), (id) => maps.get(id), asked);
};
