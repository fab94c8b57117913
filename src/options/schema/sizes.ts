/** Option `size`: the size of the pictures, as a rule or several one after the other. */
import { boolean, INT32_MAX, integer, number, oneOf } from '../kinds.js';
import type { Kind } from '../kinds.js';
import { listOf, structure, tuple, union } from '../structures.js';
import type { SizeRuleRecord } from '../record-types.js';
import { invalid } from '../../support/is.js';

const SIDE = { min: 1, max: 16384 } as const;

const EXACT = structure('ExactSize', {
  exact: tuple(
    'HeightWidth',
    { height: integer(SIDE), width: integer(SIDE) },
    { doc: '[height, width], whatever the proportions.' },
  ),
});

const SHORT = structure('ShortSize', {
  short: integer({
    ...SIDE,
    doc: 'The shorter side; the other one keeps the proportions, cut down.',
  }),
  crop: integer({
    ...SIDE,
    field: { absent: 0 },
    doc: 'Side of the square that is cut out of the middle; black where the picture is smaller.',
  }),
});

const LONG = structure('LongSize', {
  long: integer({
    ...SIDE,
    doc: 'The longer side; the other one keeps the proportions, cut down.',
  }),
  even: boolean({ default: false, doc: 'An odd other side becomes one larger.' }),
  pad: boolean({ default: false, doc: 'Stands in the middle of a black square of side `long`.' }),
});

const CAP = structure(
  'SizeCap',
  {
    tokens: integer({ min: 1, max: INT32_MAX, doc: 'Tokens of multipleOf² pixels.' }),
    share: number({
      min: Number.MIN_VALUE,
      max: 1,
      default: 1,
      doc: 'The part of them to be used.',
    }),
  },
  { field: { absent: null }, doc: 'A budget of tokens that the frames share.' },
);

const AREA_RULE = structure('AreaSize', {
  area: tuple(
    'AreaBounds',
    { min: integer({ min: 1, max: INT32_MAX }), max: integer({ min: 1, max: INT32_MAX }) },
    { doc: '[min, max] pixels; the proportions are kept as far as multipleOf allows.' },
  ),
  multipleOf: integer({ min: 1, max: 1024, doc: 'Both sides are multiples of this.' }),
  of: oneOf(['frame', 'video'], {
    field: { enum: 'AreaOf' },
    default: 'frame',
    doc: "Whether the bounds are of a frame or of all sampled frames together ('video').",
  }),
  framesPerStep: integer({
    min: 1,
    max: 1024,
    default: 2,
    doc: "Frames in a temporal patch, of 'video' and of cap.",
  }),
  branch: oneOf(['rounded', 'original', 'factor-first'], {
    field: { enum: 'AreaBranch' },
    default: 'rounded',
    doc:
      "Which area is compared with the bounds: that of the rounded sides, or the picture's own " +
      "('original'). 'factor-first' rounds tiny sides up to multipleOf first.",
  }),
  maxOverFrames: boolean({ default: false, doc: 'The upper bound is divided by the frames.' }),
  cap: CAP,
});

const PATCHES = structure('PatchesSize', {
  patches: integer({
    min: 1,
    max: 1_000_000,
    doc: 'The largest picture of the proportions that has no more patches (SigLIP 2 NaFlex).',
  }),
  patchSize: integer({
    min: 1,
    max: 1024,
    doc: 'Side of a patch; both sides are multiples of it.',
  }),
});

const EXPECTED =
  '{ exact: [h, w] }, { short, crop? }, { long, even?, pad? }, { area: [min, max], multipleOf, ... } or ' +
  '{ patches, patchSize }';

const RULE: Kind<SizeRuleRecord> = union<SizeRuleRecord>(
  'SizeRule',
  { exact: EXACT, short: SHORT, long: LONG, area: AREA_RULE, patches: PATCHES },
  { expected: EXPECTED },
);

/** As many rules as there may be one after the other. */
const MOST_RULES = 3;
const SIZE_EXPECTED = `${EXPECTED}, or 1 to ${MOST_RULES} of them in an array`;
const RULES = listOf(RULE, { most: MOST_RULES, expected: SIZE_EXPECTED });

/** What no single part can see. */
function checkRule(at: string, rule: SizeRuleRecord): void {
  if (rule.kind !== 'area') return;
  const { area, of, maxOverFrames, cap } = rule.value;
  if (area.min > area.max) throw invalid(`${at}.area`, '[min, max] with min <= max', area);
  if (cap !== null && maxOverFrames) {
    throw invalid(`${at}.cap`, 'maxOverFrames or cap, not both', cap);
  }
  if (maxOverFrames && of === 'video') {
    throw invalid(`${at}.maxOverFrames`, "no such key (of is 'video')", maxOverFrames);
  }
}

/** One rule, or a list of them. */
export const SIZE_KIND = {
  ...RULES,
  type: 'SizeRule | readonly SizeRule[]',
  parse: (name: string, value: unknown): readonly SizeRuleRecord[] => {
    const many = Array.isArray(value);
    if (typeof value !== 'object' || value === null) throw invalid(name, SIZE_EXPECTED, value);
    const rules = many ? RULES.parse(name, value) : [RULE.parse(name, value)];
    rules.forEach((rule, i) => checkRule(many ? `${name}[${i}]` : name, rule));
    return Object.freeze(rules);
  },
};
