/** What is extracted: from the flags to settings, checked before any video is opened. */
import { readFileSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkPatchStreamOptions, describeOptions } from 'codec-patch-stream';
import {
  checkCanvasOptions,
  defineInput,
  fromConfig,
  inputStream,
  presets,
} from 'codec-patch-stream/inputs';
import type { InputSpec, PixelType, PresetName } from 'codec-patch-stream/inputs';
import { UsageError } from '../files.js';
import { flagOf } from '../flags.js';
import { CODEC_ASSETS } from '../layouts/onevision-encoder.js';
import { isLayout } from './layouts.js';
import type { Json, Recipe, Settings } from './shards.js';

export interface RecipeFlags {
  readonly input?: string;
  readonly config?: readonly string[];
  readonly classDefaults?: boolean;
  readonly patches?: boolean;
  readonly canvases?: number;
  readonly format: Settings['format'];
}

type Given = Readonly<Record<string, unknown>>;

/** Options of decoding that change what comes out; the others are about the machine. */
const CHANGE_RESULTS = ['colorMatrix', 'damaged', 'maxFramePixels', 'maxFrames'];

const groups = new Map(describeOptions('patchStream').map(({ name, group }) => [name, group]));
const ofDecoding = (name: string): boolean =>
  ['decoding', 'limits'].includes(groups.get(name) ?? '');

const pick = (given: Given, wanted: (name: string) => boolean): Record<string, Json> =>
  Object.fromEntries(Object.entries(given).filter(([name]) => wanted(name))) as Record<
    string,
    Json
  >;

