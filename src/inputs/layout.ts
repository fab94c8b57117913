/**
 * From axes to places: shapes of tensors, and where everything of a video goes in them. Pure
 * arithmetic; the addon copies by the plans that are made here.
 */
import type { Axis, Groups } from './axes.js';

/** How many there are of each axis, in one video. */
export type Extents = Readonly<Record<Exclude<Axis, 'n'>, number>>;

/** The grid of one video. */
export interface Grid {
  /** Frames that the sample gave. */
  readonly frames: number;
  /** Frames in a temporal patch. */
  readonly perStep: number;
  readonly height: number;
  readonly width: number;
  /** Side of a patch; without patches: 1. */
  readonly patch: number;
  /** Side of a merge block in patches. */
  readonly merge: number;
  /** Patches that were selected. */
  readonly selected: number;
}

export function extentsOf(grid: Grid): Extents {
  const { frames, perStep, height, width, patch, merge, selected } = grid;
  const [h, w] = [Math.floor(height / patch), Math.floor(width / patch)];
  return {
    ...{ f: frames, t: Math.ceil(frames / perStep), s: perStep },
    ...{ h, w, H: Math.floor(h / merge), W: Math.floor(w / merge), a: merge, b: merge },
    ...{ F: Math.ceil(selected / Math.max(1, h * w)), k: selected },
    ...{ c: 3, y: patch, x: patch, Y: height, X: width },
  };
}

/** One axis of a copy: how many, and how far apart they lie in the tensor, in elements. */
export interface PlacedAxis {
  readonly axis: Axis;
  readonly size: number;
  readonly out: number;
}

/** Where one video is in a tensor. */
export interface Place {
  /** Of its first element, in elements. */
  readonly offset: number;
  readonly axes: readonly PlacedAxis[];
}

export interface Layout {
  readonly shape: readonly number[];
  /** Number of elements. */
  readonly length: number;
  readonly places: readonly Place[];
  /** The first video that is smaller than the tensor in some axis, and that axis; it is padded. */
  readonly padded: { readonly video: number; readonly axis: string } | undefined;
}

const sizeOf = (group: readonly Axis[], extents: Extents): number =>
  group.reduce((product, axis) => (axis === 'n' ? product : product * extents[axis]), 1);

/**
 * The tensor that holds `videos`: its own axis each ('n ...') or one behind the other ('(n ...)').
 * Axes in which they differ are as long as the longest video; `atLeast` makes an axis longer.
 */
export function layOut(
  groups: Groups,
  videos: readonly Extents[],
  atLeast: (group: readonly Axis[]) => number = () => 0,
): Layout {
  const joined = (groups[0]?.length ?? 0) > 1;
  const sizes = groups.map((group) => videos.map((extents) => sizeOf(group, extents)));
  const shape = groups.map((group, g) => {
    const each = sizes[g] ?? [];
    if (g === 0) return joined ? each.reduce((sum, size) => sum + size, 0) : videos.length;
    return Math.max(atLeast(group), ...each);
  });
  const strides = shape.map((_, g) => shape.slice(g + 1).reduce((product, n) => product * n, 1));
  let padded: Layout['padded'];
  let before = 0;
  const places = videos.map((extents, video): Place => {
    const axes: PlacedAxis[] = [];
    groups.forEach((group, g) => {
      let out = strides[g] ?? 1;
      if (g > 0 && sizes[g]?.[video] !== shape[g]) {
        padded ??= { video, axis: group.length > 1 ? `(${group.join(' ')})` : group.join('') };
      }
      const inGroup: PlacedAxis[] = [];
      for (const axis of [...group].reverse()) {
        if (axis === 'n') continue;
        inGroup.unshift({ axis, size: extents[axis], out });
        out *= extents[axis];
      }
      axes.push(...inGroup);
    });
    const offset = before * (strides[0] ?? 1);
    before += joined ? (sizes[0]?.[video] ?? 0) : 1;
    return { offset, axes };
  });
  const length = shape.reduce((product, n) => product * n, 1);
  return { shape, length, places, padded };
}

