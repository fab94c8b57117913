// Locals: jest looks a global up through an interceptor, which made these loops a hundred times slower.
const { abs, ceil, floor, fround, max, min, sign, sqrt } = Math;
/**
 * Section 4 of the design, energy 'block', once more: plain loops over full-size maps, written from
 * the text alone. Float32 wherever the text says nothing else, so every operation is rounded.
 */
const f = fround;

/** Rounds halves away from zero. */
const round = (x: number): number => sign(x) * floor(abs(x) + 0.5);

export interface LumaFrame {
  readonly width: number;
  readonly height: number;
  /** One sample per pixel, 0 .. 2^bits - 1. */
  readonly samples: ArrayLike<number>;
  readonly bits: number;
}

export interface Map2d {
  readonly rows: number;
  readonly cols: number;
  readonly values: Float64Array;
}

/** Step 6: the value with 0-based rank round(pct/100·(n−1)). */
export function percentile(values: ArrayLike<number>, pct: number): number {
  const sorted = Float64Array.from(values).sort();
  const clamped = min(100, max(1, pct));
  return sorted[round((clamped / 100) * (sorted.length - 1))] ?? 0;
}

/** Step 3: the patch grid and the size of the scaled frame. */
export function patchGrid(
  width: number,
  height: number,
  patchSize: number,
  minPixels: number,
  maxPixels: number,
): { rows: number; cols: number } {
  const pixels = width * height;
  let scale = 1;
  if (pixels < minPixels) scale = sqrt(minPixels / pixels);
  if (pixels > maxPixels) scale = sqrt(maxPixels / pixels);
  const a = 2 * patchSize;
  const side = (s: number): number => max(a, a * round((s * scale) / a)) / patchSize;
  return { rows: side(height), cols: side(width) };
}

/** Side of a cell of 'block' in samples. */
export function cellSide({ width, height }: LumaFrame): number {
  const shorter = min(width, height);
  return shorter < 64 ? 1 : shorter < 128 ? 2 : 4;
}

/** `video`: the first picture, whose size is the video's; others may have another. */
export function cellMap(frame: LumaFrame, video: LumaFrame, c = cellSide(video)): Map2d {
  const { samples, bits } = frame;
  const { width, height } = video;
  const rows = ceil(height / c);
  const cols = ceil(width / c);
  const values = new Float64Array(rows * cols);
  const first = (i: number, size: number, own: number): number => floor((i * c * own) / size);
  const last = (i: number, size: number, own: number): number =>
    ceil((min(size, (i + 1) * c) * own) / size);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < cols; x++) {
      let sum = 0;
      let count = 0;
      for (let v = first(y, height, frame.height); v < last(y, height, frame.height); v++) {
        for (let u = first(x, width, frame.width); u < last(x, width, frame.width); u++) {
          sum += samples[v * frame.width + u] ?? 0;
          count++;
        }
      }
      values[y * cols + x] = round(sum / (count * 2 ** (bits - 8)));
    }
  }
  return { rows, cols, values };
}

const clamp = (x: number, low: number, high: number): number => min(high, max(low, x));

/** Candidates in the order in which they win ties. */
const CANDIDATES = Array.from({ length: 81 }, (_, i) => ({
  dy: floor(i / 9) - 4,
  dx: (i % 9) - 4,
})).sort((a, b) => a.dy ** 2 + a.dx ** 2 - (b.dy ** 2 + b.dx ** 2) || a.dy - b.dy || a.dx - b.dx);

/** Energy of every cell of `cur` against the previous sampled frame. */
function cellEnergy(cur: Map2d, prev: Map2d, pct: number): Map2d {
  const { rows, cols } = cur;
  const at = (map: Map2d, y: number, x: number): number =>
    map.values[clamp(y, 0, rows - 1) * cols + clamp(x, 0, cols - 1)] ?? 0;
  const motion2 = new Float64Array(rows * cols);
  const residual = new Float64Array(rows * cols);
  for (let by = 0; by < rows; by += 4) {
    for (let bx = 0; bx < cols; bx += 4) {
      let best = Infinity;
      let bestDy = 0;
      let bestDx = 0;
      for (const { dy, dx } of CANDIDATES) {
        let cost = 4 * (abs(dy) + abs(dx));
        for (let y = by; y < min(rows, by + 4); y++) {
          for (let x = bx; x < min(cols, bx + 4); x++) {
            cost += abs(at(cur, y, x) - at(prev, y - dy, x - dx));
          }
        }
        if (cost < best) [best, bestDy, bestDx] = [cost, dy, dx];
      }
      for (let y = by; y < min(rows, by + 4); y++) {
        for (let x = bx; x < min(cols, bx + 4); x++) {
          motion2[y * cols + x] = bestDy ** 2 + bestDx ** 2;
          residual[y * cols + x] = abs(at(cur, y, x) - at(prev, y - bestDy, x - bestDx));
        }
      }
    }
  }
  const m = max(f(sqrt(percentile(motion2, pct))), 1);
  const r = max(percentile(residual, pct), 1);
  const values = Float64Array.from(motion2, (m2, i) => {
    const motion = min(f(f(sqrt(m2)) / m), 1);
    return f(0.5 * f(motion + min(f((residual[i] ?? 0) / r), 1)));
  });
  return { rows, cols, values };
}

/** Overlap of [a0, a1) with cell `index` of size `c` that ends at `size` at the latest. */
const overlap = (a0: number, a1: number, index: number, c: number, size: number): number =>
  max(0, min(a1, min((index + 1) * c, size)) - max(a0, index * c));

