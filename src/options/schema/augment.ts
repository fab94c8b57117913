/** Option `augment`: a random crop and mirror of the pictures. */
import { randomNumbers } from '../../support/draws.js';
import { invalid } from '../../support/is.js';
import type { AugmentRuleRecord } from '../record-types.js';
import { number, oneOf } from '../kinds.js';
import type { Kind, OptionSpec, OptionText } from '../kinds.js';
import { listOf, structure, tuple, union } from '../structures.js';

/** The record has the random numbers that the seed stands for. */
function seedOf(doc: string): Kind<readonly number[]> {
  const seed = number({});
  return {
    ...listOf(number({ min: 0, max: 1 })),
    doc,
    type: 'number',
    expected: seed.expected,
    default: randomNumbers(0),
    parse: (name, value) => randomNumbers(seed.parse(name, value)),
  };
}

const interval = (
  name: string,
  range: { readonly min: number; readonly max: number },
  text: { readonly doc: string; readonly default?: object },
) => tuple(name, { min: number(range), max: number(range) }, text);

const CROP = union(
  'AugmentCrop',
  {
    place: oneOf(['random'], { field: { enum: 'CropPlace' } }),
    scale: structure('ResizedCrop', {
      scale: interval(
        'CropScale',
        { min: 1e-4, max: 1 },
        { doc: "[least, largest] share of the picture's area, each between 0.0001 and 1." },
      ),
      ratio: interval(
        'CropRatio',
        { min: 0.01, max: 100 },
        {
          default: { min: 3 / 4, max: 4 / 3 },
          doc: '[least, largest] width / height, each between 0.01 and 100. Default: [3/4, 4/3].',
        },
      ),
    }),
  },
  {
    field: { absent: null },
    expected: "'random' or { scale: [min, max], ratio?: [min, max] }",
    doc:
      "'random' places the crop of size anywhere; { scale, ratio? } cuts a part out of the picture " +
      "before size, as torchvision's RandomResizedCrop does.",
  },
);

/** What no single part can see. */
function checkCrop(name: string, { crop }: AugmentRuleRecord): void {
  if (crop?.kind !== 'scale') return;
  for (const key of ['scale', 'ratio'] as const) {
    const { min, max } = crop.value[key];
    if (min > max) throw invalid(`${name}.crop.${key}`, '[min, max] with min <= max', [min, max]);
  }
}

export function augment(text: OptionText): OptionSpec<AugmentRuleRecord> {
  const kind = structure<AugmentRuleRecord>(
    'AugmentRule',
    {
      crop: CROP,
      flip: number({
        min: 0,
        max: 1,
        default: 0,
        doc: 'Probability that the pictures are mirrored, left to right.',
      }),
      seed: seedOf('The same seed draws the same, on every machine. Default: 0.'),
    },
    { ...text, field: { absent: null } },
  );
  return {
    ...kind,
    parse: (name, value) => {
      const record = kind.parse(name, value);
      checkCrop(name, record);
      return record;
    },
  };
}