/** One loop of the addon's copy, outermost first. */
export interface CopyAxis extends PlacedAxis {
  /** How far apart they are in the list of units (frames or patches). */
  readonly unit: number;
  /** How far apart they are in a unit, in bytes. */
  readonly inner: number;
}

/** What the copied pixels are: whole frames [units, H, W, 3], or patches [units, P, P, 3]. */
export type Units = 'frames' | 'patches';

/** The loops that copy one video's pixels, 8-bit RGB, to its place. */
export function copyAxes({ axes }: Place, units: Units, grid: Grid): readonly CopyAxis[] {
  const { perStep, width, patch, merge } = grid;
  const columns = Math.floor(width / patch);
  const perFrame = Math.floor(grid.height / patch) * columns;
  const row = 3 * (units === 'frames' ? width : patch);
  const steps: Readonly<Record<Exclude<Axis, 'n'>, readonly [unit: number, inner: number]>> =
    units === 'frames'
      ? {
          ...{ f: [1, 0], t: [perStep, 0], s: [1, 0], F: [0, 0], k: [0, 0] },
          ...{ h: [0, patch * row], w: [0, patch * 3] },
          ...{ H: [0, merge * patch * row], W: [0, merge * patch * 3] },
          ...{ a: [0, patch * row], b: [0, patch * 3] },
          ...{ c: [0, 1], y: [0, row], x: [0, 3], Y: [0, row], X: [0, 3] },
        }
      : {
          ...{ f: [perFrame, 0], t: [0, 0], s: [0, 0], F: [perFrame, 0], k: [1, 0] },
          ...{ h: [columns, 0], w: [1, 0], H: [merge * columns, 0], W: [merge, 0] },
          ...{ a: [columns, 0], b: [1, 0] },
          ...{ c: [0, 1], y: [0, row], x: [0, 3], Y: [0, 0], X: [0, 0] },
        };
  return axes.map((placed) => {
    const [unit, inner] = steps[placed.axis as Exclude<Axis, 'n'>];
    return { ...placed, unit, inner };
  });
}

/** The place of a row in its video: temporal patch or frame, patch row, patch column, selected patch. */
export interface Row {
  readonly time: number;
  readonly row: number;
  readonly column: number;
  /** Among the selected patches; of canvases, too. */
  readonly patch: number;
}

/** Calls `visit(element, row)` for each row of a video, in the order of the tensor. */
export function eachRow(
  { offset, axes }: Place,
  { height, width, patch, merge }: Grid,
  visit: (element: number, row: Row) => void,
): void {
  const columns = Math.floor(width / patch);
  const perFrame = Math.floor(height / patch) * columns;
  const at = new Array<number>(axes.length).fill(0);
  const total = axes.reduce((product, { size }) => product * size, 1);
  for (let i = 0; i < total; i++) {
    let element = offset;
    let [time, row, column, chosen] = [0, 0, 0, 0];
    axes.forEach(({ axis, out }, j) => {
      const index = at[j] ?? 0;
      element += index * out;
      if (axis === 'f' || axis === 't') time = index;
      else if (axis === 'F') chosen += index * perFrame;
      else if (axis === 'k') chosen += index;
      else if (axis === 'h') row += index;
      else if (axis === 'H') row += index * merge;
      else if (axis === 'a') row += index;
      else if (axis === 'w') column += index;
      else if (axis === 'W') column += index * merge;
      else if (axis === 'b') column += index;
    });
    if (axes.some(({ axis }) => axis === 'F')) chosen += row * columns + column;
    visit(element, { time, row, column, patch: chosen });
    for (let j = axes.length - 1; j >= 0; j--) {
      at[j] = (at[j] ?? 0) + 1;
      if ((at[j] ?? 0) < (axes[j]?.size ?? 0)) break;
      at[j] = 0;
    }
  }
}
