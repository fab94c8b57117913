/** Options of which frames are wanted. */
import { draw } from '../../support/random.js';
import { invalid } from '../../support/is.js';
import { boolean, BOTH, integer, number, oneOf } from '../kinds.js';
import type { Kind } from '../kinds.js';
import { listOf, structure, tuple, union } from '../structures.js';
import type { SampleRuleRecord } from '../record-types.js';

/** As many frames as a call gives at most. */
const MOST_FRAMES = 1_000_000;
/** What a number can name exactly. */
const FAR = Number.MAX_SAFE_INTEGER;

const frameCount = { min: 1, max: MOST_FRAMES } as const;

const FPS_COUNT = structure('FpsCount', {
  fps: number({ min: Number.MIN_VALUE, doc: 'Frames per second of video.' }),
  min: integer({ ...frameCount, field: { absent: null }, doc: 'At least so many.' }),
  max: integer({ ...frameCount, field: { absent: null }, doc: 'At most so many.' }),
  multipleOf: integer({
    ...frameCount,
    default: 1,
    doc: 'Cut down to a multiple of this; 1 where not even one multiple is left.',
  }),
  round: oneOf(['floor', 'nearest'], {
    field: { enum: 'CountRound' },
    default: 'floor',
    doc: "What becomes of a fraction of a frame; 'nearest' rounds halves to even.",
  }),
});

const COUNT_ROW = tuple('CountRow', {
  belowSeconds: number({ min: Number.MIN_VALUE }),
  frames: integer(frameCount),
});

const COUNT = union(
  'Count',
  { frames: integer(frameCount), fps: FPS_COUNT, table: listOf(COUNT_ROW, { most: 1000 }) },
  {
    expected:
      'integer between 1 and 1000000, { fps, min?, max?, multipleOf?, round? } or ' +
      '[[belowSeconds, frames], ...]',
    doc:
      'How many frames: a number; by rate and duration; or by duration, [[10, 8], [30, 16], [60, 32]] for ' +
      '8 below 10 s, 16 below 30 s, else 32.',
  },
);

/** The parts of a range are of one kind: seconds or indices. */
function oneKind<T>(range: Kind<T>): Kind<T> {
  return {
    ...range,
    type:
      'OneOf<{ readonly fromSec?: number | undefined; readonly toSec?: number | undefined } | ' +
      '{ readonly from?: number | undefined; readonly to?: number | undefined }>',
    parse: (at, value) => {
      const record = range.parse(at, value);
      const { fromSec, toSec, from, to } = record as Record<string, number | null>;
      if ((fromSec ?? toSec ?? null) !== null && (from ?? to ?? null) !== null) {
        throw invalid(at, range.expected, value, ', which mixes seconds and indices');
      }
      return record;
    },
  };
}

const RANGE = oneKind(
  structure(
    'SampleRange',
    {
      fromSec: number({ min: 0, field: { absent: null } }),
      toSec: number({ min: 0, field: { absent: null } }),
      from: integer({ min: -FAR, max: FAR, field: { absent: null } }),
      to: integer({ min: -FAR, max: FAR, field: { absent: null } }),
    },
    {
      expected: '{ fromSec?, toSec? } or { from?, to? }',
      field: { absent: null },
      doc:
        'Only frames of this half-open range: seconds since the first frame, or display indices as slice ' +
        'takes them.',
    },
  ),
);

const SHORT = ['repeat-ids', 'all', 'repeat-last', 'error'] as const;

/** Among which frames a rule chooses. */
const AMONG = {
  only: oneOf(['key-frames'], {
    field: { enum: 'SampleOnly', absent: null },
    doc: 'Only frames with the key flag: one packet is decoded per frame.',
  }),
  range: RANGE,
  trim: number({
    min: 0,
    field: { absent: null },
    doc:
      'Seconds that are left out at both ends, where frames are left then; a shorter video is taken whole. ' +
      'With an fps count and its max only where more than max · fps seconds are left.',
  }),
  unique: boolean({ default: false, doc: 'Leaves out frames that are there already.' }),
} as const;

const COUNT_RULE = structure('CountRule', {
  count: COUNT,
  place: oneOf(['ends', 'ends-round', 'linspace', 'starts', 'middles', 'every', 'times'], {
    field: { enum: 'SamplePlace' },
    default: 'ends',
    doc: 'Where the frames lie among N: docs/sampling.md has each formula.',
  }),
  ...AMONG,
  short: oneOf(SHORT, {
    field: { enum: 'WhenShort' },
    default: 'repeat-ids',
    doc:
      "Where there are fewer frames than wanted: 'repeat-ids' repeats some as the formula does, 'all' takes " +
      "each once, 'repeat-last' repeats the last one behind them.",
  }),
});

