import { inspect } from 'node:util';
import { boolean, integer, number, oneOf } from '../../src/options/kinds.js';
import { listOf, structure, tuple, union } from '../../src/options/structures.js';
import { CodecPatchStreamError } from '../../src/support/errors.js';

// A value of every kind that can be part of another, as the sampling rules need them.
const times = structure('Times', { timesSec: listOf(number({}), { most: 3 }) });
const count = structure('CountOf', {
  count: union('Count', {
    frames: integer({ min: 1, max: 100 }),
    fps: structure('Fps', {
      fps: number({ min: Number.MIN_VALUE }),
      min: integer({ min: 1, default: 1 }),
      max: integer({ min: 1, field: { absent: null } }),
      whole: boolean({ default: false }),
    }),
    table: listOf(tuple('Row', { below: number({ min: 0 }), frames: integer({ min: 1 }) })),
  }),
  place: oneOf(['ends', 'middles'], { default: 'ends' }),
});
const rule = union('Rule', { count, timesSec: times });

const frames = (n: number) => ({ kind: 'frames', value: n });

test.each([
  [{ count: 8 }, { kind: 'count', value: { count: frames(8), place: 'ends' } }],
  [
    { count: { fps: 2 }, place: 'middles' },
    {
      kind: 'count',
      value: {
        count: { kind: 'fps', value: { fps: 2, min: 1, max: null, whole: false } },
        place: 'middles',
      },
    },
  ],
  [
    {
      count: [
        [2.5, 4],
        [60, 16],
      ],
    },
    {
      kind: 'count',
      value: {
        count: {
          kind: 'table',
          value: [
            { below: 2.5, frames: 4 },
            { below: 60, frames: 16 },
          ],
        },
        place: 'ends',
      },
    },
  ],
  [{ timesSec: [0, 1.5] }, { kind: 'timesSec', value: { timesSec: [0, 1.5] } }],
])('%j is read', (given, record) => {
  const got = rule.parse('sample', given);
  expect(got).toEqual(record);
  const frozen = (value: unknown): boolean =>
    typeof value !== 'object' ||
    value === null ||
    (Object.isFrozen(value) && Object.values(value).every(frozen));
  expect(frozen(got)).toBe(true);
});

test.each<[unknown, string]>([
  [8, 'for sample but received 8'],
  [{}, 'for sample but received {}'],
  [{ count: 8, timesSec: [1] }, 'which has count and timesSec at once'],
  [{ count: 0 }, 'Expected integer between 1 and 100 for sample.count but received 0'],
  [{ count: '8' }, 'for sample.count but received "8"'],
  [{ count: { fps: 0 } }, 'Expected number > 0 for sample.count.fps but received 0'],
  [{ count: { fps: 1, mx: 3 } }, 'for sample.count.mx but received 3'],
  [{ count: 8, plac: 'ends' }, 'did you mean place?'],
  [{ count: 8, place: 'start' }, 'for sample.place but received "start"'],
  [{ count: [[1]] }, 'Expected [below, frames] for sample.count[0] but received [ 1 ]'],
  [
    {
      count: [
        [1, 2],
        [3, 0],
      ],
    },
    'for sample.count[1].frames but received 0',
  ],
  [{ timesSec: [] }, 'for sample.timesSec but received []'],
  [{ timesSec: [1, 2, 3, 4] }, 'for sample.timesSec but received'],
  [{ timesSec: [1, , 3] }, 'for sample.timesSec[1] but received undefined'], // eslint-disable-line no-sparse-arrays
])('%j is refused', (given, message) => {
  try {
    rule.parse('sample', given);
  } catch (error) {
    expect(error).toBeInstanceOf(CodecPatchStreamError);
    expect((error as Error).message).toContain(message);
    return;
  }
  throw new Error(`${inspect(given)} was read`);
});

test('a member that is required is asked for', () => {
  const pair = structure('Pair', { a: integer({}), b: integer({ default: 2 }) });
  expect(pair.parse('x', { a: 1 })).toEqual({ a: 1, b: 2 });
  expect(() => pair.parse('x', { b: 1 })).toThrow(
    'Expected integer for x.a but received undefined',
  );
});

test('a default is written as a caller would write it, and checked', () => {
  const written = { default: { count: 16 } };
  expect(union('Rule', { count, timesSec: times }, written).default).toEqual({
    kind: 'count',
    value: { count: frames(16), place: 'ends' },
  });
  expect(() => union('Rule', { count }, { default: { count: 0 } })).toThrow('default.count');
});
