/** The language in which tensors are described: one string of axes says how a tensor is laid out. */
import { invalid } from '../support/is.js';

/** What an axis runs over. */
export const AXES = {
  n: 'videos',
  f: 'frames',
  t: 'temporal patches',
  s: 'frames of a temporal patch',
  h: 'patch rows',
  w: 'patch columns',
  H: 'rows of merge blocks',
  W: 'columns of merge blocks',
  a: 'patch rows of a merge block',
  b: 'patch columns of a merge block',
  F: 'canvases of selected patches',
  k: 'selected patches',
  c: 'channels',
  y: 'pixel rows of a patch',
  x: 'pixel columns of a patch',
  Y: 'pixel rows of the frame',
  X: 'pixel columns of the frame',
} as const;

export type Axis = keyof typeof AXES;
/** One entry per axis of the tensor: the axes that are joined in it, outermost first. */
export type Groups = readonly (readonly Axis[])[];

const isAxis = (text: string): text is Axis => Object.hasOwn(AXES, text);

const EXPECTED = `axes out of ${Object.keys(AXES).join(' ')}, one letter each, joined by parentheses`;

/** Splits `text` into axes. Throws ERR_CPS_INVALID_ARGUMENT naming what is wrong. */
function split(at: string, text: unknown): Groups {
  if (typeof text !== 'string' || text.length > 200) throw invalid(at, EXPECTED, text);
  const groups: Axis[][] = [];
  const seen = new Set<string>();
  let open: Axis[] | undefined;
  for (const token of text.match(/[A-Za-z0-9_]+|\S/g) ?? []) {
    if (token === '(') {
      if (open) throw invalid(at, 'parentheses that are not nested', text);
      open = [];
    } else if (token === ')') {
      if (!open || open.length === 0) throw invalid(at, 'parentheses around axes', text);
      groups.push(open);
      open = undefined;
    } else {
      if (!isAxis(token)) throw invalid(at, EXPECTED, text, `, which has ${JSON.stringify(token)}`);
      if (seen.has(token)) throw invalid(at, 'each axis once', text, `, which has ${token} twice`);
      seen.add(token);
      if (open) open.push(token);
      else groups.push([token]);
    }
  }
  if (open) throw invalid(at, "a ')' for each '('", text);
  if (groups.length === 0) throw invalid(at, EXPECTED, text);
  return Object.freeze(groups.map((group) => Object.freeze(group)));
}

const ROWS = [['Y'], ['h', 'y'], ['H', 'a', 'y']] as const;
const COLUMNS = [['X'], ['w', 'x'], ['W', 'b', 'x']] as const;
const PATCH_ROWS = [['h'], ['H', 'a']] as const;
const PATCH_COLUMNS = [['w'], ['W', 'b']] as const;

type Alternatives = readonly (readonly Axis[])[];

const listed = (sets: Alternatives): string => sets.map((set) => `'${set.join(' ')}'`).join(' or ');
const namedAxes = (names: readonly Axis[]): string =>
  names.map((name) => `${name} (${AXES[name]})`).join(', ');

/** Which of the alternatives is there, whole and alone; throws where none is, or parts of others. */
function oneOfSets(
  at: string,
  text: unknown,
  axes: ReadonlySet<Axis>,
  what: string,
  sets: Alternatives,
): number {
  const given = [...new Set(sets.flat())].filter((axis) => axes.has(axis));
  const found = sets.findIndex(
    (set) => set.length === given.length && set.every((axis) => axes.has(axis)),
  );
  if (found < 0) {
    const has = given.length === 0 ? ', which has none' : `, which has ${given.join(' ')}`;
    throw invalid(at, `${listed(sets)} for the ${what}`, text, has);
  }
  return found;
}

/** Videos are the outermost axis: rows of one video stay together. */
function checkVideosFirst(at: string, text: unknown, groups: Groups): void {
  if (groups[0]?.[0] !== 'n') throw invalid(at, 'n (videos) as the first axis', text);
}

function checkNoOthers(
  at: string,
  text: unknown,
  axes: ReadonlySet<Axis>,
  known: readonly Axis[],
): void {
  const others = [...axes].filter((axis) => !known.includes(axis));
  if (others.length > 0) {
    throw invalid(at, `no axis ${namedAxes(others)} beside the others`, text);
  }
}

/** What runs over time: whole frames, temporal patches, or patches that were selected. */
export type TimeAxes = 'frames' | 'steps' | 'canvases' | 'selected';

/** The axes of a pixel tensor, understood. */
export interface PixelAxes {
  readonly text: string;
  readonly groups: Groups;
  readonly time: TimeAxes;
  /** Rows and columns as pixels of the frame, of patches, or of patches in merge blocks. */
  readonly space: 'pixels' | 'patches' | 'blocks';
}

