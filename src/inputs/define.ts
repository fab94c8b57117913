/** Checks a model's input once and freezes it. */
import type { DecodeOnlyConfig, PatchStreamConfig } from '../options/config.js';
import { checkDecodeOnlyOptions, checkPatchStreamOptions } from '../options/records.js';
import { CodecPatchStreamError } from '../support/errors.js';
import { checkInteger, invalid, nearestName } from '../support/is.js';
import { parsePixelAxes, parseRowAxes, rowAxesOf } from './axes.js';
import type { PixelAxes, RowAxes } from './axes.js';
import { checkModelSample, isModelSample } from './model-sample.js';
import type {
  Coordinate,
  IndexType,
  InputSize,
  InputSpec,
  PixelType,
  SelectSpec,
  TensorSpec,
} from './types.js';

const KEYS = [
  ...['sample', 'size', 'resample', 'normalize', 'augment', 'patch', 'select', 'pad'],
  ...['tokensPerStep', 'stepTime', 'tensors', 'notes'],
];
const SELECT_KEYS: readonly (keyof SelectSpec)[] = [
  ...(['kKeep', 'selectionUnit', 'energy', 'energyPct', 'energyScope', 'intraEnergy'] as const),
  ...(['globalMotion', 'keyFramePatches', 'wholeFrames', 'minPerFrame', 'maxPerFrame'] as const),
  ...(['ignore', 'staticFallback', 'staticAbsThresh', 'staticRelThresh'] as const),
  'staticUniformFrames',
];
/** As many rows as a tensor is padded to at most. */
const MOST_ROWS = 1_000_000;

type Given = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is Given =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function object(at: string, value: unknown, keys: readonly string[], expected: string): Given {
  if (!isObject(value)) throw invalid(at, expected, value);
  for (const key of Object.keys(value)) {
    if (keys.includes(key)) continue;
    const nearest = nearestName(key, keys);
    const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
    throw invalid(`${at}.${key}`, `no such key (${keys.join(', ')})`, value[key], hint);
  }
  return value;
}

function oneOf<T extends string>(at: string, value: unknown, values: readonly T[], unless: T): T {
  if (value === undefined) return unless;
  if (!values.includes(value as T)) {
    throw invalid(at, `one of ${values.map((v) => `'${v}'`).join(', ')}`, value);
  }
  return value as T;
}

/** The same error for a part of a description as for the option that it becomes. */
function at<T>(where: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof CodecPatchStreamError) || where === '') throw error;
    const message = error.message.replace(/ for (?=\w)/, ` for ${where}.`);
    throw new CodecPatchStreamError(error.code, error.stage, message, { cause: error });
  }
}

/** Absent is undefined; null is a wrong value like any other. */
const integerOr = (at: string, value: unknown, unless: number, min: number, max: number): number =>
  value === undefined ? unless : checkInteger(at, value, min, max);

const INT_TYPES = ['int32', 'int64'] as const;
const INDEX_TYPES = ['bool', 'uint8', 'int32', 'int64', 'float32'] as const;
const PIXEL_TYPES = ['uint8', 'float16', 'bfloat16', 'float32'] as const;

/** A tensor of an input, understood. */
export type ParsedTensor =
  | { readonly of: 'pixels'; readonly axes: PixelAxes; readonly dtype: PixelType }
  | {
      readonly of: 'positions';
      readonly axes: RowAxes;
      readonly time: 'sampled' | 'source' | { readonly spread: number };
      readonly coordinates: readonly Coordinate[];
      readonly fill: number;
      readonly dtype: 'int32' | 'int64';
    }
  | {
      readonly of: 'indices';
      readonly axes: RowAxes;
      readonly frames: number | undefined;
      readonly dtype: 'int32' | 'int64';
    }
  | { readonly of: 'grid'; readonly per: 'video' | 'frame'; readonly dtype: 'int32' | 'int64' }
  | { readonly of: 'mask'; readonly axes: RowAxes; readonly dtype: IndexType }
  | {
      readonly of: 'spatialShapes' | 'mergeSizes' | 'pixelMask' | 'changeMask' | 'secondsPerStep';
      readonly dtype: IndexType;
    };

