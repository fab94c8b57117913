/**
 * Descriptions and files at random: what gets through is valid by rules that are written down here once
 * more, everything else is an error in words. Many more under CPS_LONG=1.
 */
import * as fc from 'fast-check';
import { CodecPatchStreamError } from '../../src/index.js';
import { parsePixelAxes, parseRowAxes } from '../../src/inputs/axes.js';
import { defineInput, fromConfig, presets } from '../../src/inputs/index.js';
import type { InputSpec, PresetName } from '../../src/inputs/index.js';
import { longForm } from '../helpers/long-form.js';

const runs = (short: number) => ({ numRuns: longForm ? 10 * short : short });

/** Whether `work` gets through; any error but one of ours that names something fails the test. */
function passes(work: () => unknown): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (!(error instanceof CodecPatchStreamError)) throw error;
    expect(error.code).toBe('ERR_CPS_INVALID_ARGUMENT');
    expect(error.message).toMatch(/^Expected .+ for \S.* but received /s);
    return false;
  }
}

describe('axis strings', () => {
  const LETTERS = 'nftshwHWabFkcyxYX';

  /** Groups of letters, or undefined where the text is no such thing. */
  function groupsOf(text: string): string[] | undefined {
    const spaced = text.replace(/[()]/g, ' $& ').trim();
    const tokens = spaced === '' ? [] : spaced.split(/\s+/);
    const groups: string[] = [];
    let depth = 0;
    for (const token of tokens) {
      if (token === '(') {
        if (depth++ > 0) return undefined;
        groups.push('');
      } else if (token === ')') {
        if (depth-- === 0 || groups.at(-1) === '') return undefined;
      } else {
        if (token.length !== 1 || !LETTERS.includes(token)) return undefined;
        if (depth > 0) groups[groups.length - 1] += token;
        else groups.push(token);
      }
    }
    const all = groups.join('');
    if (depth > 0 || all === '' || new Set(all).size < all.length) return undefined;
    return all.startsWith('n') ? groups : undefined;
  }

  const sorted = (letters: string): string => [...letters].sort().join('');
  const sets = (times: string[], spaces: string[], more: string): Set<string> =>
    new Set(times.flatMap((time) => spaces.map((space) => sorted(more + time + space))));

  // docs/models.md: frames or temporal patches, of pixels, patches or blocks; canvases of patches; patches.
  const PIXELS = new Set([
    ...sets(['f', 'ts'], ['YX', 'hywx', 'HayWbx'], 'nc'),
    ...sets(['F'], ['hywx'], 'nc'),
    ...sets(['k'], ['yx'], 'nc'),
  ]);
  const ROWS = new Set([
    ...sets(['f', 't', 'F'], ['', 'hw', 'HaWb'], 'n'),
    ...sets(['k'], [''], 'n'),
  ]);

  const grouped = (letters: readonly string[], cuts: readonly boolean[]): string => {
    const groups: string[][] = [];
    letters.forEach((letter, i) => {
      if (i > 0 && cuts[i] === true) groups.at(-1)?.push(letter);
      else groups.push([letter]);
    });
    return groups.map((g) => (g.length > 1 ? `(${g.join(' ')})` : g.join(''))).join(' ');
  };
  /** Nearly right ones: a valid set in any order and grouping, sometimes with a letter more or less. */
  const near = fc
    .tuple(
      fc
        .constantFrom(...[...PIXELS, ...ROWS])
        .chain((set) =>
          fc.shuffledSubarray([...set], { minLength: set.length, maxLength: set.length }),
        ),
      fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
      fc.option(fc.constantFrom(...LETTERS), { freq: 4 }),
      fc.integer({ min: -1, max: 11 }),
      fc.boolean(),
    )
    .map(([letters, cuts, extra, drop, first]) => {
      let own = letters.filter((_, i) => i !== drop || first);
      if (extra !== null) own = [...own, extra];
      if (first) own = ['n', ...own.filter((letter) => letter !== 'n')];
      return grouped(own, cuts);
    });
  const any = fc.oneof(
    { weight: 6, arbitrary: near },
    fc.string({ unit: fc.constantFrom(...LETTERS, '(', ')', ' ', ' ', 'q', '1') }),
    fc.string(),
  );

  test.each([
    ['pixels', parsePixelAxes, PIXELS],
    ['rows', parseRowAxes, ROWS],
  ] as const)('of %s: those that the page names, nothing else', (_, parse, valid) => {
    const seen = { through: 0, refused: 0 };
    fc.assert(
      fc.property(any, (text) => {
        const groups = groupsOf(text);
        const good =
          groups !== undefined && text.length <= 200 && valid.has(sorted(groups.join('')));
        expect({ text, through: passes(() => parse('axes', text)) }).toEqual({
          text,
          through: good,
        });
        seen[good ? 'through' : 'refused']++;
        if (good) expect(parse('axes', text).groups.map((g) => g.join(''))).toEqual(groups);
      }),
      runs(1500),
    );
    expect(seen.through).toBeGreaterThan(50);
    expect(seen.refused).toBeGreaterThan(50);
  });

  test('anything else is an error in words', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        if (typeof value === 'string') return;
        expect(passes(() => parsePixelAxes('axes', value))).toBe(false);
      }),
      runs(200),
    );
  });
});

