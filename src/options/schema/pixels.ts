/** Options of the pixels that both functions give, and of the tensor of decodeOnly. */
import { randomNumbers } from '../../support/draws.js';
import {
  BOTH,
  FRAMES_ONLY,
  integer,
  NORMALIZE_EXPECTED,
  NORMALIZE_FIELD,
  NORMALIZE_PRESETS,
  NORMALIZE_TYPE,
  number,
  oneOf,
  parseNormalize,
  perCall,
} from '../kinds.js';
import type { Kind, NormalizeRecord, OptionSpec, OptionText, WithDefault } from '../kinds.js';
import { listOf, structure, tuple, union } from '../structures.js';
import type { AugmentRuleRecord, SizeRuleRecord } from '../record-types.js';
import { SIZE_KIND } from './sizes.js';

const FRAME = { apis: BOTH, record: 'frame' } as const;
const PATCH = { apis: BOTH, record: 'patch' } as const;

const size = (text: OptionText): OptionSpec<readonly SizeRuleRecord[]> => ({
  ...SIZE_KIND,
  field: { absent: null },
  default: undefined,
  ...text,
});

const SIZE_DOC =
  'Size of the pictures: one rule, or several one after the other (docs/pixels.md shows each). Pictures ' +
  'are made as they are decoded; only the small ones are kept.';

const FILTERS = ['bilinear-plain', 'bilinear', 'bicubic', 'lanczos', 'area'] as const;
const RESAMPLE_DOC =
  "How pictures are resized. 'bilinear', 'bicubic', 'lanczos' and 'area' (the mean) take in all pixels " +
  "when they shrink: what torchvision's resize(antialias=True) gives for uint8, bit for bit, and Pillow's " +
  "resize within 1; pictures are 8-bit before they are normalised. 'bilinear-plain' takes four " +
  'pixels, as the Python original does.';

/** A seed, whose record has the random numbers that it stands for. */
function seedOf(doc: string): Kind<readonly number[]> {
  const seed = number({ doc });
  return {
    ...listOf(number({ min: 0, max: 1 }), { doc }),
    type: 'number',
    expected: seed.expected,
    default: randomNumbers(0),
    parse: (name, value) => randomNumbers(seed.parse(name, value) as number),
  };
}

const interval = (name: string, doc: string, range: { min: number; max: number }, fallback?: object) =>
  tuple(name, { min: number(range), max: number(range) }, {
    doc,
    ...(fallback ? { default: fallback } : {}),
  });

const CROP = union(
  'AugmentCrop',
  {
    place: oneOf(['random'], { field: { enum: 'CropPlace' } }),
    scale: structure('ResizedCrop', {
      scale: interval('CropScale', 'Least and largest share of the area.', { min: 1e-4, max: 1 }),
      ratio: interval(
        'CropRatio',
        'Least and largest width / height. Default: [3/4, 4/3].',
        { min: 1e-2, max: 100 },
        [3 / 4, 4 / 3],
      ),
    }),
  },
  {
    field: { absent: null },
    expected: "'random' or { scale: [min, max], ratio?: [min, max] }",
    doc:
      "'random' places the crop of `size` anywhere; { scale, ratio? } cuts out a part of the picture " +
      "before `size`, as torchvision's RandomResizedCrop does.",
  },
);

const augment = (text: OptionText): OptionSpec<AugmentRuleRecord> =>
  structure<AugmentRuleRecord>(
    'AugmentRule',
    {
      crop: CROP,
      flip: number({ min: 0, max: 1, default: 0, doc: 'Probability of a mirrored picture.' }),
      seed: seedOf('The same seed gives the same draw, on every machine. Default: 0.'),
    },
    { ...text, field: { absent: null } },
  );

const AUGMENT_DOC =
  'Random crop and mirror, drawn once per video and the same for all its frames; the result says what was ' +
  'drawn (`augmentation`).';

const DTYPE_ALIASES = { bf16: 'bfloat16', fp16: 'float16', fp32: 'float32' } as const;

const normalize = (text: OptionText): WithDefault<NormalizeRecord> => ({
  ...text,
  field: { type: NORMALIZE_FIELD },
  type: NORMALIZE_TYPE,
  expected: NORMALIZE_EXPECTED,
  default: NORMALIZE_PRESETS.none,
  defaultText: "'none'",
  parse: parseNormalize,
});

