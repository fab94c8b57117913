/** Descriptions of model inputs: what is accepted, and how what is wrong is named. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import fc from 'fast-check';
import {
  defineInput,
  fromConfig,
  inputStream,
  modelInputs,
  presets,
} from '../../src/inputs/index.js';
import type { InputSpec, PresetName } from '../../src/inputs/index.js';
import { CodecPatchStreamError } from '../../src/index.js';

const frames: InputSpec = {
  sample: { count: 4 },
  size: { exact: [32, 32] },
  patch: { size: 8, frames: 2, merge: 2 },
  tensors: { pixels: { of: 'pixels', axes: 'n f c Y X' } },
};
const withAxes = (axes: unknown): InputSpec =>
  ({ ...frames, tensors: { pixels: { of: 'pixels', axes } } }) as InputSpec;

/** The message, of an error that has a code; anything else is a defect. */
function messageOf(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(CodecPatchStreamError);
    expect((error as CodecPatchStreamError).code).toBe('ERR_CPS_INVALID_ARGUMENT');
    return (error as Error).message;
  }
}

describe('axes', () => {
  const good = [
    ...['n f c Y X', 'n c f Y X', '(n f) c Y X', 'n t s c Y X', 'n f Y X c', '( n f ) ( Y X c )'],
    ...['(n t H W a b) (c s y x)', '(n f H W a b) (c y x)', '(n f) (h w) (y x c)'],
    ...['n c f (h y) (w x)', 'n (f h w) (c y x)'],
  ];
  test.each(good)('%s', (axes) => {
    expect(messageOf(() => defineInput(withAxes(axes)))).toBeUndefined();
  });

  const bad: readonly (readonly [axes: unknown, says: string])[] = [
    ['', 'axes out of n f t'],
    [5, 'axes out of n f t'],
    ['nfcYX', 'which has "nfcYX"'],
    ['n f c Y Z', 'which has "Z"'],
    ['n f c Y X X', 'which has X twice'],
    ['f n c Y X', 'n (videos) as the first axis'],
    ['f c Y X', 'n (videos) as the first axis'],
    ['n f Y X', 'c (channels) among the axes'],
    ['n c Y X', "'f' or 't s' or 'F' or 'k' for the time"],
    ['n f t s c Y X', 'which has f t s'],
    ['n t c Y X', 'for the time'],
    ['n f c X', 'for the rows'],
    ['n f c h Y X', 'for the rows'],
    ['n f c Y w x', "'X' for the columns"],
    ['n f (c Y) X) ', 'parentheses around axes'],
    ['n f ((c Y) X)', 'parentheses that are not nested'],
    ['n f (c Y X', "a ')' for each '('"],
    ['n k c y x', 'select'],
    ['n k c h y w x', 'no axis h (patch rows), w (patch columns)'],
    ['n c F (h y) (w x)', 'select'],
  ];
  test.each(bad)('%j is refused: %s', (axes, says) => {
    const message = messageOf(() => defineInput(withAxes(axes)));
    expect(message).toMatch(/^Expected .* for .* but received /);
    expect(message).toContain(says);
  });

  test('any text is understood or refused with a reason', () => {
    const letters = fc.constantFrom(...'nftshwHWabFkcyxYX() z('.split(''));
    const text = fc.array(letters, { maxLength: 12 }).map((parts) => parts.join(' '));
    fc.assert(
      fc.property(fc.oneof(text, fc.string()), (axes) => {
        const message = messageOf(() => defineInput(withAxes(axes)));
        if (message !== undefined) return;
        const used = axes.replace(/[() ]/g, '').split('').sort().join('');
        // What is accepted has each video, channel, row and column, in one of few ways.
        expect(used).toMatch(/^(XYcfn|XYcnst|cfhnwxy|chnstwxy|HWabcfnxy|HWabcnstxy)$/);
      }),
      { numRuns: 300 },
    );
  });
});

