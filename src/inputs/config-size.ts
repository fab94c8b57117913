/** `size`, crops and their relatives of a processor's file, as rules of size. */
import { invalid } from '../support/is.js';
import { flag, integerOf, sizeValue } from './config-values.js';
import type { SizeValue } from './config-values.js';
import type { Json } from './config-files.js';
import type { InputSize, InputSpec } from './types.js';

/** What fromConfig needs to know of the model besides the file. */
export interface SizeContext {
  readonly base: InputSpec;
  /** patch · merge of what the file and the class say. */
  readonly factor: number;
  /** The shorter side is int(crop · 256 / 224), whatever `size` says (V-JEPA 2). */
  readonly shortOfCrop: boolean;
  /** Keys of the bounds of merge blocks per frame, in place of any size (LFM2-VL, Gemma 4). */
  readonly tokenKeys?: { readonly min?: string; readonly max: string } | undefined;
}

type Rule = Exclude<InputSize, readonly unknown[]>;
type AreaRule = Extract<Rule, { readonly area: unknown }>;

const rulesOf = (size: InputSize | undefined): readonly Rule[] =>
  size === undefined ? [] : Array.isArray(size) ? (size as readonly Rule[]) : [size as Rule];

const inForm = (key: string, value: unknown, expected: string): never => {
  throw invalid(key, expected, value);
};

/** The side of a square crop; undefined: none. */
function cropOf(file: Json, base: Rule | undefined): number | undefined {
  const classCrop = base !== undefined && 'short' in base ? base.crop : undefined;
  if (!flag(file, 'do_center_crop', classCrop !== undefined)) return undefined;
  const given = sizeValue('crop_size', file.crop_size);
  if (given?.form === 'number') return given.side;
  if (given?.form === 'sides' && given.height === given.width) return given.height;
  if (given !== undefined) inForm('crop_size', file.crop_size, 'a number or a square');
  // Files of old processors have a plain number as size, which was the crop's, too.
  if (typeof file.size === 'number') return file.size;
  if (classCrop === undefined) return inForm('crop_size', undefined, 'a size (do_center_crop)');
  return classCrop;
}

/** Sides: shortest or longest edge, or both sides, then a crop. */
function sidesRule(file: Json, { base, shortOfCrop }: SizeContext): InputSize | undefined {
  const [classRule] = rulesOf(base.size);
  const crop = cropOf(file, classRule);
  if (!flag(file, 'do_resize', true)) {
    if (crop !== undefined) inForm('do_resize', false, 'true (do_center_crop)');
    return undefined;
  }
  if (shortOfCrop && crop !== undefined) return { short: Math.trunc((crop * 256) / 224), crop };
  const given = sizeValue('size', file.size);
  const short = (side: number): InputSize =>
    crop === undefined ? { short: side } : { short: side, crop };
  const exact = (height: number, width: number): InputSize => {
    const rule = { exact: [height, width] } as const;
    // The picture has its size already: the second rule cuts, and resizes nothing.
    return crop === undefined ? rule : [rule, { short: Math.min(height, width), crop }];
  };
  if (given === undefined) {
    if (classRule !== undefined && 'short' in classRule) return short(classRule.short);
    return base.size;
  }
  if (given.form === 'sides') return exact(given.height, given.width);
  if (given.form === 'number') {
    // A class that resizes to both sides means both.
    const both = classRule !== undefined && 'exact' in classRule;
    return both ? exact(given.side, given.side) : short(given.side);
  }
  const { shortest, longest } = given;
  if (shortest !== undefined && longest === undefined) return short(shortest);
  if (longest !== undefined && shortest === undefined && crop === undefined) {
    return { long: longest };
  }
  return inForm('size', file.size, 'shortest_edge or longest_edge alone (sides in pixels)');
}