const NORMALIZE_DOC =
  'value = (rgb · scale − offset − mean) / std for rgb in 0..255, in float32 before the cast; for 8-bit ' +
  'pictures and without an offset in the order that model processors have, (rgb − mean/scale) / ' +
  "(std/scale). 'unit': 0..1; 'signed': −1..1; 'imagenet', 'clip': the usual constants. In the object " +
  'form scale defaults to 1, mean to 0, std to 1; every value must be finite in float32.';

export const PIXELS = {
  size: perCall({
    decodeOnly: size({ ...FRAME, defaultText: "the video's", doc: SIZE_DOC }),
    patchStream: size({
      ...PATCH,
      defaultText: 'the area that inputSize stands for',
      doc: `${SIZE_DOC} Both sides must be multiples of patchSize (of twice that with blocks).`,
    }),
  }),
  resample: perCall({
    decodeOnly: oneOf(FILTERS, {
      ...FRAME,
      field: { enum: 'Resample' },
      defaultText: "'bilinear' with size, else 'bilinear-plain'",
      doc: RESAMPLE_DOC,
    }),
    patchStream: oneOf(FILTERS, {
      ...PATCH,
      field: { enum: 'Resample' },
      default: 'bilinear-plain',
      doc: RESAMPLE_DOC,
      impact:
        "'bilinear-plain' without size and augment converts selected patches alone; the others make every " +
        'sampled picture while decoding goes on, and nothing but copying is left at the end.',
    }),
  }),
  augment: perCall({
    decodeOnly: augment({ ...FRAME, defaultText: 'none', doc: AUGMENT_DOC }),
    patchStream: augment({ ...PATCH, defaultText: 'none', doc: AUGMENT_DOC }),
  }),
  outputDtype: perCall({
    decodeOnly: oneOf(['uint8', 'float16', 'bfloat16', 'float32'], {
      ...FRAME,
      field: { enum: 'DType' },
      default: 'uint8',
      aliases: DTYPE_ALIASES,
      doc: "Element type of the frames; 'uint8' only with normalize 'none'.",
    }),
    patchStream: oneOf(['bfloat16', 'float16', 'float32', 'uint8'], {
      ...PATCH,
      field: { enum: 'DType' },
      default: 'bfloat16',
      defaultText: "'bf16'",
      aliases: DTYPE_ALIASES,
      doc:
        "Element type of the patches; rounded to nearest even. 'uint8' (halves up) only with " +
        "normalize 'none'.",
      impact: 'float32 doubles the memory of the result, uint8 halves it.',
    }),
  }),
  layout: perCall({
    decodeOnly: oneOf(['thwc', 'tchw', 'cthw'], {
      ...FRAME,
      field: { enum: 'FrameLayout' },
      default: 'thwc',
      doc: "Order of the axes: 'thwc' [T, H, W, 3], 'tchw' [T, 3, H, W], 'cthw' [3, T, H, W].",
    }),
    patchStream: oneOf(['nchw', 'nhwc'], {
      ...PATCH,
      field: { enum: 'Layout' },
      default: 'nchw',
      doc: "Order within a patch: 'nchw' [3, P, P], 'nhwc' [P, P, 3].",
    }),
  }),
  normalize: perCall({
    decodeOnly: normalize({ ...FRAME, doc: NORMALIZE_DOC }),
    patchStream: normalize({
      ...PATCH,
      doc: NORMALIZE_DOC,
      impact: 'Done natively with the cutting of patches; costs nothing measurable.',
    }),
  }),
  width: integer({
    apis: FRAMES_ONLY,
    record: 'frame',
    field: { absent: 0 },
    min: 1,
    max: 16384,
    defaultText: "the video's",
    doc:
      "Width of the returned frames in pixels, short for size: { exact } with 'bilinear-plain'. Give width " +
      'and height, or neither; not beside size.',
  }),
  height: integer({
    apis: FRAMES_ONLY,
    record: 'frame',
    field: { absent: 0 },
    min: 1,
    max: 16384,
    defaultText: "the video's",
    doc: 'Height of the returned frames in pixels; see width.',
  }),
} as const;