describe('descriptions', () => {
  const wrong: readonly (readonly [change: object, says: string])[] = [
    [{ sample: undefined }, 'for sample'],
    [{ sample: { count: 0 } }, 'sample.count'],
    [{ sizes: { exact: [1, 1] } }, 'did you mean size'],
    [{ size: { exact: [1] } }, 'for size'],
    [{ size: { short: 5, long: 6 } }, 'for size'],
    [{ size: { patches: 0 } }, 'size.patches'],
    [{ size: { patches: 5 }, patch: undefined }, 'for patch'],
    [{ resample: 'cubic' }, 'for resample'],
    [{ normalize: 'vit' }, 'for normalize'],
    [{ patch: { size: 0 } }, 'patch.size'],
    [{ patch: { size: 8, stride: 2 } }, 'patch.stride'],
    [{ select: { kKeep: 0 } }, 'select.kKeep'],
    [{ select: { decodeThreads: 2 } }, 'select.decodeThreads'],
    [{ select: { kKeep: 8 } }, 'k or F for the time'],
    [{ pad: { patches: -1 } }, 'pad.patches'],
    [{ tokensPerStep: 0.5 }, 'tokensPerStep'],
    [{ tensors: {} }, 'for tensors'],
    [{ tensors: { a: { of: 'grid' } } }, 'for tensors'],
    [{ tensors: { a: { of: 'video' } } }, 'tensors.a'],
    [{ tensors: { a: { of: 'pixels', axes: 'n f c Y X', type: 'x' } } }, 'tensors.a.type'],
    [{ tensors: { a: { of: 'pixels', axes: 'n f c Y X', dtype: 'int8' } } }, 'tensors.a.dtype'],
    [{ tensors: { ...frames.tensors, m: { of: 'mask', axes: 'n f Y X' } } }, 'tensors.m.axes'],
    [{ tensors: { ...frames.tensors, g: { of: 'grid' } }, patch: undefined }, 'for patch'],
    [{ tensors: { ...frames.tensors, g: { of: 'changeMask' } } }, 'tensors.g'],
    [
      { patch: { size: 8 }, tensors: { a: { of: 'pixels', axes: '(n t H W a b) (c s y x)' } } },
      'patch.',
    ],
    [{ notes: [1] }, 'for notes'],
  ];
  test.each(wrong)('%j is refused: %s', (change, says) => {
    const message = messageOf(() => defineInput({ ...frames, ...change }));
    expect(message).toMatch(/^Expected .* for .* but received /);
    expect(message).toContain(says);
  });

  test('is a frozen copy, and itself when it is defined again', () => {
    const size = { exact: [32, 32] as [number, number] };
    const defined = defineInput({ ...frames, size });
    size.exact[0] = 7;
    expect(defined.size).toEqual({ exact: [32, 32] });
    expect(Object.isFrozen(defined.tensors)).toBe(true);
    expect(defineInput(defined)).toBe(defined);
  });

  test('anything at all ends in a named error or in a description', () => {
    const value = fc.oneof(
      fc.anything(),
      fc.record(
        {
          sample: fc.oneof(fc.anything(), fc.constant({ count: 4 })),
          size: fc.oneof(fc.anything(), fc.record({ short: fc.anything(), crop: fc.anything() })),
          patch: fc.oneof(fc.anything(), fc.record({ size: fc.integer(), merge: fc.anything() })),
          select: fc.anything(),
          pad: fc.anything(),
          tensors: fc.oneof(
            fc.anything(),
            fc.dictionary(
              fc.string(),
              fc.record({ of: fc.constantFrom('pixels', 'grid', 'mask', 'x') }),
            ),
          ),
        },
        { requiredKeys: [] },
      ),
    );
    fc.assert(
      fc.property(value, (spec) => void messageOf(() => defineInput(spec as InputSpec))),
      {
        numRuns: 300,
      },
    );
  });

  test('rules of size: those that option size takes, nothing else', () => {
    const rule = fc.oneof(
      fc.record({ exact: fc.tuple(fc.integer(), fc.integer()) }),
      fc.record({ short: fc.integer(), crop: fc.integer() }, { requiredKeys: ['short'] }),
      fc.record({ area: fc.tuple(fc.integer(), fc.integer()), multipleOf: fc.integer() }),
      fc.record({ patches: fc.integer() }),
      fc.anything(),
    );
    fc.assert(
      fc.property(rule, (size) => {
        const message = messageOf(() => defineInput({ ...frames, size } as InputSpec));
        if (message !== undefined || size === undefined) return;
        const sides = JSON.stringify(size).match(/-?\d+/g) ?? [];
        expect(sides.length > 0 && sides.every((side) => Number(side) > 0)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

describe('presets', () => {
  const names = Object.keys(presets) as PresetName[];
  test.each(names)(
    '%s is a description, and what fromConfig makes of no file has its tensors',
    (name) => {
      expect(defineInput(presets[name])).toBe(presets[name]);
      const ofClass = fromConfig(name, {});
      expect(Object.keys(ofClass.tensors)).toEqual(Object.keys(presets[name].tensors));
    },
  );

  test('docs/models.md has a row for each, with its tensors', () => {
    const page = fs.readFileSync(path.join(__dirname, '../../docs/models.md'), 'utf8');
    const rows = [...page.matchAll(/^\| `([^`]+)` \| ([^|]+) \|/gm)];
    const found = new Map(rows.map(([, name = '', tensors = '']) => [name, tensors]));
    for (const name of names) {
      // 'the same' stands for the tensors of the row before.
      const text = `${found.get(name)} ${found.get(name)?.startsWith('the same') ? found.get('qwen2-vl') : ''}`;
      for (const tensor of Object.keys(presets[name].tensors)) {
        expect(`${name}: ${text}`).toContain(`\`${tensor}\``);
      }
    }
  });

  test('a family is refused by its name alone, others are not', async () => {
    const given = { frames: { data: new Uint8Array(48), shape: [1, 4, 4, 3] as const } };
    await expect(modelInputs(given, 'vivit')).rejects.toThrow(/fromConfig\('vivit', json\)/);
    await expect(modelInputs(given, 'smolvlm2')).rejects.toThrow(/classDefaults: true/);
    await expect(modelInputs(given, 'videomea' as never)).rejects.toThrow(
      /did you mean 'videomae'/,
    );
    using inputs = await modelInputs(given, 'vivit', { classDefaults: true });
    expect(inputs.tensors.pixel_values?.shape).toEqual([1, 1, 3, 224, 224]);
  });

  test.each([
    [{ size: { exact: [2, 2] } }, /for size .*part of the description/],
    [{ sequenceLength: 4 }, /sample: \{ count \}/],
    [{ select: { kKeep: 4 } }, /a description that selects patches/],
    [{ decodeTreads: 2 }, /did you mean decodeThreads/],
    [{ sample: { count: -1 } }, /sample.count/],
  ])('option %j is refused before anything is decoded', async (options, says) => {
    await expect(modelInputs('nowhere.mp4', 'clip', options as object)).rejects.toThrow(says);
  });

  test('what the selection and the options say is checked together', async () => {
    const options = { select: { energy: 'codec' }, backend: 'gpu' } as const;
    const says = /'cpu' or 'auto' \(energy is 'codec'\) for backend/;
    const input = 'onevision-encoder-codec';
    expect(() => inputStream([], input, options)).toThrow(says);
    await expect(modelInputs('nowhere.mp4', input, options)).rejects.toThrow(says);
    expect(() => inputStream([], input, { ...options, backend: 'cpu' })).not.toThrow();
  });
});
