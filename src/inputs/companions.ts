/** What goes with the pixels of an input: positions, grids, masks. */
import { jsMemory, Tensor } from '../api/tensor.js';
import type { DType } from '../api/tensor.js';
import type { ParsedInput, ParsedTensor } from './define.js';
import { eachRow, extentsOf, layOut } from './layout.js';
import type { Extents, Grid, Layout } from './layout.js';
import type { Pictures } from './picture-options.js';
import { spreadOver } from './spread.js';
import type { IndexType } from './types.js';

type Companion = Exclude<ParsedTensor, { readonly of: 'pixels' }>;

/** A tensor of `length` zeros in memory of JavaScript, and how a value is put into it. */
function zeros(dtype: IndexType, shape: readonly number[]) {
  const length = shape.reduce((product, n) => product * n, 1);
  const array = {
    bool: Uint8Array,
    uint8: Uint8Array,
    int32: Int32Array,
    int64: BigInt64Array,
    float32: Float32Array,
  }[dtype];
  const values = new array(length);
  const put = (at: number, value: number): void => {
    if (values instanceof BigInt64Array) values[at] = BigInt(value);
    else values[at] = value;
  };
  const fill = (value: number): void => {
    if (values instanceof BigInt64Array) values.fill(BigInt(value));
    else values.fill(value);
  };
  const tensor = (): Tensor => Tensor.over<DType>(jsMemory(values.buffer), dtype, shape);
  return { put, fill, tensor };
}

/** Where the rows of several videos go, as those of the pixels do. */
export function rowLayout(
  tensor: Extract<Companion, { readonly axes: unknown }>,
  input: ParsedInput,
  videos: readonly Extents[],
): Layout {
  const least = input.spec.pad?.patches ?? 0;
  return layOut(tensor.axes.groups, videos, (group) =>
    group.some((axis) => axis === 'h' || axis === 'H' || axis === 'k') ? least : 0,
  );
}

interface Place3 {
  readonly time: number;
  readonly row: number;
  readonly column: number;
}

/** The place of a row: of a selected patch, or of a frame or a temporal patch. */
function placesOf(
  tensor: Extract<Companion, { readonly axes: unknown }>,
  input: ParsedInput,
  pictures: readonly Pictures[],
  visit: (element: number, place: Place3, video: number) => void,
): Layout {
  const layout = rowLayout(
    tensor,
    input,
    pictures.map(({ grid }) => extentsOf(grid)),
  );
  layout.places.forEach((place, video) => {
    const { grid, selected } = pictures[video] as Pictures;
    const chosen = tensor.axes.time === 'selected' || tensor.axes.time === 'canvases';
    eachRow(place, grid, (element, row) => {
      if (!chosen) return visit(element, row, video);
      const patch = selected[row.patch];
      // Canvases may have room for more patches than there are.
      if (patch) visit(element, { time: patch.frame, row: patch.row, column: patch.column }, video);
    });
  });
  return layout;
}

function positions(
  tensor: Extract<Companion, { readonly of: 'positions' }>,
  input: ParsedInput,
  pictures: readonly Pictures[],
): Tensor {
  const steps = tensor.axes.time === 'steps' ? input.patch.frames : 1;
  const times = pictures.map(({ ids, grid }) => {
    const count = Math.ceil(grid.frames / steps);
    if (tensor.time === 'sampled') return undefined;
    if (tensor.time === 'source')
      return Array.from({ length: count }, (_, i) => ids[i * steps] ?? 0);
    return spreadOver(tensor.time.spread, count);
  });
  const found: [number, Place3, number][] = [];
  const { shape } = placesOf(tensor, input, pictures, (...one) => void found.push(one));
  const { coordinates } = tensor;
  const count = coordinates.length;
  const { put, fill, tensor: made } = zeros(tensor.dtype, [...shape, count]);
  if (tensor.fill !== 0) fill(tensor.fill);
  for (const [element, place, video] of found) {
    const values = { ...place, time: times[video]?.[place.time] ?? place.time };
    coordinates.forEach((name, i) => put(count * element + i, values[name]));
  }
  return made();
}

function indices(
  tensor: Extract<Companion, { readonly of: 'indices' }>,
  input: ParsedInput,
  pictures: readonly Pictures[],
): Tensor {
  const steps = tensor.axes.time === 'steps' ? input.patch.frames : 1;
  const { frames } = tensor;
  const times = pictures.map(({ grid }) => {
    const count = Math.ceil(grid.frames / steps);
    return frames === undefined || frames === count ? undefined : spreadOver(frames, count);
  });
  const found: [number, number][] = [];
  const { shape } = placesOf(tensor, input, pictures, (element, { time, row, column }, video) => {
    const extents = extentsOf((pictures[video] as Pictures).grid);
    found.push([element, ((times[video]?.[time] ?? time) * extents.h + row) * extents.w + column]);
  });
  const { put, tensor: made } = zeros(tensor.dtype, shape);
  for (const [element, index] of found) put(element, index);
  return made();
}

function mask(
  tensor: Extract<Companion, { readonly of: 'mask' }>,
  input: ParsedInput,
  pictures: readonly Pictures[],
): Tensor {
  const found: number[] = [];
  const { shape } = placesOf(tensor, input, pictures, (element) => void found.push(element));
  const { put, tensor: made } = zeros(tensor.dtype, shape);
  for (const element of found) put(element, 1);
  return made();
}