/** Areas: shortest and longest edge are numbers of pixels, also called min_pixels and max_pixels. */
function areaRule(
  file: Json,
  rule: AreaRule,
  { base, factor }: SizeContext,
): InputSize | undefined {
  if (!flag(file, 'do_resize', true)) return undefined;
  if (flag(file, 'do_center_crop', false)) inForm('do_center_crop', true, 'false (areas)');
  const given = sizeValue('size', file.size);
  if (given !== undefined && given.form !== 'edges') {
    inForm('size', file.size, '{ shortest_edge, longest_edge }, which are areas here,');
  }
  const edges = given as Extract<SizeValue, { form: 'edges' }> | undefined;
  const bound = (key: string, edge: number | undefined, unless: number): number => {
    const pixels = integerOf(file, key);
    if (pixels !== undefined && edge !== undefined && pixels !== edge) {
      inForm(key, pixels, `${edge}, as size says,`);
    }
    return pixels ?? edge ?? unless;
  };
  const [least, most] = rule.area;
  const min = bound('min_pixels', edges?.shortest, least);
  const max = bound('max_pixels', edges?.longest, most);
  if (min > max) inForm('size', file.size ?? [min, max], 'a least area <= the largest');
  const tokens = integerOf(file, 'max_video_tokens');
  const capped = flag(file, 'cap_pixels_per_frame', false) && tokens !== undefined;
  // Of all tokens that the class has room for, a tenth is left to the text, where they are a video's.
  const share = rule.of === 'video' ? 1 : 0.9;
  return {
    ...rule,
    area: [min, max],
    multipleOf: factor,
    ...(capped ? { cap: { tokens, share } } : {}),
    ...(base.patch?.frames !== undefined && (rule.of === 'video' || capped)
      ? { framesPerStep: base.patch.frames }
      : {}),
  };
}

/** The longer side, then a square: SmolVLM. */
function twiceRule(file: Json, rules: readonly Rule[]): InputSize | undefined {
  if (!flag(file, 'do_resize', true)) return undefined;
  const sampling = file.video_sampling as Json | undefined;
  // The class takes `size` where both are there.
  const long =
    sizeValue('size', file.size) ?? sizeValue('video_sampling.video_size', sampling?.video_size);
  const square = sizeValue('max_image_size', file.max_image_size);
  const [first, second] = rules as [Extract<Rule, { long: unknown }>, Rule];
  let before: Rule = first;
  if (long?.form === 'edges' && long.longest !== undefined && long.shortest === undefined) {
    before = { ...first, long: long.longest };
  } else if (long?.form === 'sides') {
    before = { exact: [long.height, long.width] };
  } else if (long !== undefined) {
    inForm('size', file.size ?? sampling?.video_size, '{ longest_edge } or { height, width }');
  }
  if (square === undefined) return [before, second] as InputSize;
  const side =
    square.form === 'number'
      ? square.side
      : square.form === 'edges' && square.shortest === undefined
        ? square.longest
        : undefined;
  if (side === undefined) return inForm('max_image_size', file.max_image_size, '{ longest_edge }');
  return [before, { exact: [side, side] }] as InputSize;
}

const MOST_TOKENS = 100_000;

/** A picture of as many merge blocks as the file allows. */
function tokensRule(
  file: Json,
  rule: AreaRule | Extract<InputSize, { readonly patches: number }>,
  { base, factor, tokenKeys }: SizeContext,
): InputSize {
  const area = factor * factor;
  const bound = (key: string | undefined, unless: number): number =>
    (key === undefined ? undefined : integerOf(file, key, MOST_TOKENS)) ?? unless;
  if ('patches' in rule) {
    if (!flag(file, 'do_resize', true)) inForm('do_resize', false, `true (${tokenKeys?.max})`);
    const merge = base.patch?.merge ?? 1;
    const tokens = bound(tokenKeys?.max, 70);
    return { patches: tokens * merge * merge, multipleOf: factor };
  }
  // The class resizes whatever do_resize says.
  const [min, max] = [bound(tokenKeys?.min, 64), bound(tokenKeys?.max, 256)];
  if (min > max) inForm(tokenKeys?.min ?? '', min, `integer <= ${tokenKeys?.max} (${max})`);
  return { ...rule, area: [min * area, max * area], multipleOf: factor };
}

/** The rule of size that a file gives, by the kind of the class's own. */
export function sizeOf(file: Json, context: SizeContext): InputSize | undefined {
  const rules = rulesOf(context.base.size);
  const [first] = rules;
  if (context.tokenKeys !== undefined && first !== undefined) {
    return tokensRule(file, first as AreaRule, context);
  }
  if (rules.length === 2 && first !== undefined && 'long' in first) return twiceRule(file, rules);
  if (first !== undefined && 'area' in first) return areaRule(file, first as AreaRule, context);
  if (first !== undefined && 'patches' in first) {
    if (file.size !== undefined) inForm('size', file.size, 'no size (max_num_patches has it)');
    if (!flag(file, 'do_resize', true)) inForm('do_resize', false, 'true (max_num_patches)');
    return { patches: integerOf(file, 'max_num_patches', 1_000_000) ?? first.patches };
  }
  return sidesRule(file, context);
}