const CLIP_RULE = structure('ClipRule', {
  clip: integer({ ...frameCount, doc: 'Number of frames.' }),
  stride: integer({ ...frameCount, default: 1, doc: 'Frames from one to the next.' }),
  start: union(
    'ClipStart',
    {
      position: integer({ min: 0, max: FAR }),
      place: oneOf(['centre', 'random'], { field: { enum: 'ClipPlace' } }),
    },
    {
      default: 'centre',
      doc: "First frame: its position, 'centre' or 'random'. Default: 'centre'.",
    },
  ),
  seed: seedOf(
    "Of start 'random': the same seed gives the same start, on every machine. Default: 0.",
  ),
  ...AMONG,
  short: oneOf(SHORT, {
    field: { enum: 'WhenShort' },
    default: 'repeat-last',
    doc:
      "Where the clip reaches beyond the last frame: 'repeat-last' repeats the last one that is there, " +
      "'all' leaves the rest out.",
  }),
});

/** The record has the random number that belongs to the seed, uniform in [0, 1). */
function seedOf(doc: string): Kind<number> {
  const seed = number({ doc });
  return {
    ...seed,
    field: { absent: draw(0) },
    parse: (name, value) => draw(seed.parse(name, value)),
  };
}

/** Numbers as an array or a typed array: what results and videos have is taken as it is. */
function numbers(item: Kind<number>, doc: string): Kind<readonly number[]> {
  const list = listOf(item, { doc });
  return {
    ...list,
    type: 'ArrayLike<number>',
    parse: (name, value) => {
      const typed = ArrayBuffer.isView(value) && !(value instanceof DataView);
      return list.parse(name, typed ? Array.from(value as unknown as ArrayLike<number>) : value);
    },
  };
}

const INDICES_RULE = structure('IndicesRule', {
  indices: numbers(
    integer({ min: -FAR, max: FAR }),
    'Display indices, in any order, repeats allowed; negative ones count from the end.',
  ),
});

const TIMES_RULE = structure('TimesRule', {
  timesSec: numbers(
    number({ min: 0 }),
    'Seconds since the first frame, in any order: the frame that is on screen then.',
  ),
});

/** What no single part can see. */
function checkRule(at: string, rule: SampleRuleRecord, given: unknown): void {
  if (rule.kind === 'clip' && rule.value.short === 'repeat-ids') {
    throw invalid(`${at}.short`, "'all', 'repeat-last' or 'error' (of a clip)", 'repeat-ids');
  }
  if (rule.kind !== 'count') return;
  const { count, place } = rule.value;
  if (count.kind === 'table') {
    const ends = count.value.map(({ belowSeconds }) => belowSeconds);
    if (ends.some((end, i) => i > 0 && end <= (ends[i - 1] ?? 0))) {
      throw invalid(`${at}.count`, 'rows of ascending belowSeconds', ends);
    }
  }
  if (count.kind === 'fps') {
    const { min, max } = count.value;
    if (min !== null && max !== null && min > max) {
      throw invalid(`${at}.count.min`, `integer <= max (${max})`, min);
    }
  }
  if (place !== 'every') return;
  if (count.kind !== 'fps') throw invalid(`${at}.count`, "{ fps, max? } (place is 'every')", given);
  const { min, multipleOf, round } = count.value;
  if (min !== null || multipleOf !== 1 || round !== 'floor') {
    throw invalid(`${at}.count`, "{ fps, max? } (place is 'every')", given);
  }
}

const EXPECTED =
  '{ count, place?, ... }, { clip, stride?, start?, ... }, { indices } or { timesSec }';

const SAMPLE_TEXT = {
  apis: BOTH,
  record: 'sampling',
  default: { count: 16 },
  defaultText: '{ count: 16 }',
  expected: EXPECTED,
  doc:
    'Which frames, and in which order: a number of them spread over the video, by fps, a clip, indices, ' +
    'times, key frames. docs/sampling.md shows every form. The result has the order and the repeats of ' +
    'the rule.',
  impact:
    "Only the packets that the frames depend on are decoded: with only: 'key-frames' one per frame; a clip " +
    'also needs those since the key frame before it.',
} as const;

const RULE = union<SampleRuleRecord>(
  'SampleRule',
  { count: COUNT_RULE, clip: CLIP_RULE, indices: INDICES_RULE, timesSec: TIMES_RULE },
  SAMPLE_TEXT,
);

export const SAMPLING = {
  sequenceLength: integer({
    apis: BOTH,
    ...frameCount,
    defaultText: '16',
    doc:
      'Number T of uniformly sampled frames, short for sample: { count: T }. Of N frames, sample i is the ' +
      'one with display index floor(i·(N−1)/(T−1)); a video with fewer frames repeats some. Not beside ' +
      'sample.',
    impact: 'Decoding time and memory grow with it until nearly all frames are decoded.',
  }),
  sample: {
    ...RULE,
    parse: (name: string, value: unknown): SampleRuleRecord => {
      const rule = RULE.parse(name, value);
      checkRule(name, rule, value);
      return rule;
    },
  },
} as const;