/** An input, understood; its parts are those of `spec`. */
export interface ParsedInput {
  readonly spec: InputSpec;
  readonly tensors: readonly (readonly [name: string, tensor: ParsedTensor])[];
  /** Those of the one pixel tensor. */
  readonly pixels: PixelAxes;
  readonly patch: { readonly size: number; readonly frames: number; readonly merge: number };
  readonly hasPatch: boolean;
}

const TENSOR_KEYS: Readonly<Record<string, readonly string[]>> = {
  pixels: ['axes', 'dtype'],
  positions: ['axes', 'time', 'coordinates', 'fill', 'dtype'],
  indices: ['axes', 'frames', 'dtype'],
  grid: ['per', 'dtype'],
  mask: ['axes', 'dtype'],
  spatialShapes: ['dtype'],
  mergeSizes: ['dtype'],
  pixelMask: ['dtype'],
  changeMask: ['dtype'],
  secondsPerStep: ['dtype'],
};
const KINDS = Object.keys(TENSOR_KEYS);

function parseTime(where: string, value: unknown): 'sampled' | 'source' | { spread: number } {
  if (isObject(value)) {
    const { spread } = object(where, value, ['spread'], '{ spread }');
    return { spread: checkInteger(`${where}.spread`, spread, 1, MOST_ROWS) };
  }
  return oneOf(where, value, ['sampled', 'source'] as const, 'sampled');
}

const COORDINATES = ['time', 'row', 'column'] as const;

function parseCoordinates(where: string, value: unknown): readonly Coordinate[] {
  if (value === undefined) return COORDINATES;
  const names: readonly unknown[] = Array.isArray(value) ? value : [];
  const known = names.every((name) => COORDINATES.includes(name as Coordinate));
  if (!known || names.length === 0 || new Set(names).size < names.length) {
    throw invalid(where, "some of 'time', 'row', 'column', each once", value);
  }
  return names as readonly Coordinate[];
}

function parseTensor(where: string, value: unknown, pixels: PixelAxes): ParsedTensor {
  const of = (value as { of?: unknown }).of as TensorSpec['of'];
  const given = object(where, value, ['of', ...(TENSOR_KEYS[of] ?? [])], `{ of: '${of}', ... }`);
  const { dtype, axes } = given;
  const rows = (): RowAxes =>
    axes === undefined ? rowAxesOf(pixels) : parseRowAxes(`${where}.axes`, axes);
  const integers = (): 'int32' | 'int64' => oneOf(`${where}.dtype`, dtype, INT_TYPES, 'int64');
  const index = (unless: IndexType): IndexType =>
    oneOf(`${where}.dtype`, dtype, INDEX_TYPES, unless);
  switch (of) {
    case 'pixels':
      return { of, axes: pixels, dtype: oneOf(`${where}.dtype`, dtype, PIXEL_TYPES, 'float32') };
    case 'positions':
      return {
        ...{ of, axes: rows(), time: parseTime(`${where}.time`, given.time), dtype: integers() },
        coordinates: parseCoordinates(`${where}.coordinates`, given.coordinates),
        fill: integerOr(`${where}.fill`, given.fill, 0, -(2 ** 31), 2 ** 31 - 1),
      };
    case 'indices': {
      const frames =
        given.frames === undefined
          ? undefined
          : checkInteger(`${where}.frames`, given.frames, 1, MOST_ROWS);
      return { of, axes: rows(), frames, dtype: integers() };
    }
    case 'grid': {
      const per = oneOf(`${where}.per`, given.per, ['video', 'frame'] as const, 'video');
      return { of, per, dtype: integers() };
    }
    case 'mask':
      return { of, axes: rows(), dtype: index('int64') };
    case 'changeMask':
      return { of, dtype: index('bool') };
    case 'secondsPerStep':
      return { of, dtype: index('float32') };
    default:
      return { of, dtype: index('int64') };
  }
}

