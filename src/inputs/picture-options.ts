/** What the pictures of an input are: options of decoding, sizes, and where their bytes are. */
import type { ResultNote } from '../api/notes.js';
import { Tensor } from '../api/tensor.js';
import { native } from '../native/binding.js';
import type { NativeBuffer } from '../native/binding.js';
import type { DecodeOnlyConfig, SampleRule } from '../options/config.js';
import { invalid } from '../support/is.js';
import { isObject } from './define.js';
import type { ParsedInput } from './define.js';
import type { Grid, Units } from './layout.js';
import { multiplesSize } from './multiples-size.js';
import type { ModelSample, SelectSpec } from './types.js';

/** Options of decoding that a call takes, checked by decodeOnly and patchStream. */
export type DecodingOptions = Omit<
  DecodeOnlyConfig,
  | 'videoPath'
  | 'sequenceLength'
  | 'sample'
  | 'size'
  | 'width'
  | 'height'
  | 'resample'
  | 'augment'
  | 'layout'
  | 'outputDtype'
  | 'normalize'
>;

export interface PictureOptions {
  readonly decoding: DecodingOptions;
  readonly sample: SampleRule | undefined;
  readonly select: SelectSpec | undefined;
  /** Whether pictures and pixels may stay in memory of a GPU. */
  readonly onDevice: boolean;
}

/** A patch that was selected: frame in the sample, patch row and column. */
export interface SelectedPatch {
  readonly frame: number;
  readonly row: number;
  readonly column: number;
}

export interface Pictures {
  /** uint8 RGB, in host memory unless they may stay on a GPU: whole frames [T, H, W, 3], or patches [K, P, P, 3]. */
  readonly memory: NativeBuffer;
  readonly units: Units;
  /** The first unit of the memory that is ours. */
  readonly firstUnit: number;
  /** Units that there are. */
  readonly count: number;
  readonly grid: Grid;
  /** Display indices of the frames, and their times, id / rate. */
  readonly ids: readonly number[];
  readonly seconds: readonly number[];
  /** From one sampled frame to the next: N / (T · rate). */
  readonly secondsPerFrame: number;
  readonly selected: readonly SelectedPatch[];
  readonly notes: readonly ResultNote[];
  close(): void;
}

/**
 * The memory of a tensor where the addon can read it: as it is on the CPU, and from a GPU a copy unless it
 * may stay there.
 */
export async function memoryOf(
  tensor: Tensor,
  onDevice: boolean,
): Promise<{ memory: NativeBuffer; byteOffset: number; own: boolean }> {
  if (tensor.device === 'cpu' || onDevice) {
    const { memory, byteOffset } = Tensor.bytesOf(tensor);
    if (!(memory instanceof Uint8Array)) return { memory, byteOffset, own: false };
    return { memory: native().copyIn(memory), byteOffset: 0, own: true };
  }
  const values = (await tensor.toHost()) as Uint8Array;
  return { memory: native().copyIn(values), byteOffset: 0, own: true };
}

/**
 * Pictures of several devices (a video that the GPU does not decode) meet in host memory; `moved` gets what has
 * to be released for that.
 */
export async function onOneDevice(
  pictures: readonly Pictures[],
  moved: NativeBuffer[],
): Promise<readonly Pictures[]> {
  const devices = pictures.map(({ memory }) => memory.device);
  if (devices.every((device) => device === devices[0])) return pictures;
  return Promise.all(
    pictures.map(async (one) => {
      if (one.memory.device === 'cpu') return one;
      const memory = native().copyIn(new Uint8Array(await one.memory.toHost()));
      moved.push(memory);
      return { ...one, memory };
    }),
  );
}

export const gridOf = (
  { patch }: ParsedInput,
  sizes: { frames: number; height: number; width: number; selected: number },
): Grid => ({ ...sizes, perStep: patch.frames, patch: patch.size, merge: patch.merge });

/** What the description says of pictures, as options. */
export function pictureOptions(
  { spec }: ParsedInput,
  sample: SampleRule | undefined,
): Pick<DecodeOnlyConfig, 'sample' | 'resample' | 'augment'> {
  const { resample = 'bilinear', augment } = spec;
  return {
    sample: sample ?? (spec.sample as Exclude<typeof spec.sample, ModelSample>),
    ...(spec.size === undefined && augment === undefined ? {} : { resample }),
    ...(augment === undefined ? {} : { augment }),
  };
}

/** Gemma's rule, which no option of decoding has. */
function sizeInMultiples(
  { patch }: ParsedInput,
  rule: { readonly patches: number; readonly multipleOf: number },
  height: number,
  width: number,
): readonly [height: number, width: number] {
  const { patches: limit, multipleOf } = rule;
  const size = multiplesSize(height, width, { patch: patch.size, limit, multipleOf });
  if (size !== undefined) return size;
  throw invalid('size.patches', `room for ${multipleOf} × ${multipleOf} pixels`, limit);
}

/** The options of decodeOnly for whole pictures of `video`, whose size `info` has. */
export function frameOptions(
  input: ParsedInput,
  { decoding, sample }: PictureOptions,
  info: () => { readonly width: number; readonly height: number },
): Omit<DecodeOnlyConfig, 'videoPath'> {
  const { size } = input.spec;
  const options = { ...decoding, ...pictureOptions(input, sample) };
  if (size === undefined) return options;
  if (isObject(size) && 'patches' in size) {
    const { patches, multipleOf } = size;
    if (multipleOf === undefined) {
      return { ...options, size: { patches, patchSize: input.patch.size } };
    }
    const { width, height } = info();
    const exact = sizeInMultiples(input, { patches, multipleOf }, height, width);
    return { ...options, size: { exact } };
  }
  return { ...options, size: size };
}
