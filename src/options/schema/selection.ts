/** Options of which patches are kept. */
import { invalid } from '../../support/is.js';
import { boolean, INT32_MAX, integer, number, oneOf, PATCHES_ONLY } from '../kinds.js';
import type { Kind } from '../kinds.js';
import type { PatchBudgetRecord } from '../record-types.js';
import { listOf, structure, union } from '../structures.js';

const patchCount = { min: 1, max: INT32_MAX } as const;

const FRAMES_BUDGET = structure('FramesBudget', {
  frames: number({
    min: Number.MIN_VALUE,
    doc: 'As many patches as so many frames have, rounded down.',
  }),
});

const RATE_BUDGET = structure('RateBudget', {
  perSecond: number({
    min: Number.MIN_VALUE,
    doc: "Patches per second of the video (of the rule's range where it has one), rounded down.",
  }),
  min: integer({ ...patchCount, field: { absent: null }, doc: 'At least so many.' }),
  max: integer({ ...patchCount, field: { absent: null }, doc: 'At most so many.' }),
});

const BUDGET_TEXT = {
  apis: PATCHES_ONLY,
  record: 'patch',
  default: 2048,
  defaultText: '2048',
  expected: `integer between 1 and ${INT32_MAX}, { frames } or { perSecond, min?, max? }`,
  doc:
    'Number of patches to keep; all of them if there are fewer. { frames: 8 }: as many as eight frames ' +
    'have. { perSecond, min?, max? }: by the duration. With selectionUnit ' +
    "'block2x2' a number must be a multiple of 4; the other forms are rounded down to one.",
  impact:
    "Size of the result; with resample 'bilinear-plain' only selected patches are converted to RGB.",
} as const;

const BUDGET = union<PatchBudgetRecord>(
  'PatchBudget',
  { patches: integer(patchCount), frames: FRAMES_BUDGET, perSecond: RATE_BUDGET },
  BUDGET_TEXT,
);

/** Of the patches of a frame: a share below 1, a number of them from there on. */
function bound<S extends Kind<number>>(spec: S): S {
  const [min, max] = spec.range ?? [0, 0];
  const least = min === 0 ? 'between 0 and' : 'above 0 and at most';
  const expected = `number ${least} ${max}, an integer from 1 on`;
  return {
    ...spec,
    expected,
    parse: (name: string, value: unknown): number => {
      const inside = typeof value === 'number' && value >= min && value <= max;
      if (!inside || (value >= 1 && !Number.isInteger(value))) throw invalid(name, expected, value);
      return value;
    },
  };
}

/** Rounding that a sum of two fractions may bring. */
const ROUNDING = 1e-9;

const side = { min: 1e-6, max: 1 } as const;
const RECTANGLE_EXPECTED = '{ x, y, width, height } in 0..1 of the frame';
const PLAIN_RECTANGLE = structure<{ x: number; y: number; width: number; height: number }>(
  'Rectangle',
  {
    x: number({ min: 0, max: 1, doc: 'Left edge.' }),
    y: number({ min: 0, max: 1, doc: 'Upper edge.' }),
    width: number(side),
    height: number(side),
  },
  { expected: RECTANGLE_EXPECTED, doc: 'A part of the displayed frame, in 0..1 of its sides.' },
);
const RECTANGLE = {
  ...PLAIN_RECTANGLE,
  parse: (name: string, value: unknown) => {
    const rectangle = PLAIN_RECTANGLE.parse(name, value);
    const { x, y, width, height } = rectangle;
    if (x + width > 1 + ROUNDING || y + height > 1 + ROUNDING) {
      throw invalid(name, RECTANGLE_EXPECTED, value, ', which reaches out of it');
    }
    return rectangle;
  },
};
const LETTERBOX = oneOf(['letterbox'], { field: { enum: 'IgnoredBars' } });

