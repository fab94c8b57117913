import type { PatchStreamConfig } from '../../src/index.js';

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
  /** In patches; with blocks the rest of a division by 4 counts for nothing. */
  readonly kKeep: number;
  readonly keyFramePatches?: 'auto' | 'before-others' | 'compete' | 'none';
  readonly energy?: NonNullable<PatchStreamConfig['energy']>;
  readonly wholeFrames?: 'none' | 'first';
  readonly minPerFrame?: number;
  readonly maxPerFrame?: number;
  readonly selectionUnit?: 'patch' | 'block2x2';
  readonly patchSize: number;
  readonly staticFallback?: boolean;
  readonly staticAbsThresh?: number;
  readonly staticRelThresh?: number;
  readonly staticUniformFrames?: number;
}

/** A patch or a block. */
interface Unit {
  readonly t: number;
  readonly index: number;
  readonly patches: readonly number[];
  readonly candidate: boolean;
  score: number;
}

function unitsOf(
  scores: Float32Array,
  { rows, cols }: { rows: number; cols: number },
  frames: number,
  side: number,
  ignored: ReadonlySet<number>,
): Unit[] {
  const units: Unit[] = [];
  for (let t = 0; t < frames; t++) {
    for (let y = 0; y < rows; y += side) {
      for (let x = 0; x < cols; x += side) {
        const inFrame = side === 1 ? [[y, x]] : [[y, x], [y, x + 1], [y + 1, x], [y + 1, x + 1]]; // prettier-ignore
        const places = inFrame.map(([r = 0, c = 0]) => r * cols + c);
        const patches = places.map((place) => t * rows * cols + place);
        const score = patches.map((p) => scores[p] ?? 0).reduce((sum, one) => f(sum + one));
        const candidate = !places.some((place) => ignored.has(place));
        units.push({ t, index: units.length, patches, candidate, score });
      }
    }
  }
  return units;
}

/** Raises the units of some frames when the video hardly moves. */
function staticBoost(units: readonly Unit[], isI: readonly boolean[], o: SelectOptions): void {
  const { staticAbsThresh = 2, staticRelThresh = 0.15, staticUniformFrames = 4 } = o;
  const area = o.patchSize ** 2 * (o.selectionUnit === 'block2x2' ? 4 : 1);
  const candidates = units.filter((unit) => unit.candidate);
  const means = candidates.map(({ score }) => f(score / area));
  const p95 = percentile(means, 95);
  const p50 = percentile(means, 50);
  const a = clamp(staticAbsThresh > 1 ? staticAbsThresh / 255 : staticAbsThresh, 0, 1);
  const spread = (p95 - p50) / max(p95, 1e-6);
  if (!(p95 < a || (p95 < 2 * a && spread < max(0, staticRelThresh)))) return;
  const others = isI.flatMap((flag, t) => (flag ? [] : [t]));
  const n = others.length;
  if (n === 0 || staticUniformFrames === 0) return;
  const count = min(staticUniformFrames, n);
  const ofOthers = candidates.filter(({ t }) => !isI[t]).map(({ score }) => score);
  const boost = f(f(max(...ofOthers) - min(...ofOthers)) + 1);
  const raised = Array.from({ length: count }, (_, j) => others[floor((j * n) / count)]);
  for (const unit of units) if (raised.includes(unit.t)) unit.score = f(unit.score + boost);
}

/**
 * The selection as docs/selection.md tells it: linear indices of the kept patches, in the order of the
 * result; nothing where options contradict each other or no candidate is left. `ignored`: places
 * row · cols + column.
 */
export function select(
  scores: Float32Array,
  grid: { rows: number; cols: number },
  isI: readonly boolean[],
  options: SelectOptions,
  ignored: ReadonlySet<number> = new Set(),
): number[] | undefined {
  const { kKeep, energy = 'block', minPerFrame = 0, maxPerFrame = Infinity } = options;
  const frames = isI.length;
  const perUnit = options.selectionUnit === 'block2x2' ? 4 : 1;
  const perFrame = grid.rows * grid.cols;
  const bound = (b: number): number =>
    b < 1 ? floor(b * (perFrame / perUnit)) : floor(b / perUnit);
  const k = max(1, floor(kKeep / perUnit));
  const [least, most] = [bound(minPerFrame), bound(maxPerFrame)];
  const asked = options.keyFramePatches ?? 'auto';
  const auto = kKeep < 2 * perFrame && energy !== 'reference' ? 'compete' : 'before-others';
  const rule = asked === 'auto' ? auto : asked;
  const first = options.wholeFrames === 'first';

  const units = unitsOf(scores, grid, frames, perUnit === 4 ? 2 : 1, ignored);
  const inFrame = units.filter(({ t, candidate }) => t === 0 && candidate).length;
  if (most === 0 || least > most || least * frames > k) return undefined;
  if (first && (inFrame > most || inFrame + least * (frames - 1) > k)) return undefined;
  const ofKeyFrames = isI.filter(Boolean).length * min(inFrame, most);
  if (options.staticFallback && (rule !== 'before-others' || ofKeyFrames < k)) {
    staticBoost(units, isI, options);
  }

  const before = ({ t }: Unit): number => (rule === 'before-others' && isI[t] ? 0 : 1);
  const best = units
    .filter(({ t, candidate }) => candidate && !(rule === 'none' && isI[t]))
    .sort((a, b) => before(a) - before(b) || b.score - a.score || a.index - b.index);
  const taken = new Set<Unit>();
  const count = new Array<number>(frames).fill(0);
  const take = (unit: Unit): void => {
    if (!taken.has(unit)) count[unit.t] = (count[unit.t] ?? 0) + 1;
    taken.add(unit);
  };
  if (first) units.filter(({ t, candidate }) => t === 0 && candidate).forEach(take);
  for (const unit of best) if ((count[unit.t] ?? 0) < least) take(unit);
  for (const unit of best) if (taken.size < k && (count[unit.t] ?? 0) < most) take(unit);
  if (taken.size === 0) return undefined;
  return units.filter((unit) => taken.has(unit)).flatMap(({ patches }) => patches);
}
