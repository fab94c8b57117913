/** From a checkpoint's own files to the input of its model. */
import type { SampleRule } from '../options/config.js';
import { CodecPatchStreamError } from '../support/errors.js';
import { invalid, nearestName } from '../support/is.js';
import { classOf, plainClass, sortFiles, unknownKeys } from './config-files.js';
import type { ConfigFiles, Json } from './config-files.js';
import { sizeOf } from './config-size.js';
import { channels, flag, integerOf, numberOf, resampleOf } from './config-values.js';
import { defineInput, isObject } from './define.js';
import { presetTable } from './presets.js';
import type { ClassSampling, Preset } from './preset-types.js';
import type { PresetName } from './presets.js';
import type { InputSpec } from './types.js';

const NAMES = Object.keys(presetTable);

/** The preset of that name; throws for names that there are not. */
export function presetOf(name: unknown): Preset {
  if (typeof name === 'string' && Object.hasOwn(presetTable, name)) {
    return presetTable[name as PresetName];
  }
  const nearest = typeof name === 'string' ? nearestName(name, NAMES) : undefined;
  let hint = nearest === undefined ? '' : `; did you mean '${nearest}'?`;
  if (name === 'llava-onevision-2-codec') hint = '; codecCanvases makes it';
  throw invalid('input', `a description or one of ${NAMES.join(', ')}`, name, hint);
}

const MOST_FRAMES = 1_000_000;

/** numpy's round: halves to even. */
function roundEven(value: number): number {
  const down = Math.floor(value);
  const rest = value - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down;
}

/** The rule by which the class chooses frames where its file says how many; else the model's own. */
function sampleOf(
  file: Json,
  how: ClassSampling | undefined,
  { sample, patch }: InputSpec,
): InputSpec['sample'] {
  if (how === undefined) return sample;
  if (how === 'glm-4.6v') return { as: how, framesPerStep: patch?.frames ?? 1 };
  if (how === 'glm-4v') {
    const maxSeconds = numberOf(file, 'max_duration') ?? 300;
    return { as: how, fps: numberOf(file, 'fps') ?? 2, maxSeconds };
  }
  const nested = file.video_sampling as Json | undefined;
  if (nested !== undefined && !isObject(nested)) {
    throw invalid('video_sampling', '{ fps, max_frames, video_size }', nested);
  }
  const fps = numberOf(file, 'fps') ?? numberOf(nested ?? {}, 'fps');
  const count = integerOf(file, 'num_frames', MOST_FRAMES);
  const [least, most] = [
    integerOf(file, 'min_frames', MOST_FRAMES),
    integerOf(file, 'max_frames', MOST_FRAMES) ??
      integerOf(nested ?? {}, 'max_frames', MOST_FRAMES),
  ];
  if (how === 'smolvlm') {
    if (fps === undefined && count === undefined && most === undefined) return sample;
    const rule = sample as Extract<SampleRule, { readonly count: unknown }>;
    const own = rule.count as { readonly fps: number; readonly max?: number };
    const limits = { fps: fps ?? own.fps, max: count ?? most ?? own.max };
    return { ...rule, count: { ...limits, round: 'nearest' } };
  }
  if (fps !== undefined && count !== undefined) {
    throw invalid('num_frames', 'fps or num_frames, not both', count);
  }
  const step = patch?.frames ?? 1;
  if (count !== undefined) {
    switch (how) {
      case 'qwen2': {
        const even = Math.max(step, roundEven(count / step) * step);
        return { count: even, place: 'starts', short: 'all' };
      }
      case 'qwen3':
        return { count, place: 'ends-round' };
      case 'internvl':
        return { count, place: 'middles', short: 'all' };
      default:
        return { count, place: 'starts', short: 'all' };
    }
  }
  if (how === 'qwen2' || how === 'qwen3') {
    if (fps === undefined && least === undefined && most === undefined) return sample;
    const rule = sample as Extract<SampleRule, { readonly count: unknown }>;
    const own = rule.count as { readonly fps: number };
    const limits = { ...own, ...(least ? { min: least } : {}), ...(most ? { max: most } : {}) };
    if (least !== undefined && most !== undefined && least > most) {
      throw invalid('min_frames', `integer <= max_frames (${most})`, least);
    }
    return { ...rule, count: { ...limits, fps: fps ?? own.fps } };
  }
  if (fps === undefined) return sample;
  return { count: { fps }, place: how === 'internvl' ? 'middles' : 'starts', short: 'all' };
}