const NEEDS_PATCHES: readonly TensorSpec['of'][] = [
  ...(['positions', 'indices', 'grid', 'spatialShapes', 'mergeSizes', 'changeMask'] as const),
];

function parseTensors(value: unknown): { tensors: ParsedInput['tensors']; pixels: PixelAxes } {
  const expected = 'an object of tensors by name, one of them { of: pixels }';
  if (!isObject(value)) throw invalid('tensors', expected, value);
  const entries = Object.entries(value);
  for (const [name, tensor] of entries) {
    const of = isObject(tensor) ? tensor.of : undefined;
    if (typeof of !== 'string' || !KINDS.includes(of)) {
      throw invalid(`tensors.${name}`, `{ of: ${KINDS.map((k) => `'${k}'`).join(' | ')} }`, tensor);
    }
  }
  const ofPixels = entries.filter(([, tensor]) => (tensor as { of: unknown }).of === 'pixels');
  const [first] = ofPixels;
  if (!first || ofPixels.length > 1) throw invalid('tensors', expected, value);
  const pixels = parsePixelAxes(`tensors.${first[0]}.axes`, (first[1] as { axes?: unknown }).axes);
  const tensors = entries.map(
    ([name, tensor]) => [name, parseTensor(`tensors.${name}`, tensor, pixels)] as const,
  );
  return { tensors, pixels };
}

function parsePatch(value: unknown): ParsedInput['patch'] {
  if (value === undefined) return { size: 1, frames: 1, merge: 1 };
  const where = 'patch';
  const given = object(where, value, ['size', 'frames', 'merge'], '{ size, frames?, merge? }');
  return {
    size: checkInteger(`${where}.size`, given.size, 1, 1024),
    frames: integerOr(`${where}.frames`, given.frames, 1, 1, 1024),
    merge: integerOr(`${where}.merge`, given.merge, 1, 1, 64),
  };
}

/** What the axes of a tensor need of the rest of the description. */
function checkTogether(name: string, tensor: ParsedTensor, spec: Given, pixels: PixelAxes): void {
  const where = `tensors.${name}`;
  const needs = (condition: boolean, what: string, why: string): void => {
    if (!condition) throw invalid(what, `a value, which ${where} (${why}) needs`, undefined);
  };
  const { patch, select } = spec;
  const hasPatch = patch !== undefined;
  if (NEEDS_PATCHES.includes(tensor.of)) needs(hasPatch, 'patch', `of: '${tensor.of}'`);
  if (!('axes' in tensor)) {
    if (tensor.of === 'changeMask' && (pixels.time !== 'frames' || pixels.space !== 'blocks')) {
      throw invalid(where, "pixels with the axes f H W a b beside 'changeMask'", pixels.text);
    }
    return;
  }
  const { time, space, text } = tensor.axes;
  const why = `axes '${text}'`;
  if (space === 'patches' || space === 'blocks') needs(hasPatch, 'patch', why);
  if (space === 'blocks') needs((patch as Given).merge !== undefined, 'patch.merge', why);
  if (time === 'steps')
    needs(hasPatch && (patch as Given).frames !== undefined, 'patch.frames', why);
  const selected = time === 'selected' || time === 'canvases';
  if (selected) needs(select !== undefined, 'select', why);
  else if (select !== undefined) {
    throw invalid(`${where}.axes`, 'k or F for the time (select is given)', text);
  }
  const ours = pixels.time === 'selected' || pixels.time === 'canvases';
  if (selected !== ours) throw invalid(`${where}.axes`, 'the time of the pixels', text);
}