/** A value that is right or wrong, and which of both. */
type Judged = { readonly value: unknown; readonly good: boolean };
const judged = (good: fc.Arbitrary<unknown>, bad: fc.Arbitrary<unknown>): fc.Arbitrary<Judged> =>
  fc.oneof(
    { weight: 16, arbitrary: good.map((value) => ({ value, good: true })) },
    { weight: 1, arbitrary: bad.map((value) => ({ value, good: false })) },
  );
const integers = (min: number, max: number): fc.Arbitrary<Judged> =>
  judged(
    fc.oneof(fc.integer({ min, max }), fc.constantFrom(min, max)),
    fc.oneof(
      fc.constantFrom(min - 1, max + 1, min + 0.5, NaN, Infinity, null, '1', true, [], {}),
      fc
        .anything()
        .filter(
          (v) => v !== undefined && !(Number.isInteger(v) && Number(v) >= min && Number(v) <= max),
        ),
    ),
  );
/** An object of judged values; optional keys may be absent. */
const object = (
  keys: Readonly<Record<string, fc.Arbitrary<Judged>>>,
  required: readonly string[],
): fc.Arbitrary<Judged> =>
  fc.record(keys, { requiredKeys: [...required] as never }).map((parts) => ({
    value: Object.fromEntries(
      Object.entries(parts as Record<string, Judged>).map(([key, { value }]) => [key, value]),
    ),
    good: Object.values(parts as Record<string, Judged>).every(({ good }) => good),
  }));
const booleans = judged(fc.boolean(), fc.constantFrom(0, 1, 'true', null));

const side = integers(1, 16384);
const pair = (one: fc.Arbitrary<Judged>): fc.Arbitrary<Judged> =>
  fc.tuple(one, one).map(([a, b]) => ({ value: [a.value, b.value], good: a.good && b.good }));
const area = fc.tuple(integers(1, 2 ** 31 - 1), integers(1, 2 ** 31 - 1)).map(([a, b]) => ({
  value: [a.value, b.value],
  good: a.good && b.good && Number(a.value) <= Number(b.value),
}));
const oneRule = fc.oneof(
  object({ exact: pair(side) }, ['exact']),
  object({ short: side, crop: side }, ['short']),
  object({ long: side, even: booleans, pad: booleans }, ['long']),
  object(
    {
      area,
      multipleOf: integers(1, 1024),
      of: judged(fc.constantFrom('frame', 'video'), fc.constant('x')),
    },
    ['area', 'multipleOf'],
  ),
);
const sizes = fc.oneof(
  oneRule,
  fc.array(oneRule, { minLength: 0, maxLength: 4 }).map((rules) => ({
    value: rules.map(({ value }) => value),
    good: rules.length >= 1 && rules.length <= 3 && rules.every(({ good }) => good),
  })),
  object({ patches: integers(1, 1_000_000), multipleOf: integers(1, 4096) }, ['patches']),
  judged(
    fc.constant({ exact: [32, 32] }),
    fc.constantFrom({}, { exacts: [1, 1] }, 5, 'big', null, [[]]),
  ),
);

describe('rules of size', () => {
  test('those that the page names, nothing else', () => {
    const seen = { through: 0, refused: 0 };
    fc.assert(
      fc.property(sizes, ({ value, good }) => {
        const spec = {
          sample: { count: 2 },
          size: value,
          patch: { size: 8 },
          tensors: { x: { of: 'pixels', axes: 'n f c Y X' } },
        } as InputSpec;
        expect({ value, through: passes(() => defineInput(spec)) }).toEqual({
          value,
          through: good,
        });
        seen[good ? 'through' : 'refused']++;
      }),
      runs(800),
    );
    expect(Math.min(seen.through, seen.refused)).toBeGreaterThan(100);
  });
});