/** The axes of what goes with the rows of a pixel tensor: one place per frame, step or patch. */
export interface RowAxes {
  readonly text: string;
  readonly groups: Groups;
  readonly time: TimeAxes;
  readonly space: 'whole' | 'patches' | 'blocks';
}

const TIMES: Readonly<Record<TimeAxes, readonly Axis[]>> = {
  frames: ['f'],
  steps: ['t', 's'],
  canvases: ['F'],
  selected: ['k'],
};
const ROW_TIMES: Readonly<Record<TimeAxes, readonly Axis[]>> = { ...TIMES, steps: ['t'] };

function timeOf(
  at: string,
  text: unknown,
  axes: ReadonlySet<Axis>,
  times: Readonly<Record<TimeAxes, readonly Axis[]>>,
): TimeAxes {
  const found = oneOfSets(at, text, axes, 'time', Object.values(times));
  return Object.keys(times)[found] as TimeAxes;
}

/** The axes of `text`, a pixel tensor's. Throws ERR_CPS_INVALID_ARGUMENT naming the axis. */
export function parsePixelAxes(at: string, text: unknown): PixelAxes {
  const groups = split(at, text);
  const axes = new Set(groups.flat());
  checkVideosFirst(at, text, groups);
  if (!axes.has('c')) throw invalid(at, 'c (channels) among the axes', text);
  const time = timeOf(at, text, axes, TIMES);
  const ofPatches = time === 'selected' || time === 'canvases';
  const rows: Alternatives = time === 'selected' ? [['y']] : ofPatches ? [ROWS[1]] : ROWS;
  const columns: Alternatives = time === 'selected' ? [['x']] : ofPatches ? [COLUMNS[1]] : COLUMNS;
  const row = oneOfSets(at, text, axes, 'rows', rows);
  const column = oneOfSets(at, text, axes, 'columns', columns);
  const known = [...TIMES[time], ...(rows[row] ?? []), ...(columns[column] ?? [])];
  checkNoOthers(at, text, axes, ['n', 'c', ...known]);
  if (row !== column) throw invalid(at, `${listed([columns[row] ?? []])} for the columns`, text);
  const space = ofPatches ? 'patches' : (['pixels', 'patches', 'blocks'] as const)[row];
  return Object.freeze({ text: text as string, groups, time, space: space ?? 'pixels' });
}

/** The axes of `text`, those of positions, masks and the like. */
export function parseRowAxes(at: string, text: unknown): RowAxes {
  const groups = split(at, text);
  const axes = new Set(groups.flat());
  checkVideosFirst(at, text, groups);
  const time = timeOf(at, text, axes, ROW_TIMES);
  const sets: Alternatives = time === 'selected' ? [[]] : [[], ...PATCH_ROWS];
  const columnSets: Alternatives = time === 'selected' ? [[]] : [[], ...PATCH_COLUMNS];
  const row = oneOfSets(at, text, axes, 'patch rows', sets);
  const column = oneOfSets(at, text, axes, 'patch columns', columnSets);
  const known = [...ROW_TIMES[time], ...(sets[row] ?? []), ...(columnSets[column] ?? [])];
  checkNoOthers(at, text, axes, ['n', ...known]);
  if (row !== column) throw invalid(at, `${listed([columnSets[row] ?? []])} for the columns`, text);
  const space = (['whole', 'patches', 'blocks'] as const)[row] ?? 'whole';
  return Object.freeze({ text: text as string, groups, time, space });
}

const PIXEL_LEVEL: readonly Axis[] = ['s', 'c', 'y', 'x', 'Y', 'X'];

/**
 * The row axes that go with pixels of these axes: the same ones without what is inside a row. Where
 * rows and pixels are mixed in one axis of the tensor: all rows of a video in one axis.
 */
export function rowAxesOf({ groups, time, space }: PixelAxes): RowAxes {
  const isInside = (axis: Axis): boolean => PIXEL_LEVEL.includes(axis);
  const mixed = groups.some((group) => group.some(isInside) && !group.every(isInside));
  let rows: Groups = groups.filter((group) => !group.some(isInside));
  if (mixed) {
    const inside: readonly Axis[] = space === 'blocks' ? ['H', 'W', 'a', 'b'] : ['h', 'w'];
    rows = [['n'], [...ROW_TIMES[time], ...inside]];
  }
  const text = rows
    .map((group) => (group.length > 1 ? `(${group.join(' ')})` : group.join('')))
    .join(' ');
  return Object.freeze({
    text,
    groups: rows,
    time,
    space: space === 'pixels' ? 'whole' : space,
  });
}
