import { native } from '../../src/native/binding.js';
import { optionNames, OPTIONS } from '../../src/options/schema.js';
import type { OptionName } from '../../src/options/schema.js';
import type { OptionSpec } from '../../src/options/kinds.js';
import { parseDecodeOnly, parsePatchStream } from '../../src/options/records.js';

// The schema and the addon, whose ranges are generated from it, refuse the same. The addon gets records
// that the schema never made, for a video that does not exist: a value within its range leads to
// that, a value beyond it is refused before.
const common = { videoPath: '/none.mp4', backend: 'cpu' } as const;
const { records: patches } = parsePatchStream(common);
const { records: frames } = parseDecodeOnly(common);

/** Options that other fields are made of. */
// sequenceLength is in the record as a sample.
const NO_FIELD = ['deviceId', 'inputSize', 'prefetchDepth', 'sequenceLength'];

/** The code and the message with which the addon refuses a record with this field. */
async function refusal(field: string, value: number): Promise<string> {
  const cancel = native().createCancel();
  const set = <T extends object>(records: T): T =>
    Object.fromEntries(
      Object.entries(records).map(([name, record]: [string, object]) => [
        name,
        field in record ? { ...record, [field]: value } : record,
      ]),
    ) as T;
  const error = await Promise.resolve()
    .then<unknown>(() =>
      field in frames.frame
        ? native().decodeOnly(common.videoPath, set(frames), cancel)
        : native().patchStream(common.videoPath, set(patches), cancel),
    )
    .then(
      () => ({ code: 'none', message: '' }),
      (e: unknown) => e as { code: string; message: string },
    );
  return `${error.code}: ${error.message}`;
}

const ranged = [...new Set([...optionNames('patchStream'), ...optionNames('decodeOnly')])].filter(
  (name) => (OPTIONS[name] as OptionSpec<unknown>).range !== undefined,
);

test('every number has a range and a field, or none on purpose', () => {
  const numbers = (Object.keys(OPTIONS) as OptionName[]).filter(
    (name) => (OPTIONS[name] as Partial<OptionSpec<unknown>>).type === 'number',
  );
  expect([...ranged].sort()).toEqual([...numbers].sort());
  const fields: readonly string[] = Object.values(native().recordFields).flat();
  const without = ranged.filter((name) => !fields.includes(name));
  expect(without.sort()).toEqual(NO_FIELD);
});

describe.each(ranged.filter((name) => !NO_FIELD.includes(name)))('%s', (name) => {
  const spec = OPTIONS[name] as OptionSpec<unknown>;
  const [min, max] = spec.range ?? [NaN, NaN];
  // What stands for an option that was not given is no error in the record.
  const least = Math.min(min, spec.field?.absent ?? min);
  const inside = [
    Number.isFinite(least) ? least : -Number.MAX_VALUE,
    Number.isFinite(max) ? max : Number.MAX_VALUE,
  ];
  const below = least === Number.MIN_VALUE ? 0 : least - 1;
  const outside = [below, Number.isFinite(max) ? max + 1 : max, NaN];

  test('both take the ends', async () => {
    for (const value of inside) {
      if (value >= min) expect(spec.parse(name, value)).toBe(value);
      expect(await refusal(name, value)).toMatch(/^ERR_CPS_NOT_FOUND: /);
    }
  });

  test('both refuse what is beyond them', async () => {
    for (const value of outside) {
      expect(() => spec.parse(name, value)).toThrow(`for ${name} but received`);
      const refused = await refusal(name, value);
      expect(refused).toMatch(/^ERR_CPS_INVALID_ARGUMENT: /);
      expect(refused).toContain(`field ${name} `);
    }
  });
});

// The three numbers of a field in float32, and what they make of rgb.
test.each([
  ['std', 1e-320],
  ['std', 1e-37],
  ['std', 1e39],
  ['mean', -1e39],
  ['scale', 3e38],
])('both refuse normalize.%s of %d', async (field, value) => {
  expect(() => parsePatchStream({ ...common, normalize: { [field]: value } })).toThrow(
    `for normalize.${field} but received`,
  );
  const bad = field === 'scale' ? value : [value, value, value];
  const normalize = { ...patches.patch.normalize, [field]: bad };
  const call = async () =>
    native().patchStream(
      common.videoPath,
      { ...patches, patch: { ...patches.patch, normalize } },
      native().createCancel(),
    );
  await expect(call()).rejects.toMatchObject({
    code: 'ERR_CPS_INVALID_ARGUMENT',
    message: expect.stringContaining(`field normalize.${field} `) as string,
  });
});
