/** Options of the pixels: size, filter, random crop and mirror, and what tensors hold of them. */
import {
  BOTH,
  FRAMES_ONLY,
  integer,
  NORMALIZE_EXPECTED,
  NORMALIZE_FIELD,
  NORMALIZE_PRESETS,
  NORMALIZE_TYPE,
  oneOf,
  parseNormalize,
  perCall,
} from '../kinds.js';
import type { NormalizeRecord, OptionSpec, OptionText, WithDefault } from '../kinds.js';
import type { SizeRuleRecord } from '../record-types.js';
import { augment } from './augment.js';
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
  'Size of the pictures, as a viewer sees them: one rule, or up to three one after the other; ' +
  'docs/pixels.md shows each.';

const FILTERS = ['bilinear-plain', 'bilinear', 'bicubic', 'lanczos', 'area'] as const;
const RESAMPLE_DOC =
  "How pictures are resized. 'bilinear', 'bicubic', 'lanczos' and 'area' (the mean) look at all pixels " +
  "when they shrink, as Pillow and torchvision's resize(antialias=True) do: of the latter's uint8 " +
  "pictures the same bits. 'bilinear-plain' looks at four.";

const AUGMENT_DOC =
  'Random crop and mirror of what a viewer sees. Drawn once per video, the same for all its frames; ' +
  "`augmentation` of the result says what. Datasets draw for each epoch, pass and video by the order's seed.";

const DTYPES = ['uint8', 'float16', 'bfloat16', 'float32'] as const;
const ALIASES = { bf16: 'bfloat16', fp16: 'float16', fp32: 'float32' } as const;

const NORMALIZE_DOC =
  'value = (rgb · scale − offset − mean) / std for rgb in 0..255, in float32 before the cast. ' +
  "'unit': 0..1; 'signed': −1..1; 'imagenet', 'clip': the usual constants. In the object form scale " +
  'defaults to 1, offset and mean to 0, std to 1; every value must be finite in float32. 8-bit pixels are ' +
  'normalised as model processors do it: (rgb − mean/scale) / (std/scale) without an offset.';

const normalize = (text: OptionText): WithDefault<NormalizeRecord> => ({
  ...text,
  field: { type: NORMALIZE_FIELD },
  type: NORMALIZE_TYPE,
  expected: NORMALIZE_EXPECTED,
  default: NORMALIZE_PRESETS.none,
  defaultText: "'none'",
  parse: parseNormalize,
});

const side = (doc: string): OptionSpec<number> =>
  integer({
    apis: FRAMES_ONLY,
    record: 'frame',
    field: { absent: 0 },
    min: 1,
    max: 16384,
    defaultText: "the video's",
    doc,
  });

export const PIXELS = {
  size: perCall({
    decodeOnly: size({
      ...FRAME,
      defaultText: "the video's",
      doc: SIZE_DOC,
      impact: 'Pictures are resized as they are decoded: only the small ones are kept.',
    }),
    patchStream: size({
      ...PATCH,
      defaultText: 'the area of inputSize²',
      doc:
        `${SIZE_DOC} Both sides must become multiples of patchSize, of twice that with selectionUnit ` +
        "'block2x2'. Not beside inputSize, minPixels, maxPixels.",
    }),
  }),
  resample: perCall({
    decodeOnly: oneOf(FILTERS, {
      ...FRAME,
      field: { enum: 'Resample' },
      defaultText: "with size 'bilinear', else 'bilinear-plain'",
      doc: RESAMPLE_DOC,
    }),
    patchStream: oneOf(FILTERS, {
      ...PATCH,
      field: { enum: 'Resample' },
      default: 'bilinear-plain',
      doc: RESAMPLE_DOC,
      impact:
        "With 'bilinear-plain' only selected patches are converted; with the others every sampled frame is, " +
        'while decoding goes on.',
    }),
  }),
  augment: perCall({
    decodeOnly: augment({ ...FRAME, defaultText: 'none', doc: AUGMENT_DOC }),
    patchStream: augment({ ...PATCH, defaultText: 'none', doc: AUGMENT_DOC }),
  }),
  outputDtype: perCall({
    decodeOnly: oneOf(DTYPES, {
      ...FRAME,
      field: { enum: 'DType' },
      default: 'uint8',
      aliases: ALIASES,
      doc: "Element type of the frames; rounded to nearest even. 'uint8' only with normalize 'none'.",
      impact: 'float32 takes four times the memory of uint8.',
    }),
    patchStream: oneOf(['bfloat16', 'float16', 'float32', 'uint8'], {
      ...PATCH,
      field: { enum: 'DType' },
      default: 'bfloat16',
      defaultText: "'bf16'",
      aliases: ALIASES,
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
    decodeOnly: normalize({
      ...FRAME,
      doc: NORMALIZE_DOC,
      impact: 'One table lookup per value.',
    }),
    patchStream: normalize({
      ...PATCH,
      doc: NORMALIZE_DOC,
      impact: 'Done natively while patches are cut; no measurable cost.',
    }),
  }),
  width: side(
    'Width of the frames in pixels, with height short for size: { exact: [height, width] } and resample ' +
      "'bilinear-plain'. Give both, or neither; not beside size.",
  ),
  height: side('Height of the frames in pixels; see width.'),
} as const;
