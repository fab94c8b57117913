/** Blocks of frames into canvases, and where each patch of a canvas came from. */
import type { Block } from './groups.js';

/** Side of a block in patches. */
export const BLOCK = 2;

/** All patches of all frames in raster order. */
export interface FramePatches {
  /** Those of one frame, uint8 [rows, columns, P, P, 3]; valid until the next call. */
  frame(index: number): Uint8Array;
  readonly rows: number;
  readonly columns: number;
  readonly side: number;
}

/** Scores of the blocks of one frame, in raster order: those of their patches together. */
export function blockScores(
  scores: Float32Array,
  frame: number,
  { rows, columns }: FramePatches,
): Float64Array {
  const across = columns / BLOCK;
  const sums = new Float64Array((rows / BLOCK) * across);
  for (let row = 0, at = frame * rows * columns; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) {
      const block = Math.floor(row / BLOCK) * across + Math.floor(column / BLOCK);
      sums[block] = (sums[block] as number) + (scores[at] as number);
    }
  }
  return sums;
}

const MOST_RANGE = 12;
const DARK = 8;
const DARK_SPREAD = 6;

/** Whether a frame shows nothing: one colour, or next to black. Such a frame is no anchor and gives no blocks. */
export function showsNothing(data: Uint8Array): boolean {
  const bytes = data.length;
  const [least, most] = [
    [255, 255, 255],
    [0, 0, 0],
  ] as [number[], number[]];
  let [sum, squares] = [0, 0];
  for (let i = 0; i < bytes; i += 3) {
    const [r, g, b] = [data[i] as number, data[i + 1] as number, data[i + 2] as number];
    if (r < (least[0] as number)) least[0] = r;
    if (g < (least[1] as number)) least[1] = g;
    if (b < (least[2] as number)) least[2] = b;
    if (r > (most[0] as number)) most[0] = r;
    if (g > (most[1] as number)) most[1] = g;
    if (b > (most[2] as number)) most[2] = b;
    const luma = 0.299 * r + 0.587 * g + 0.114 * b;
    sum += luma;
    squares += luma * luma;
  }
  if (most.every((top, c) => top - (least[c] as number) <= MOST_RANGE)) return true;
  const mean = sum / (bytes / 3);
  const spread = Math.sqrt(Math.max(0, squares / (bytes / 3) - mean * mean));
  return mean <= DARK && spread <= DARK_SPREAD;
}

export interface Packed {
  /** uint8 [canvases, rows · P, columns · P, 3]. */
  readonly pixels: Uint8Array<ArrayBuffer>;
  /** int32 [canvases · rows · columns, 3], raster order of each canvas; −1 where nothing is. */
  readonly positions: Int32Array<ArrayBuffer>;
}

/**
 * Lays the blocks into canvases in raster order of blocks. `ids` are the display indices of the group's
 * frames, `first` its first frame among all.
 */
export function packGroup(
  patches: FramePatches,
  blocks: readonly Block[],
  { ids, first }: { ids: readonly number[]; first: number },
): Packed & { readonly canvases: number } {
  const { rows, columns, side } = patches;
  const across = columns / BLOCK;
  const perCanvas = (rows / BLOCK) * across;
  const canvases = Math.ceil(blocks.length / perCanvas);
  const perPatch = side * side * 3;
  const line = side * 3;
  const pixels = new Uint8Array(canvases * rows * columns * perPatch);
  const positions = new Int32Array(canvases * rows * columns * 3).fill(-1);
  let held = -1;
  let data: Uint8Array = new Uint8Array(0);
  blocks.forEach(({ frame, block }, i) => {
    if (frame !== held) data = patches.frame(first + frame);
    held = frame;
    const canvas = Math.floor(i / perCanvas);
    const place = i % perCanvas;
    for (let k = 0; k < BLOCK * BLOCK; k++) {
      const [dy, dx] = [Math.floor(k / BLOCK), k % BLOCK];
      const row = Math.floor(block / across) * BLOCK + dy;
      const column = (block % across) * BLOCK + dx;
      const toRow = Math.floor(place / across) * BLOCK + dy;
      const toColumn = (place % across) * BLOCK + dx;
      const from = (row * columns + column) * perPatch;
      for (let y = 0; y < side; y++) {
        const at = ((canvas * rows + toRow) * side + y) * columns * line + toColumn * line;
        pixels.set(data.subarray(from + y * line, from + (y + 1) * line), at);
      }
      positions.set(
        [ids[frame] as number, row, column],
        3 * ((canvas * rows + toRow) * columns + toColumn),
      );
    }
  });
  return { pixels, positions, canvases };
}

/** Rows of canvases in raster order, as those of merge blocks: the four of a block are neighbours. */
export function inBlocks(positions: Int32Array, rows: number, columns: number): Int32Array {
  const result = new Int32Array(positions.length);
  const perCanvas = rows * columns;
  for (let i = 0; i < positions.length / 3; i++) {
    const canvas = Math.floor(i / perCanvas);
    const inside = i % perCanvas;
    const block = Math.floor(inside / (BLOCK * BLOCK));
    const k = inside % (BLOCK * BLOCK);
    const across = columns / BLOCK;
    const row = Math.floor(block / across) * BLOCK + Math.floor(k / BLOCK);
    const column = (block % across) * BLOCK + (k % BLOCK);
    const from = 3 * (canvas * perCanvas + row * columns + column);
    result.set(positions.subarray(from, from + 3), 3 * i);
  }
  return result;
}