/**
 * 1 for each pixel that is not beside a picture, without channels. Frames that fill up a shorter video
 * have it, too, as in transformers: models know them by their zeros.
 */
function pixelMask(dtype: IndexType, input: ParsedInput, pictures: readonly Pictures[]): Tensor {
  const groups = input.pixels.groups
    .map((group) => group.filter((axis) => axis !== 'c'))
    .filter((group) => group.length > 0);
  const frames = Math.max(...pictures.map(({ grid }) => grid.frames));
  const grids = pictures.map(({ grid }) => ({ ...grid, frames }));
  const { shape, places, padded } = layOut(groups, grids.map(extentsOf));
  const { put, fill, tensor } = zeros(dtype, shape);
  if (!padded) {
    fill(1);
    return tensor();
  }
  places.forEach((place, video) =>
    eachRow(place, grids[video] as Grid, (element) => put(element, 1)),
  );
  return tensor();
}

function grid(
  tensor: Extract<Companion, { readonly of: 'grid' }>,
  pictures: readonly Pictures[],
): Tensor {
  const rows = pictures.flatMap((picture) => {
    const { t, f, h, w } = extentsOf(picture.grid);
    return tensor.per === 'video' ? [[t, h, w]] : Array.from({ length: f }, () => [1, h, w]);
  });
  const { put, tensor: made } = zeros(tensor.dtype, [rows.length, 3]);
  rows.flat().forEach((value, i) => put(i, value));
  return made();
}

/** Differences below this, of 255, are none (VideoLLaMA 3). */
const LEAST_CHANGE = 0.1;

/**
 * Of each merged patch whether it differs from the one before: the mean of |difference| over its
 * normalised values · 255. The first frame counts as changed, and the first token of every frame.
 */
export function changed(pictures: Pictures, std: readonly number[]): Uint8Array {
  const { memory, firstUnit, grid: size } = pictures;
  const { H, W, f } = extentsOf(size);
  const side = size.patch * size.merge;
  const bytes = 3 * size.height * size.width;
  const kept = new Uint8Array(f * H * W).fill(1, 0, H * W);
  let before = new Uint8Array(bytes);
  let now = new Uint8Array(bytes);
  memory.copyTo(before, firstUnit * bytes);
  const sums = new Float64Array(3 * H * W);
  for (let frame = 1; frame < f; frame++) {
    memory.copyTo(now, (firstUnit + frame) * bytes);
    sums.fill(0);
    for (let y = 0, at = 0; y < H * side; y++) {
      const row = Math.floor(y / side) * W;
      for (let column = 0; column < W; column++) {
        const to = 3 * (row + column);
        let [r, g, b] = [0, 0, 0];
        for (let x = 0; x < side; x++, at += 3) {
          r += Math.abs((now[at] as number) - (before[at] as number));
          g += Math.abs((now[at + 1] as number) - (before[at + 1] as number));
          b += Math.abs((now[at + 2] as number) - (before[at + 2] as number));
        }
        sums[to] = (sums[to] as number) + r;
        sums[to + 1] = (sums[to + 1] as number) + g;
        sums[to + 2] = (sums[to + 2] as number) + b;
      }
    }
    let any = false;
    for (let token = 0; token < H * W; token++) {
      const sum = std.reduce((all, s, c) => all + (sums[3 * token + c] as number) / s, 0);
      const change = sum / (3 * side * side);
      if (change > LEAST_CHANGE) {
        kept[frame * H * W + token] = 1;
        any = true;
      }
    }
    if (!any) kept[frame * H * W] = 1;
    [before, now] = [now, before];
  }
  return kept;
}

/** Everything of an input but its pixels. */
export function companion(
  tensor: Companion,
  input: ParsedInput,
  pictures: readonly Pictures[],
  changes: readonly Uint8Array[],
): Tensor {
  switch (tensor.of) {
    case 'positions':
      return positions(tensor, input, pictures);
    case 'indices':
      return indices(tensor, input, pictures);
    case 'mask':
      return mask(tensor, input, pictures);
    case 'grid':
      return grid(tensor, pictures);
    case 'pixelMask':
      return pixelMask(tensor.dtype, input, pictures);
    case 'changeMask': {
      const length = changes.reduce((sum, { length: n }) => sum + n, 0);
      const { put, tensor: made } = zeros(tensor.dtype, [length]);
      let at = 0;
      for (const one of changes) for (const value of one) put(at++, value);
      return made();
    }
    case 'spatialShapes': {
      const rows = pictures.flatMap(({ grid: size }) => {
        const { f, h, w } = extentsOf(size);
        return Array.from({ length: f }, () => [h, w]);
      });
      const { put, tensor: made } = zeros(tensor.dtype, [rows.length, 2]);
      rows.flat().forEach((value, i) => put(i, value));
      return made();
    }
    case 'mergeSizes': {
      const { put, tensor: made } = zeros(tensor.dtype, [pictures.length]);
      pictures.forEach((_, i) => put(i, input.patch.merge));
      return made();
    }
    case 'secondsPerStep': {
      const { put, tensor: made } = zeros(tensor.dtype, [pictures.length]);
      pictures.forEach(({ secondsPerFrame }, i) => put(i, input.patch.frames * secondsPerFrame));
      return made();
    }
  }
}