describe('descriptions', () => {
  // Fractions of a second are fine.
  const seconds = judged(
    fc.double({ min: 0.001, max: 1e6, noNaN: true }),
    fc.oneof(
      fc.constantFrom(0, -1, 1_000_001, NaN, Infinity, null, '1', true, [], {}),
      fc.string(),
    ),
  );
  const samples = fc.oneof(
    object({ count: integers(1, 1_000_000) }, ['count']),
    object({ clip: integers(1, 1_000_000), stride: integers(1, 1_000_000) }, ['clip']),
    object({ as: judged(fc.constant('glm-4v'), fc.constant('glm')), maxSeconds: seconds }, ['as']),
    object(
      { as: judged(fc.constant('glm-4.6v'), fc.constant('glm')), framesPerStep: integers(1, 1024) },
      ['as'],
    ),
    judged(
      fc.constant({ count: 3 }),
      fc.constantFrom(undefined, null, {}, { counts: 3 }, 'all', { count: 3, clip: 3 }),
    ),
  );
  const pixels = (axes: string): fc.Arbitrary<Judged> =>
    object(
      {
        of: judged(fc.constant('pixels'), fc.constant('pixel')),
        axes: judged(fc.constant(axes), fc.constantFrom('n f c', 'c f n Y X', 5, null)),
        dtype: judged(
          fc.constantFrom('uint8', 'float16', 'bfloat16', 'float32'),
          fc.constantFrom('int64', 'half', 3),
        ),
      },
      ['of', 'axes'],
    );
  const positions = object(
    {
      of: fc.constant({ value: 'positions', good: true }),
      time: judged(
        fc.constantFrom('sampled', 'source', { spread: 64 }),
        fc.constantFrom('late', 5, { spread: 0 }, {}),
      ),
      coordinates: judged(
        fc.shuffledSubarray(['time', 'row', 'column'], { minLength: 1 }),
        fc.constantFrom([], ['x'], ['row', 'row'], 'row', null),
      ),
      fill: integers(-(2 ** 31), 2 ** 31 - 1),
      dtype: judged(fc.constantFrom('int32', 'int64'), fc.constantFrom('float32', 'bool')),
    },
    ['of'],
  );
  const optional = {
    size: sizes,
    resample: judged(
      fc.constantFrom('bilinear', 'bicubic', 'lanczos'),
      fc.constantFrom('cubic', 3, null),
    ),
    normalize: judged(
      fc.constantFrom('none', 'clip', 'signed', 'imagenet', { scale: 1, mean: 0, std: 1 }),
      fc.constantFrom('half', 5, { scale: 1, mean: 0, std: 0 }, { mean: [1, 2] }),
    ),
    pad: object({ patches: integers(1, 1_000_000) }, []),
    tokensPerStep: integers(1, 1_000_000),
    stepTime: judged(fc.constantFrom('mean', 'first'), fc.constantFrom('last', 5, null)),
    notes: judged(fc.array(fc.string()), fc.constantFrom('note', [5], {}, null)),
    patch: object({ size: integers(1, 1024), frames: integers(1, 1024), merge: integers(1, 64) }, [
      'size',
    ]),
  };

  test('right in every part they get through, with a wrong part they do not', () => {
    const parts = fc.record(
      { sample: samples, x: pixels('n f c Y X'), places: positions, ...optional },
      { requiredKeys: ['sample', 'x'] },
    );
    const seen = { through: 0, refused: 0 };
    fc.assert(
      fc.property(parts, ({ x, places, ...rest }) => {
        const values = Object.entries(rest as Record<string, Judged>).map(([key, { value }]) => [
          key,
          value,
        ]);
        const tensors = { x: x.value, ...(places ? { places: places.value } : {}) };
        const spec = { ...Object.fromEntries(values), tensors } as InputSpec;
        const { patch, size } = spec as { patch?: unknown; size?: unknown };
        const needsPatch =
          places !== undefined || (typeof size === 'object' && size !== null && 'patches' in size);
        const good =
          x.good &&
          (places?.good ?? true) &&
          Object.values(rest as Record<string, Judged>).every((part) => part.good) &&
          (patch !== undefined || !needsPatch) &&
          // How to resize is said of a size.
          (rest.resample === undefined || size !== undefined);
        expect({ spec, through: passes(() => defineInput(spec)) }).toEqual({ spec, through: good });
        seen[good ? 'through' : 'refused']++;
        if (!good) return;
        const defined = defineInput(spec);
        expect(defineInput(defined)).toBe(defined);
      }),
      runs(1500),
    );
    expect(Math.min(seen.through, seen.refused)).toBeGreaterThan(30);
  });
});