export const SELECTION = {
  kKeep: {
    ...BUDGET,
    parse: (name: string, value: unknown): PatchBudgetRecord => {
      const budget = BUDGET.parse(name, value);
      if (budget.kind === 'perSecond') {
        const { min, max } = budget.value;
        if (min !== null && max !== null && min > max) {
          throw invalid(`${name}.min`, `integer <= max (${max})`, min);
        }
      }
      return budget;
    },
  },
  keyFramePatches: oneOf(['auto', 'before-others', 'compete', 'none'], {
    apis: PATCHES_ONLY,
    record: 'patch',
    field: { enum: 'KeyFramePatches' },
    default: 'auto',
    doc:
      "'before-others': patches of key frames come before all others. 'compete': by score like any other. " +
      "'none': key frames give no patches. 'auto': 'compete' when kKeep is less than two frames' patches, " +
      "else 'before-others' (with energy 'reference' always). docs/selection.md shows each.",
    impact:
      "With 'before-others' a kKeep of one frame's patches is one whole key frame; with 'compete' the " +
      'patches are where something moves.',
  }),
  wholeFrames: oneOf(['none', 'first'], {
    apis: PATCHES_ONLY,
    record: 'patch',
    field: { enum: 'WholeFrames' },
    default: 'none',
    doc: "'first': all patches of the first sampled frame come before anything else.",
  }),
  minPerFrame: bound(
    number({
      apis: PATCHES_ONLY,
      record: 'patch',
      default: 0,
      min: 0,
      max: INT32_MAX,
      doc:
        'Each sampled frame gives at least so many, its best ones: below 1 a share of ' +
        "a frame's patches, rounded down; from 1 on a number (with blocks a multiple of 4).",
    }),
  ),
  maxPerFrame: bound(
    number({
      apis: PATCHES_ONLY,
      record: 'patch',
      field: { absent: null },
      min: Number.MIN_VALUE,
      max: INT32_MAX,
      defaultText: 'none',
      doc: 'No sampled frame, key frames included, gives more; counted as minPerFrame is.',
    }),
  ),
  ignore: union(
    'Ignore',
    {
      letterbox: LETTERBOX,
      parts: listOf(
        union(
          'IgnoredPart',
          { letterbox: LETTERBOX, width: RECTANGLE },
          {
            expected: `'letterbox' or ${RECTANGLE_EXPECTED}`,
            doc: 'A rectangle, or the bars that are found.',
          },
        ),
        { least: 0, most: 1000 },
      ),
    },
    {
      apis: PATCHES_ONLY,
      record: 'patch',
      default: [],
      defaultText: 'none',
      expected: `'letterbox' or array of 'letterbox' and ${RECTANGLE_EXPECTED}`,
      doc:
        'Parts of the frame that give no patches: rectangles in 0..1 of the displayed frame, and ' +
        "'letterbox', the black bars that all sampled frames have (the result's `letterbox` says how " +
        'large). A patch of which these cover more than half is left out.',
      impact: "'letterbox' reads the luma of every sampled frame once more.",
    },
  ),
  selectionUnit: oneOf(['patch', 'block2x2'], {
    apis: PATCHES_ONLY,
    record: 'patch',
    field: { enum: 'SelectionUnit' },
    default: 'patch',
    doc: 'Whether patches compete one by one or as blocks of 2×2.',
  }),
  staticFallback: boolean({
    apis: PATCHES_ONLY,
    record: 'patch',
    default: false,
    doc: 'Spreads the selection over a few whole frames when hardly anything moves.',
  }),
  staticAbsThresh: number({
    apis: PATCHES_ONLY,
    record: 'patch',
    default: 2,
    doc:
      'The video is static when the 95th percentile of mean scores is below this (divided by 255 ' +
      'above 1, then clamped to [0, 1]).',
  }),
  staticRelThresh: number({
    apis: PATCHES_ONLY,
    record: 'patch',
    default: 0.15,
    doc: 'Or below twice that, with a spread (p95 − p50) / p95 below this.',
  }),
  staticUniformFrames: integer({
    apis: PATCHES_ONLY,
    record: 'patch',
    default: 4,
    min: 0,
    max: 1_000_000,
    doc: 'Number of frames that a static video is spread over; 0 switches the fallback off.',
  }),
} as const;