function readJson(flag: string, file: string): object {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    throw new UsageError(`Expected a JSON file for ${flag} but received '${file}': ${why}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UsageError(`Expected a JSON object for ${flag} in '${file}'`);
  }
  return value;
}

async function fromModule(file: string): Promise<unknown> {
  let loaded: { readonly default?: unknown; readonly input?: unknown };
  try {
    loaded = (await import(pathToFileURL(resolve(file)).href)) as typeof loaded;
  } catch (error) {
    throw new UsageError(`Could not load '${file}' for --input: ${(error as Error).message}`);
  }
  return loaded.input ?? loaded.default;
}

/** Of the published checkpoints, where they are all alike. */
function published(name: PresetName): InputSpec {
  try {
    // Checks the name; nothing is decoded.
    inputStream([], name);
  } catch (error) {
    const { message } = error as Error;
    const at = message.indexOf('pass fromConfig(');
    if (at < 0) throw error;
    throw new UsageError(
      `${message.slice(0, at)}add --config preprocessor_config.json of the checkpoint, or --class-defaults for ` +
        'what its class does',
    );
  }
  return presets[name];
}

/** A preset's name, or a description in a file. */
async function described({ input = '', config, classDefaults }: RecipeFlags): Promise<InputSpec> {
  const files = (config ?? []).map((file) => readJson('--config', file));
  const isFile = ['.json', '.mjs', '.js', '.cjs'].includes(extname(input));
  if (!isFile) {
    const [first, ...more] = files;
    if (first !== undefined) return fromConfig(input as PresetName, first, ...more);
    const name = input as PresetName;
    if (classDefaults === true) return fromConfig(name, {});
    return published(name);
  }
  if (classDefaults === true) {
    throw new UsageError(`Expected the name of a preset for --input beside --class-defaults`);
  }
  const spec = extname(input) === '.json' ? readJson('--input', input) : await fromModule(input);
  const own = defineInput(spec as InputSpec);
  const [first, ...more] = files;
  return first === undefined ? own : fromConfig(own, first, ...more);
}

/** Of patchStream's options those that codecCanvases has. */
const OF_CANVASES = [
  ...['energy', 'energyPct', 'energyScope', 'intraEnergy', 'globalMotion', 'patchSize'],
];

const PIXEL_TYPES: Readonly<Record<string, PixelType>> = {
  uint8: 'uint8',
  fp16: 'float16',
  float16: 'float16',
  bf16: 'bfloat16',
  bfloat16: 'bfloat16',
  fp32: 'float32',
  float32: 'float32',
};

/** Flags that change a description: the rule of frames, the type of pixels, how patches are chosen. */
function changed(spec: InputSpec, given: Given): InputSpec {
  const { sample, sequenceLength, outputDtype, ...rest } = given;
  const select = pick(rest, (name) => groups.get(name) === 'patches' && name !== 'patchSize');
  const [other] = Object.keys(rest).filter((name) => !(name in select) && !ofDecoding(name));
  if (other !== undefined) {
    throw new UsageError(
      `Expected no ${flagOf(other)} beside --input: it is part of the description (or of --patches)`,
    );
  }
  const count = sequenceLength === undefined ? undefined : { count: sequenceLength };
  if (sample !== undefined && count !== undefined) {
    throw new UsageError('Expected one of --sample and --frames');
  }
  const rule = sample ?? count;
  if (outputDtype !== undefined && !Object.hasOwn(PIXEL_TYPES, outputDtype as string)) {
    throw new UsageError(
      `Expected ${Object.keys(PIXEL_TYPES).join(', ')} for --dtype but received '${outputDtype as string}'`,
    );
  }
  const tensors = Object.entries(spec.tensors).map(([name, tensor]) => {
    const dtype = outputDtype === undefined ? undefined : PIXEL_TYPES[outputDtype as string];
    return [name, tensor.of === 'pixels' && dtype ? { ...tensor, dtype } : tensor] as const;
  });
  if (Object.keys(select).length > 0 && spec.select === undefined) {
    throw new UsageError(
      `Expected a description that selects patches for ${flagOf(Object.keys(select)[0] ?? '')}`,
    );
  }
  return defineInput({
    ...spec,
    ...(rule === undefined ? {} : { sample: rule as InputSpec['sample'] }),
    ...(spec.select === undefined ? {} : { select: { ...spec.select, ...select } }),
    tensors: Object.fromEntries(tensors),
  });
}

/** What formats of one model are made of, where nothing else is said. */
async function layoutRecipe(flags: RecipeFlags, given: Given): Promise<Recipe> {
  const { format, input, canvases } = flags;
  if (flags.patches === true) {
    throw new UsageError(`Expected no --patches beside --format ${format}`);
  }
  if (format === 'llava-onevision-2') {
    if (input !== undefined || flags.config !== undefined) {
      throw new UsageError(`Expected no --input and no --config beside --format ${format}`);
    }
    const options = pick(given, (name) => !ofDecoding(name));
    const other = Object.keys(options).find((name) => !OF_CANVASES.includes(name));
    if (other !== undefined) {
      throw new UsageError(`Expected no ${flagOf(other)} beside --format ${format}`);
    }
    return { kind: 'canvases', options: { ...options, ...(canvases && { canvases }) } };
  }
  const spec =
    input === undefined && format === 'onevision-mosaics'
      ? CODEC_ASSETS
      : await described({ ...flags, input: input ?? 'onevision-encoder-codec' });
  const own = changed(spec, given);
  const { of } = own.tensors['visible_indices'] ?? {};
  if (of !== 'indices') {
    throw new UsageError(
      `Expected a description with indices as 'visible_indices' for --format ${format}`,
    );
  }
  const { pixel_values: pixels } = own.tensors;
  if (format === 'onevision-mosaics' && (pixels?.of !== 'pixels' || pixels.dtype !== 'uint8')) {
    throw new UsageError(`Expected pixels of type uint8 as 'pixel_values' for --format ${format}`);
  }
  return { kind: 'input', input: own };
}

async function recipeOf(flags: RecipeFlags, given: Given): Promise<Recipe> {
  if (flags.canvases !== undefined && flags.format !== 'llava-onevision-2') {
    throw new UsageError('Expected --format llava-onevision-2 beside --canvases');
  }
  if (isLayout(flags.format)) return layoutRecipe(flags, given);
  if ((flags.input === undefined) === (flags.patches !== true)) {
    throw new UsageError('Expected one of --input and --patches: what is to be extracted');
  }
  if (flags.input !== undefined) {
    return { kind: 'input', input: changed(await described(flags), given) };
  }
  if (flags.config !== undefined || flags.classDefaults === true) {
    throw new UsageError('Expected no --config and no --class-defaults beside --patches');
  }
  return { kind: 'patches', options: pick(given, (name) => !ofDecoding(name)) };
}

/** Names and types that the members of a shard can have. */
function checkTensors(recipe: Recipe, members: Settings['members']): void {
  const names = recipe.kind === 'input' ? Object.keys(recipe.input.tensors) : [];
  const taken = new Set<string>(['json']);
  for (const name of names) {
    if (!/^[A-Za-z0-9_-]+$/.test(name) || taken.has(name.toLowerCase())) {
      throw new UsageError(
        `Expected names of letters, digits, _ and - that differ in lower case, none of them json, for the ` +
          `tensors of --input but received '${name}'`,
      );
    }
    // Readers of WebDataset, ours and others, take what is behind the key in lower case.
    if (members === 'npy' && name !== name.toLowerCase()) {
      throw new UsageError(
        `Expected a name in lower case for a tensor of --input but received '${name}': readers of shards take ` +
          'the names of .npy members in lower case (--members safetensors keeps names as they are)',
      );
    }
    taken.add(name.toLowerCase());
  }
  const dtypes =
    recipe.kind === 'input'
      ? Object.values(recipe.input.tensors).map((tensor) => tensor.dtype)
      : [checkPatchStreamOptions(recipe.options).patch.outputDtype];
  if (members === 'npy' && dtypes.includes('bfloat16')) {
    throw new UsageError(
      'Expected --members safetensors for bfloat16: NumPy files have no such type (or take --dtype float16)',
    );
  }
}

/**
 * Throws for options that every video's call would refuse, a worker's `machine` included: else each video would
 * fail for them, and a data set of nothing be finished. What is still refused later is about one video.
 */
export function checkCalls(
  { recipe, decoding }: Pick<Settings, 'recipe' | 'decoding'>,
  machine: Given,
): void {
  const options = { ...machine, ...decoding };
  switch (recipe.kind) {
    case 'input':
      inputStream([], recipe.input, options);
      break;
    case 'patches':
      checkPatchStreamOptions({ ...options, ...recipe.options });
      break;
    case 'canvases':
      checkCanvasOptions({ ...options, ...recipe.options });
  }
}

/** The settings that the flags stand for; throws for what is wrong with them. */
export async function settingsOf(
  flags: RecipeFlags & Pick<Settings, 'members' | 'shardVideos' | 'hash'>,
  given: Given,
): Promise<{ settings: Settings; machine: Given }> {
  const { format, members, shardVideos, hash } = flags;
  const recipe = await recipeOf(flags, given);
  const decoding = pick(given, (name) => CHANGE_RESULTS.includes(name));
  const machine = pick(given, (name) => ofDecoding(name) && !CHANGE_RESULTS.includes(name));
  checkCalls({ recipe, decoding }, machine);
  if (!isLayout(format)) checkTensors(recipe, members);
  // As it will be read again.
  const settings = { recipe, format, members, shardVideos, decoding, hash };
  return { settings: JSON.parse(JSON.stringify(settings)) as Settings, machine };
}