type NormalizeObject = {
  readonly scale: number;
  readonly offset?: number;
  readonly mean: number | readonly [number, number, number];
  readonly std: number | readonly [number, number, number];
};

const CLIP = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
} as const;
const NAMED: Readonly<Record<string, NormalizeObject>> = {
  signed: { scale: 1 / 255, mean: 0.5, std: 0.5 },
  imagenet: { scale: 1 / 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  clip: { scale: 1 / 255, ...CLIP },
};

/** do_rescale, rescale_factor, do_normalize, image_mean, image_std, and ViViT's offset. */
function normalizeOf(file: Json, base: InputSpec): InputSpec['normalize'] {
  const { normalize } = base;
  const own: Partial<NormalizeObject> =
    typeof normalize === 'string' ? (NAMED[normalize] ?? {}) : ((normalize ?? {}) as object);
  const rescales = flag(file, 'do_rescale', true);
  const normalizes = flag(file, 'do_normalize', true);
  const factor = numberOf(file, 'rescale_factor');
  const scale = rescales ? (factor ?? own.scale ?? 1 / 255) : 1;
  const mean = channels(file, 'image_mean') ?? own.mean ?? 0;
  const std = channels(file, 'image_std') ?? own.std ?? 1;
  const offset =
    own.offset !== undefined && rescales && flag(file, 'offset', true) ? own.offset : 0;
  // An offset, even 0, stands for steps one after the other, as they are where one is left out.
  if (!normalizes) return { scale, offset, mean: 0, std: 1 };
  if (own.offset !== undefined) return { scale, offset, mean, std };
  return { scale, mean, std };
}

function patchOf(
  file: Json,
  { patch }: InputSpec,
  keys: Preset['patchKeys'] = { size: 'patch_size', merge: 'merge_size' },
): InputSpec['patch'] {
  if (patch === undefined) return undefined;
  const size = integerOf(file, keys.size, 1024) ?? patch.size;
  const frames = integerOf(file, 'temporal_patch_size', 1024) ?? patch.frames;
  const merge = integerOf(file, keys.merge, 64) ?? patch.merge;
  return {
    size,
    ...(frames === undefined ? {} : { frames }),
    ...(merge === undefined ? {} : { merge }),
  };
}

interface Chosen {
  readonly file: Json;
  readonly notes: readonly string[];
}

const sameValue = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** The file that counts for videos. */
function chooseFile(name: string, preset: Preset, { image, video }: ConfigFiles): Chosen {
  if (video === undefined) {
    if (image === undefined) return { file: {}, notes: [] };
    const ofVideos = image.video_processor_type !== undefined;
    const ofImages = classOf(image) !== undefined && !ofVideos;
    if (preset.needsVideoFile && ofImages) {
      const expected = `video_preprocessor_config.json (or both files) of '${name}'`;
      throw invalid('json', expected, image, ', which is the file of its images');
    }
    return { file: image, notes: [] };
  }
  if (image === undefined || !preset.imageFileWins) return { file: video, notes: [] };
  const keys = ['size', 'image_mean', 'image_std'].filter(
    (key) => image[key] !== undefined && !sameValue(image[key], video[key]),
  );
  if (keys.length === 0) return { file: video, notes: [] };
  const file = { ...video, ...Object.fromEntries(keys.map((key) => [key, image[key]])) };
  const note = `The files of images and videos differ in ${keys.join(', ')}; those of images count.`;
  return { file, notes: [note] };
}

function checkClass(name: string, { accepts }: Preset, file: Json): void {
  const given = classOf(file);
  if (given === undefined || accepts.includes(plainClass(given))) return;
  const fits = NAMES.filter((other) =>
    presetTable[other as PresetName].accepts.includes(plainClass(given)),
  );
  const hint = fits.length === 0 ? '' : `; its presets are ${fits.map((n) => `'${n}'`).join(', ')}`;
  throw invalid('json', `the file of a processor of '${name}'`, given, hint);
}

/** Tokens per step where processor_config.json says how many there are in a picture. */
function tokensOf({ processor }: ConfigFiles, base: InputSpec): number | undefined {
  const perImage = integerOf(processor ?? {}, 'image_seq_len', 1_000_000);
  return perImage ?? base.tokensPerStep;
}

/** To how many patches a frame is filled up. */
function padOf(
  file: Json,
  { class: base, tokenKeys }: Preset,
  size: InputSpec['size'],
  merge: number,
): number | undefined {
  if (base.pad === undefined) return undefined;
  if (isObject(size) && 'patches' in size) return size.patches;
  if (tokenKeys === undefined) return base.pad.patches;
  if (!flag(file, 'do_pad', true)) throw invalid('do_pad', 'true (frames differ in size)', false);
  const { area, multipleOf } = size as { area: readonly [number, number]; multipleOf: number };
  const patches = area[1] / (multipleOf / merge) ** 2;
  if (!flag(file, 'do_image_splitting', true)) return patches;
  // The class leaves room for a tile, too.
  const side = integerOf(file, 'tile_size') ?? 512;
  return Math.max(patches, Math.floor(side / (multipleOf / merge)) ** 2);
}

const TILE_NOTE =
  'Frames stay whole: with do_image_splitting the class cuts pictures of more than max_image_tokens into tiles.';
const cutsTiles = (file: Json, { tokenKeys }: Preset): boolean =>
  tokenKeys?.min !== undefined && flag(file, 'do_image_splitting', true);

function build(name: string, preset: Preset, files: ConfigFiles): InputSpec {
  const base = preset.class;
  const { file, notes } = chooseFile(name, preset, files);
  checkClass(name, preset, file);
  const patch = patchOf(file, base, preset.patchKeys);
  const withPatch = { ...base, patch };
  const factor = (patch?.size ?? 1) * (patch?.merge ?? 1);
  const size = sizeOf(file, {
    base: withPatch,
    factor,
    shortOfCrop: preset.shortOfCrop === true,
    tokenKeys: preset.tokenKeys,
  });
  const pad = padOf(file, preset, size, factor / (patch?.size ?? 1));
  const tokensPerStep = tokensOf(files, base);
  const untold =
    patch === undefined && tokensPerStep === undefined && preset.sampling === 'smolvlm';
  const tokenNote = 'image_seq_len of processor_config.json says how many tokens a frame has.';
  const allNotes = [
    ...notes,
    ...unknownKeys(file),
    ...(untold ? [tokenNote] : []),
    ...(cutsTiles(file, preset) ? [TILE_NOTE] : []),
  ];
  return defineInput({
    ...withPatch,
    sample: sampleOf(file, preset.sampling, withPatch),
    size,
    resample: resampleOf(file) ?? base.resample,
    normalize: normalizeOf(file, base),
    ...(pad === undefined ? {} : { pad: { patches: pad } }),
    ...(tokensPerStep === undefined ? {} : { tokensPerStep }),
    ...(allNotes.length === 0 ? {} : { notes: allNotes }),
  });
}

/**
 * The input of the model that a checkpoint's processor files belong to: `preset` for its tensors and what
 * its class does where the files are silent, `json` and `more` for all else. The files are
 * preprocessor_config.json, video_preprocessor_config.json and processor_config.json, parsed; what a
 * file of videos says counts, not that of images. Keys that say nothing here are listed in `notes`.
 *
 *     const input = fromConfig('qwen3-vl', JSON.parse(await readFile('video_preprocessor_config.json', 'utf8')));
 *
 * Throws ERR_CPS_INVALID_ARGUMENT for a file of another model and for values that contradict each other.
 */
export function fromConfig(
  preset: PresetName | InputSpec,
  json: object,
  ...more: readonly object[]
): InputSpec {
  const files = sortFiles([json, ...more]);
  if (typeof preset === 'string') return build(preset, presetOf(preset), files);
  const own = defineInput(preset);
  const given = classOf(files.video ?? files.image ?? {});
  const accepts = given === undefined ? [] : [plainClass(given)];
  return build('the description', { class: own, accepts, checkpoints: '' }, files);
}

/** What the class itself does, without a file. */
export const classDefaults = (name: PresetName): InputSpec => build(name, presetOf(name), {});

const published = new Map<PresetName, InputSpec>();

/** The input of a preset's published checkpoints; throws where these differ from each other. */
export function publishedInput(name: PresetName): InputSpec {
  const preset = presetOf(name);
  if (preset.family) {
    throw new CodecPatchStreamError(
      'ERR_CPS_INVALID_ARGUMENT',
      'options',
      `Checkpoints of '${name}' (${preset.checkpoints}) differ in size or values, so the name alone does not ` +
        `say what the model takes: pass fromConfig('${name}', json) with the parsed ` +
        'preprocessor_config.json of the checkpoint, or { classDefaults: true } for what its class does.',
    );
  }
  let input = published.get(name);
  if (!input) {
    input = defineInput({ ...preset.class, ...preset.published });
    published.set(name, input);
  }
  return input;
}