/** A size for the options of decoding, which take a number of patches with their side alone. */
const sizeOption = (size: InputSize | undefined): DecodeOnlyConfig['size'] =>
  isObject(size) && 'patches' in size ? { exact: [1, 1] } : size;

function checkSize(size: unknown, patch: unknown): void {
  if (!isObject(size) || !('patches' in size)) return;
  object('size', size, ['patches', 'multipleOf'], '{ patches, multipleOf? }');
  checkInteger('size.patches', size.patches, 1, MOST_ROWS);
  if (size.multipleOf !== undefined) checkInteger('size.multipleOf', size.multipleOf, 1, 4096);
  if (patch === undefined) {
    throw invalid('patch', 'a value, which size ({ patches }) needs', undefined);
  }
}

const parsed = new WeakMap<object, ParsedInput>();

/** Deeply frozen, in memory of its own: a description that changes later would not be the checked one. */
function frozenCopy<T>(value: T): T {
  if (ArrayBuffer.isView(value)) return Object.freeze(Array.from(value as never)) as T;
  if (Array.isArray(value)) return Object.freeze(value.map(frozenCopy)) as T;
  if (!isObject(value)) return value;
  return Object.freeze(
    Object.fromEntries(Object.entries(value).map(([key, v]) => [key, frozenCopy(v)])),
  ) as T;
}

function parse(spec: unknown): ParsedInput {
  const given = object('input', spec, KEYS, 'a description of a model input');
  if (given.sample === undefined) {
    throw invalid('sample', "a rule as option 'sample' takes", undefined);
  }
  const { resample, normalize, augment, select, tokensPerStep, notes } = given;
  const rule: unknown = given.sample;
  if (isModelSample(rule)) checkModelSample('sample', rule);
  const sample = isModelSample(rule) ? undefined : rule;
  oneOf('stepTime', given.stepTime, ['mean', 'first'] as const, 'mean');
  const patch = parsePatch(given.patch);
  checkSize(given.size, given.patch);
  const size = sizeOption(given.size as InputSize);
  const options = { sample, size, resample, normalize, augment } as DecodeOnlyConfig;
  checkDecodeOnlyOptions({ ...options, outputDtype: 'float32' });
  if (select !== undefined) {
    object('select', select, SELECT_KEYS, "an object of patchStream's options");
    at('select', () => checkPatchStreamOptions(select as PatchStreamConfig));
  }
  if (given.pad !== undefined) {
    const pad = object('pad', given.pad, ['patches'], '{ patches }');
    if (pad.patches !== undefined) checkInteger('pad.patches', pad.patches, 1, MOST_ROWS);
  }
  if (tokensPerStep !== undefined) checkInteger('tokensPerStep', tokensPerStep, 1, MOST_ROWS);
  if (notes !== undefined && !(Array.isArray(notes) && notes.every((n) => typeof n === 'string'))) {
    throw invalid('notes', 'an array of texts', notes);
  }
  const { tensors, pixels } = parseTensors(given.tensors);
  for (const [name, tensor] of tensors) checkTogether(name, tensor, given, pixels);
  const frozen = frozenCopy(given) as unknown as InputSpec;
  return Object.freeze({
    spec: frozen,
    tensors,
    pixels,
    patch: Object.freeze(patch),
    hasPatch: given.patch !== undefined,
  });
}

/** @internal The checked form of a description. */
export function parsedInput(spec: InputSpec): ParsedInput {
  const known = typeof spec === 'object' && (spec as unknown) !== null && parsed.get(spec);
  if (known) return known;
  const result = parse(spec);
  parsed.set(result.spec, result);
  return result;
}

/**
 * A description of a model's input, checked and frozen: which frames, their size and values, and the
 * tensors that are made of them. Throws ERR_CPS_INVALID_ARGUMENT that names the axis, the rule or the
 * combination that is wrong.
 */
export const defineInput = (spec: InputSpec): InputSpec => parsedInput(spec).spec;
