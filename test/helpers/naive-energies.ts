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
  /** Cells a side of a block. */
  readonly side: number;
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

/** 'adjacent': coarse to fine, from cells of 'block' down to samples; or those of 'block' alone. */
function matchedMaps(cur: LumaFrame, prev: LumaFrame, video: LumaFrame, last = 1): CellMaps {
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
    if (c === last) return { rows, cols, c, side, dy, dx, residual };
  }
}

export const motion2 = ({ dy, dx, residual }: CellMaps): Float64Array =>
  residual.map((_, i) => (dy?.[i] ?? 0) ** 2 + (dx?.[i] ?? 0) ** 2);

interface Percentiles {
  readonly motion2: number;
  readonly residual: number;
}

const percentilesOf = (all: readonly CellMaps[], pct: number): Percentiles => ({
  motion2: percentile(
    all.flatMap((maps) => Array.from(motion2(maps))),
    pct,
  ),
  residual: percentile(
    all.flatMap((maps) => Array.from(maps.residual)),
    pct,
  ),
});

/** Energy of every cell. */
function energyOf(maps: CellMaps, p: Percentiles): Map2d {
  const { rows, cols, residual } = maps;
  const squares = motion2(maps);
  const m = max(f(sqrt(p.motion2)), 1);
  const r = max(p.residual, 1);
  const values = residual.map((value, i) => {
    const rest = min(f(value / r), 1);
    if (!maps.dy) return rest;
    return f(0.5 * f(min(f(f(sqrt(squares[i] ?? 0)) / m), 1) + rest));
  });
  return { rows, cols, values };
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[floor((values.length - 1) / 2)] ?? 0;

/** globalMotion 'subtract'. */
function withoutGlobalMotion(maps: CellMaps): CellMaps {
  const { rows, cols, side, dy, dx, residual } = maps;
  if (!dy || !dx) return maps;
  const blocks: { level: number; my: number; mx: number }[] = [];
  for (let by = 0; by < rows; by += side) {
    for (let bx = 0; bx < cols; bx += side) {
      let sum = 0;
      let n = 0;
      for (let y = by; y < min(rows, by + side); y++) {
        for (let x = bx; x < min(cols, bx + side); x++) {
          sum += residual[y * cols + x] ?? 0;
          n++;
        }
      }
      const at = by * cols + bx;
      blocks.push({ level: floor((256 * sum) / n), my: dy[at] ?? 0, mx: dx[at] ?? 0 });
    }
  }
  const most = median(blocks.map(({ level }) => level));
  const voters = blocks.filter(({ level }) => level <= most);
  const my = median(voters.map((b) => b.my));
  const mx = median(voters.map((b) => b.mx));
  return { ...maps, dy: dy.map((v) => v - my), dx: dx.map((v) => v - mx) };
}

/** intraEnergy 'texture' of a frame without a predecessor. */
function textureMaps(frame: LumaFrame, video: LumaFrame, c: number, motion: boolean): CellMaps {
  const { rows, cols, values } = cellMap(frame, video, c);
  const residual = values.map((_, i) => {
    const y = floor(i / cols);
    const x = i % cols;
    const around = offsets(1).map(
      ({ oy, ox }) => values[clamp(y + oy, 0, rows - 1) * cols + clamp(x + ox, 0, cols - 1)] ?? 0,
    );
    return max(...around) - min(...around);
  });
  const still = new Float64Array(residual.length);
  return { rows, cols, c, side: 4, residual, ...(motion ? { dy: still, dx: still } : {}) };
}

export interface Asked {
  readonly grid: { rows: number; cols: number };
  readonly patchSize: number;
  readonly energyPct?: number;
  readonly energyScope?: 'frame' | 'video';
  readonly intraEnergy?: 'zero' | 'texture';
  readonly globalMotion?: 'keep' | 'subtract';
}

export interface Scored {
  readonly scores: Float32Array;
  /** What the energy saw of each position; undefined where it is all zero. */
  readonly seen: readonly ({ maps: CellMaps; energy: Map2d } | undefined)[];
}

/**
 * Positions of a sample from what each is compared by: its maps, 'alone' where nothing comes before
 * it, or 'repeat', which has no energy. `counts`: for percentiles over the video.
 */
function scoresOf(
  ids: readonly number[],
  frameAt: (id: number) => LumaFrame,
  { c, motion }: { c: number; motion: boolean },
  comparedBy: (t: number) => CellMaps | 'alone' | 'repeat',
  asked: Asked,
  counts: (t: number) => boolean = () => true,
): Scored {
  const { grid, patchSize, energyPct = 95 } = asked;
  const video = frameAt(0);
  const compared = ids.map((_, t) => {
    const maps = comparedBy(t);
    if (typeof maps === 'string') return maps;
    return asked.globalMotion === 'subtract' ? withoutGlobalMotion(maps) : maps;
  });
  const counted = compared.flatMap((maps, t) =>
    typeof maps !== 'string' && counts(t) ? [maps] : [],
  );
  const all =
    asked.energyScope === 'video' && counted.length > 0
      ? percentilesOf(counted, energyPct)
      : undefined;
  const seen = compared.map((maps, t) => {
    if (maps === 'repeat') return undefined;
    if (maps === 'alone') {
      if (asked.intraEnergy !== 'texture') return undefined;
      const texture = textureMaps(frameAt(ids[t] ?? 0), video, c, motion);
      return { maps: texture, energy: energyOf(texture, percentilesOf([texture], energyPct)) };
    }
    return { maps, energy: energyOf(maps, all ?? percentilesOf([maps], energyPct)) };
  });
  const scores = seen.flatMap((s) =>
    s
      ? patchScores(s.energy, video, grid, patchSize, c)
      : new Array<number>(grid.rows * grid.cols).fill(0),
  );
  return { scores: Float32Array.from(scores), seen };
}

/** 'block': each position against the one before it. */
export function blockEnergy(
  ids: readonly number[],
  frameAt: (id: number) => LumaFrame,
  asked: Asked,
): Scored {
  const c = cellSide(frameAt(0));
  const comparedBy = (t: number): CellMaps | 'alone' =>
    t === 0 ? 'alone' : matchedMaps(frameAt(ids[t] ?? 0), frameAt(ids[t - 1] ?? 0), frameAt(0), c);
  const first = (t: number): boolean => ids.indexOf(ids[t] ?? 0) === t;
  return scoresOf(ids, frameAt, { c, motion: true }, comparedBy, asked, first);
}

/** 'adjacent': each frame against the one that is shown before it; those of `lost` cannot be had. */
export function adjacentEnergy(
  ids: readonly number[],
  frameAt: (id: number) => LumaFrame,
  asked: Asked,
  lost: ReadonlySet<number> = new Set(),
): Scored {
  const comparedBy = (t: number): CellMaps | 'alone' | 'repeat' => {
    const id = ids[t] ?? 0;
    if (ids.indexOf(id) !== t) return 'repeat';
    return id === 0 || lost.has(id - 1)
      ? 'alone'
      : matchedMaps(frameAt(id), frameAt(id - 1), frameAt(0));
  };
  return scoresOf(ids, frameAt, { c: 1, motion: true }, comparedBy, asked);
}

/**
 * 'accumulated' of every distinct sampled frame; frames of `lost` cannot be had and are stepped over.
 * Undefined: nothing comes before it.
 */
function accumulatedMaps(
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
    out.set(id, sums && { rows, cols, c, side: 4, residual: sums });
  });
  return out;
}

export function accumulatedEnergy(
  ids: readonly number[],
  frameAt: (id: number) => LumaFrame,
  asked: Asked,
  lost?: ReadonlySet<number>,
): Scored {
  const sums = accumulatedMaps(ids, frameAt, lost);
  const comparedBy = (t: number): CellMaps | 'alone' | 'repeat' => {
    const id = ids[t] ?? 0;
    return ids.indexOf(id) === t ? (sums.get(id) ?? 'alone') : 'repeat';
  };
  const c = cellSide(frameAt(0));
  return scoresOf(ids, frameAt, { c, motion: false }, comparedBy, asked);
}