describe('files', () => {
  const bounds = fc.tuple(integers(1, 2 ** 31 - 1), integers(1, 2 ** 31 - 1)).map(([a, b]) => ({
    ...{ a, b },
    ordered: a.good && b.good && Number(a.value) <= Number(b.value),
  }));
  const values = {
    resample: judged(fc.constantFrom(1, 2, 3, 4), fc.constantFrom(0, 5, '3', {})),
    image_mean: judged(
      fc.oneof(
        fc.constant(0.5),
        fc.array(fc.double({ min: -10, max: 10, noNaN: true }), { minLength: 3, maxLength: 3 }),
      ),
      fc.constantFrom([1, 2], 'x', [1, 2, 'y'], NaN, {}),
    ),
    image_std: judged(
      fc.constantFrom(0.5, [0.1, 0.2, 0.3]),
      fc.constantFrom(0, [1, 0, 1], [1, 2], 'x'),
    ),
    rescale_factor: judged(fc.constantFrom(1 / 255, 1, 0.5), fc.constantFrom(0, -1, '1', NaN)),
    do_normalize: booleans.map(({ value, good }) => ({ value, good: good || value === null })),
    do_rescale: booleans.map(({ value, good }) => ({ value, good: good || value === null })),
  };

  test('of areas (Qwen): right in every part they get through, with a wrong part they do not', () => {
    const file = fc.record(
      {
        size: bounds.map(({ a, b, ordered }) => ({
          value: { shortest_edge: a.value, longest_edge: b.value },
          good: a.good && b.good && ordered,
        })),
        patch_size: integers(1, 512).map((one) =>
          one.value === null ? { ...one, good: true } : one,
        ),
        ...values,
      },
      { requiredKeys: [] },
    );
    const seen = { through: 0, refused: 0 };
    fc.assert(
      fc.property(file, (parts) => {
        const entries = Object.entries(parts as Record<string, Judged>);
        const json = Object.fromEntries(entries.map(([key, { value }]) => [key, value]));
        // patch · merge is what sides are multiples of: 1024 at most.
        const tooWide = typeof json['patch_size'] === 'number' && json['patch_size'] * 2 > 1024;
        // null is as good as absent: files of transformers are full of them.
        // What is not divided by may be zero.
        const unused = (key: string): boolean =>
          key === 'image_std' && json['do_normalize'] === false && [json[key]].flat().includes(0);
        const good = entries.every(([key, part]) => part.good || unused(key)) && !tooWide;
        const edges = json['size'] as Record<string, unknown> | undefined;
        const halfNull =
          edges && Object.values(edges).some((edge) => edge === null || edge === undefined);
        if (halfNull) return;
        expect({ json, through: passes(() => fromConfig('qwen2-vl', json)) }).toEqual({
          json,
          through: good,
        });
        seen[good ? 'through' : 'refused']++;
        if (!good) return;
        const { size, patch } = fromConfig('qwen2-vl', json) as {
          size: Record<string, unknown>;
          patch: { size: number };
        };
        if (edges) expect(size['area']).toEqual([edges['shortest_edge'], edges['longest_edge']]);
        expect(size['multipleOf']).toBe(2 * patch.size);
      }),
      runs(800),
    );
    expect(Math.min(seen.through, seen.refused)).toBeGreaterThan(50);
  });

  test('of any model: a description, or an error in words', () => {
    const names = fc.constantFrom(...(Object.keys(presets) as PresetName[]));
    const edge = fc.oneof(fc.integer({ min: -2, max: 3000 }), fc.anything());
    const json = fc.record(
      {
        ...Object.fromEntries(
          [
            ...[
              'patch_size',
              'merge_size',
              'temporal_patch_size',
              'encoder_patch_size',
              'tile_size',
            ],
            ...['downsample_factor', 'min_image_tokens', 'max_image_tokens', 'max_soft_tokens'],
            ...[
              'pooling_kernel_size',
              'max_duration',
              'fps',
              'num_frames',
              'min_frames',
              'max_frames',
            ],
            ...['min_pixels', 'max_pixels', 'max_num_patches', 'image_seq_len', 'crop_size'],
          ].map((key) => [key, edge]),
        ),
        size: fc.oneof(
          edge,
          fc.record({ shortest_edge: edge, longest_edge: edge }),
          fc.record({ height: edge, width: edge }),
        ),
        do_image_splitting: fc.oneof(fc.boolean(), fc.anything()),
        do_pad: fc.oneof(fc.boolean(), fc.anything()),
        do_center_crop: fc.oneof(fc.boolean(), fc.anything()),
        video_processor: fc.anything(),
        video_processor_type: fc.oneof(
          fc.constantFrom('Glm4vVideoProcessor', 'Gemma4VideoProcessor'),
          fc.anything(),
        ),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(names, fc.oneof(json, fc.anything()), json, (name, file, other) => {
        for (const files of [[file], [file, other]] as [object, ...object[]][]) {
          passes(() => {
            const input = fromConfig(name, ...files);
            expect(defineInput(input)).toBe(input);
          });
        }
      }),
      runs(500),
    );
  });
});
