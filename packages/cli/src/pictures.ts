/** Pictures of a selection, as plain RGB arrays; nothing here touches files. */
import { drawText, textHeight } from './glyphs.js';
import { blank, paste } from './picture.js';
import type { Picture, Rgb } from './picture.js';

/** What the pictures are made of. */
export interface Selection {
  /** Sampled frames, patch rows, patch columns. */
  readonly grid: { readonly t: number; readonly h: number; readonly w: number };
  /** Side of a patch in pixels of the scaled frames. */
  readonly patchSize: number;
  /** [T, grid.h, grid.w], 1 where the patch is selected. */
  readonly selected: Uint8Array;
  /** [T, grid.h, grid.w] */
  readonly scores: Float32Array;
}

/**
 * The selected patches of one frame where they belong, the rest black: the patch tensor itself, as a
 * model gets it.
 *
 * @param patches values 0..255 of all selected patches, [K, 3, P, P]
 * @param positions [K, 3]: frame, row, column
 */
export function patchPicture(
  { grid, patchSize: p }: Selection,
  patches: Float32Array,
  positions: Int32Array,
  frame: number,
): Picture {
  const out = blank(grid.w * p, grid.h * p);
  const area = p * p;
  for (let k = 0; k * 3 < positions.length; k++) {
    if (positions[k * 3] !== frame) continue;
    const top = (positions[k * 3 + 1] ?? 0) * p;
    const left = (positions[k * 3 + 2] ?? 0) * p;
    for (let i = 0; i < area; i++) {
      const to = ((top + Math.floor(i / p)) * out.width + left + (i % p)) * 3;
      for (let c = 0; c < 3; c++) {
        out.data[to + c] = Math.round(patches[(k * 3 + c) * area + i] ?? 0);
      }
    }
  }
  return out;
}

/** The patch that a pixel of a picture of one frame belongs to, as an index of [grid.h, grid.w]. */
function patchLookup({ grid }: Selection, width: number, height: number) {
  const columns = Uint32Array.from({ length: width }, (_, x) => Math.floor((x * grid.w) / width));
  return (x: number, y: number): number =>
    Math.floor((y * grid.h) / height) * grid.w + (columns[x] ?? 0);
}

/** Selected patches as they are, the rest dark and nearly grey. */
export function dimUnselected(selection: Selection, picture: Picture, frame: number): Picture {
  const { width, height, data } = picture;
  const out = blank(width, height);
  const patchOf = patchLookup(selection, width, height);
  const first = frame * selection.grid.h * selection.grid.w;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * 3;
      const [r = 0, g = 0, b = 0] = data.subarray(at, at + 3);
      if (selection.selected[first + patchOf(x, y)]) {
        out.data.set([r, g, b], at);
      } else {
        const grey = 0.299 * r + 0.587 * g + 0.114 * b;
        out.data.set(
          [r, g, b].map((v) => 0.26 * (0.3 * v + 0.7 * grey)),
          at,
        );
      }
    }
  }
  return out;
}

/** Dark violet over red and orange to pale yellow: brighter is more, also when printed grey. */
const HEAT: readonly Rgb[] = [
  [0, 0, 4],
  [51, 10, 94],
  [120, 28, 109],
  [188, 55, 84],
  [237, 105, 37],
  [251, 180, 26],
  [252, 255, 164],
];

/** The colour of a value in 0..1. */
export function heat(value: number): Rgb {
  const at = Math.min(1, Math.max(0, value)) * (HEAT.length - 1);
  const low = Math.min(HEAT.length - 2, Math.floor(at));
  const [a, b] = [HEAT[low] ?? [0, 0, 0], HEAT[low + 1] ?? [0, 0, 0]];
  const mix = (c: 0 | 1 | 2): number => Math.round(a[c] + (b[c] - a[c]) * (at - low));
  return [mix(0), mix(1), mix(2)];
}

/**
 * The energy of every patch of one frame over a faint grey picture of it, so that one can see what is
 * hot; `full` is the score that gets the brightest colour.
 */
export function heatPicture(
  selection: Selection,
  picture: Picture,
  frame: number,
  full: number,
): Picture {
  const { width, height, data } = picture;
  const out = blank(width, height);
  const patchOf = patchLookup(selection, width, height);
  const size = selection.grid.h * selection.grid.w;
  const scores = selection.scores.subarray(frame * size, (frame + 1) * size);
  const colours = Array.from(scores, (score) => heat(full > 0 ? score / full : 0));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * 3;
      const [r = 0, g = 0, b = 0] = data.subarray(at, at + 3);
      const grey = 0.299 * r + 0.587 * g + 0.114 * b;
      const colour = colours[patchOf(x, y)] ?? [0, 0, 0];
      for (let c = 0; c < 3; c++) out.data[at + c] = 0.25 * grey + 0.75 * (colour[c] ?? 0);
    }
  }
  return out;
}

/** Pictures of one size side by side in rows, each with a line of text above it. */
export function contactSheet(
  pictures: readonly Picture[],
  labels: readonly string[],
  columns: number,
): Picture {
  const first = pictures[0];
  if (!first) throw new RangeError('Expected at least one picture for a contact sheet');
  const gap = 8;
  const text = 2;
  const head = textHeight(text) + 6;
  const rows = Math.ceil(pictures.length / columns);
  const [cellWidth, cellHeight] = [first.width + gap, first.height + head + gap];
  const sheet = blank(columns * cellWidth + gap, rows * cellHeight + gap, [24, 26, 30]);
  pictures.forEach((picture, i) => {
    const x = gap + (i % columns) * cellWidth;
    const y = gap + Math.floor(i / columns) * cellHeight;
    drawText(sheet, labels[i] ?? '', x, y, text, [214, 218, 224]);
    paste(sheet, picture, x, y + head);
  });
  return sheet;
}