/** Patch scores of one frame: P² times the mean energy over each patch's source area. */
export function patchScores(
  energy: Map2d,
  frame: LumaFrame,
  grid: { rows: number; cols: number },
  patchSize: number,
  c = cellSide(frame),
): number[] {
  const { width, height } = frame;
  // Parts of the patch's side, times the number of patches so that the numerators are integers.
  const weights = (i: number, n: number, size: number, cells: number): number[] =>
    Array.from({ length: cells }, (_, cell) =>
      f(overlap(i * size, (i + 1) * size, cell, c * n, size * n) / size),
    );
  const scores: number[] = [];
  for (let i = 0; i < grid.rows; i++) {
    const wy = weights(i, grid.rows, height, energy.rows);
    for (let j = 0; j < grid.cols; j++) {
      const wx = weights(j, grid.cols, width, energy.cols);
      let total = 0;
      wy.forEach((weightY, y) => {
        if (weightY === 0) return;
        let row = 0;
        wx.forEach((weightX, x) => {
          if (weightX === 0) return;
          row = f(row + f(weightX * (energy.values[y * energy.cols + x] ?? 0)));
        });
        total = f(total + f(weightY * row));
      });
      scores.push(f(total * patchSize * patchSize));
    }
  }
  return scores;
}

/** Scores of all patches of all sampled frames, in linear index order. */
export function blockScores(
  frames: readonly LumaFrame[],
  grid: { rows: number; cols: number },
  patchSize: number,
  energyPct = 95,
): Float32Array {
  const video = frames[0];
  if (!video) return new Float32Array();
  const cells = frames.map((frame) => cellMap(frame, video));
  const scores = cells.flatMap((cur, t) => {
    const prev = cells[t - 1];
    if (!prev) return new Array<number>(grid.rows * grid.cols).fill(0);
    return patchScores(cellEnergy(cur, prev, energyPct), video, grid, patchSize);
  });
  return Float32Array.from(scores);
}

export interface SelectOptions {
  readonly kKeep: number;
  readonly block?: boolean;
  readonly patchSize: number;
  readonly staticFallback?: boolean;
  readonly staticAbsThresh?: number;
  readonly staticRelThresh?: number;
  readonly staticUniformFrames?: number;
}

/** Step 5: adds a boost to the units of some frames when the video hardly moves. */
function staticBoost(
  units: Float32Array,
  perFrame: number,
  isI: readonly boolean[],
  o: SelectOptions,
): void {
  const { staticAbsThresh = 2, staticRelThresh = 0.15, staticUniformFrames = 4 } = o;
  const area = o.patchSize ** 2 * (o.block ? 4 : 1);
  const means = units.map((score) => f(score / area));
  const p95 = percentile(means, 95);
  const p50 = percentile(means, 50);
  const a = clamp(staticAbsThresh > 1 ? staticAbsThresh / 255 : staticAbsThresh, 0, 1);
  const spread = (p95 - p50) / max(p95, 1e-6);
  if (!(p95 < a || (p95 < 2 * a && spread < max(0, staticRelThresh)))) return;
  const others = isI.flatMap((flag, t) => (flag ? [] : [t]));
  const n = others.length;
  if (n === 0) return;
  const count = clamp(staticUniformFrames, 1, n);
  const scoresOfOthers = others.flatMap((t) => [
    ...units.subarray(t * perFrame, (t + 1) * perFrame),
  ]);
  const boost = f(f(max(...scoresOfOthers) - min(...scoresOfOthers)) + 1);
  for (let j = 0; j < count; j++) {
    const t = others[floor((j * n) / count)] ?? 0;
    for (let u = t * perFrame; u < (t + 1) * perFrame; u++) units[u] = f((units[u] ?? 0) + boost);
  }
}

/** Steps 4 and 5: linear indices of the selected patches, in the order of the result. */
export function select(
  scores: Float32Array,
  grid: { rows: number; cols: number },
  isI: readonly boolean[],
  options: SelectOptions,
): number[] {
  const { rows, cols } = grid;
  const frames = isI.length;
  const k = min(options.kKeep, frames * rows * cols);
  const unitSide = options.block ? 2 : 1;
  const unitCols = cols / unitSide;
  const perFrame = (rows / unitSide) * unitCols;
  const base = (unit: number): number => {
    const t = floor(unit / perFrame);
    const y = floor((unit % perFrame) / unitCols) * unitSide;
    return (t * rows + y) * cols + (unit % unitCols) * unitSide;
  };
  const members = (unit: number): number[] => {
    const b = base(unit);
    return options.block ? [b, b + 1, b + cols, b + cols + 1] : [b];
  };
  const units = Float32Array.from({ length: frames * perFrame }, (_, unit) =>
    members(unit).reduce((sum, index) => f(sum + (scores[index] ?? 0)), 0),
  );
  const all = Array.from(units, (_, unit) => unit);
  const inI = all.filter((unit) => isI[floor(unit / perFrame)]);
  const rest = all.filter((unit) => !isI[floor(unit / perFrame)]);
  const wanted = options.block ? floor(k / 4) : k;
  const { staticFallback = false, staticUniformFrames = 4 } = options;
  if (staticFallback && staticUniformFrames > 0 && inI.length < wanted) {
    staticBoost(units, perFrame, isI, options);
  }
  const best = (candidates: number[], count: number): number[] =>
    [...candidates].sort((a, b) => (units[b] ?? 0) - (units[a] ?? 0) || a - b).slice(0, count);
  const chosen =
    inI.length >= wanted ? best(inI, wanted) : [...inI, ...best(rest, wanted - inI.length)];
  return chosen.sort((a, b) => a - b).flatMap(members);
}
