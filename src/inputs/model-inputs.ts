/** A video in, the tensors of a model out. */
import { inspect } from 'node:util';
import type { InspectOptions } from 'node:util';
import { callNative } from '../api/call.js';
import type { ResultNote } from '../api/notes.js';
import { Tensor } from '../api/tensor.js';
import type { VideoInput } from '../api/video.js';
import type { NativeArranged, NativeArrangePart, NativeBuffer } from '../native/binding.js';
import type { SampleRule } from '../options/config.js';
import { parseDecodeOnly } from '../options/records.js';
import { closedError } from '../support/errors.js';
import { invalid } from '../support/is.js';
import { bindToThread } from '../support/thread-bound.js';
import { changed, companion } from './companions.js';
import { classDefaults, publishedInput } from './config.js';
import { parsedInput } from './define.js';
import type { ParsedInput } from './define.js';
import type { GivenFrames } from './given-frames.js';
import { copyAxes, extentsOf, layOut } from './layout.js';
import type { Layout } from './layout.js';
import { onOneDevice } from './picture-options.js';
import type { DecodingOptions, PictureOptions, Pictures } from './picture-options.js';
import { checkSelecting, picturesOf } from './pictures.js';
import type { PresetName } from './presets.js';
import type { InputSpec, PixelType, SelectSpec } from './types.js';

/** A description, or the name of a preset. */
export type ModelInput = PresetName | InputSpec;

/** Options of decoding, and what takes the place of parts of the description. */
export interface InputOptions extends DecodingOptions {
  /** Which frames, in place of the description's. */
  readonly sample?: SampleRule | undefined;
  /** How patches are chosen, on top of the description's `select`. */
  readonly select?: SelectSpec | undefined;
  /** Of a preset's name: what its processor class does without a file. Default: false. */
  readonly classDefaults?: boolean | undefined;
  /**
   * 'device': the pixels stay on the GPU where the pictures were made, as tensors for a DeviceSession that
   * runs there. 'host' is the default, but for feedStream with such a session.
   */
  readonly outputs?: 'host' | 'device' | undefined;
}

/** One video of an input: what a prompt and a reader of results need. */
export interface InputVideo {
  /** The sampled frames: display index, and seconds (index / rate). */
  readonly frames: readonly { readonly id: number; readonly seconds: number }[];
  /**
   * What the prompt has a place for: one per frame, or per temporal patch, with its time (the mean of its
   * first and last frame, or the first one's: `stepTime`) and the number of placeholder tokens (0 where the
   * description does not say).
   */
  readonly steps: readonly { readonly seconds: number; readonly tokens: number }[];
  /** Of the resized pictures, in pixels. */
  readonly size: readonly [height: number, width: number];
  /** Steps, patch rows, patch columns; without patches [T, 1, 1]. */
  readonly grid: readonly [t: number, h: number, w: number];
  /** Placeholder tokens of all steps. */
  readonly tokens: number;
  /** What else to know of the video, by code; docs/notes.md has the codes. */
  readonly notes: readonly ResultNote[];
}

/** The tensors of a model for one video or several. Close it when they have been used. */
export class Inputs<V extends InputVideo = InputVideo> {
  #tensors: Readonly<Record<string, Tensor>> | undefined;

  /** @internal */
  constructor(
    tensors: Readonly<Record<string, Tensor>>,
    /** The videos, in order. */
    readonly videos: readonly V[],
  ) {
    this.#tensors = tensors;
    bindToThread(this);
  }

  /** By the names that the model has for them. */
  get tensors(): Readonly<Record<string, Tensor>> {
    if (!this.#tensors) throw closedError('The inputs');
    return this.#tensors;
  }

  /** Whether close() was called. */
  get closed(): boolean {
    return this.#tensors === undefined;
  }

  /** Frees the memory of the tensors; twice is fine. */
  close(): void {
    const tensors = this.#tensors;
    this.#tensors = undefined;
    for (const tensor of Object.values(tensors ?? {})) tensor.close();
  }

  /** close(), for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** close(), for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  /** What JSON.stringify shows: shapes and facts, never elements. */
  toJSON(): Record<string, unknown> {
    if (!this.#tensors) return { closed: true };
    return { tensors: this.#tensors, videos: this.videos };
  }

  /** What console.log shows. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    return `Inputs ${inspect(this.toJSON(), options)}`;
  }
}

const OF_THE_DESCRIPTION = [
  ...['size', 'width', 'height', 'resample', 'augment', 'layout', 'outputDtype', 'normalize'],
  ...['patch', 'patchSize', 'inputSize', 'tensors'],
];

/** The checked description and options of a call. */
export interface ParsedInputCall {
  readonly input: ParsedInput;
  readonly options: PictureOptions;
}

export function parseInputCall(input: ModelInput, options: InputOptions): ParsedInputCall {
  if (typeof options !== 'object' || (options as unknown) === null) {
    throw invalid('options', 'object', options);
  }
  const { sample, select, outputs = 'host', classDefaults: ofClass = false, ...decoding } = options;
  const place: unknown = outputs;
  if (place !== 'host' && place !== 'device') throw invalid('outputs', "'host' or 'device'", place);
  if (typeof ofClass !== 'boolean') throw invalid('classDefaults', 'boolean', ofClass);
  for (const key of OF_THE_DESCRIPTION) {
    if ((decoding as Record<string, unknown>)[key] === undefined) continue;
    const hint = '; it is part of the description (defineInput)';
    throw invalid(key, 'no such option', (decoding as Record<string, unknown>)[key], hint);
  }
  const sequenceLength = (decoding as { sequenceLength?: unknown }).sequenceLength;
  if (sequenceLength !== undefined) {
    throw invalid('sequenceLength', 'no such option', sequenceLength, '; write sample: { count }');
  }
  let spec: InputSpec;
  if (typeof input === 'string') spec = ofClass ? classDefaults(input) : publishedInput(input);
  else if (ofClass) throw invalid('classDefaults', 'the name of a preset beside it', input);
  else spec = input;
  let parsed = parsedInput(spec);
  if (select !== undefined && spec.select === undefined) {
    throw invalid('select', 'a description that selects patches', select);
  }
  // What is wrong with the options shows before anything is decoded.
  if (sample !== undefined || select !== undefined) {
    const chosen = { ...spec.select, ...select };
    const rest: InputSpec = { ...parsed.spec, sample: sample ?? parsed.spec.sample };
    parsed = parsedInput(select === undefined ? rest : { ...rest, select: chosen });
  }
  parseDecodeOnly({ ...decoding, videoPath: new Uint8Array(1) });
  // What changes from frame to frame is measured in JavaScript.
  const onDevice = place === 'device' && !parsed.tensors.some(([, { of }]) => of === 'changeMask');
  const pictures = { decoding, sample: undefined, select: undefined, onDevice };
  checkSelecting(parsed, pictures);
  return { input: parsed, options: pictures };
}

/** Sides that patches need are those that the size gives; says which video is wrong. */
function checkPictures(
  { pixels, patch, hasPatch }: ParsedInput,
  pictures: readonly Pictures[],
): void {
  if (!hasPatch || pixels.space === 'pixels' || pixels.time === 'selected') return;
  const side = patch.size * (pixels.space === 'blocks' ? patch.merge : 1);
  pictures.forEach(({ grid: { height, width } }, i) => {
    if (height % side === 0 && width % side === 0) return;
    const what = pixels.space === 'blocks' ? 'patch.size · patch.merge' : 'patch.size';
    const hint = ` (video ${i}); let size give such sides`;
    throw invalid('size', `multiples of ${what} (${side})`, [height, width], hint);
  });
}

/** Videos that do not fit together in one tensor, where nothing tells a model what is padding. */
function checkPadding(input: ParsedInput, name: string, { padded, shape }: Layout): void {
  if (!padded) return;
  const masks = ['mask', 'pixelMask', 'grid', 'spatialShapes'];
  const canvases = input.pixels.time === 'canvases';
  if (canvases || input.tensors.some(([, { of }]) => masks.includes(of))) return;
  throw invalid(
    'videos',
    `videos that are alike in axis ${padded.axis} of '${name}' (${shape.join(' × ')} is the largest)`,
    `video ${padded.video}`,
    ', which is smaller; sample as many frames of each, with one size for all, or one video per call',
  );
}

/** Patches that fill a row up can be told from the others; frames that fill a video up cannot. */
function checkFrames(
  { pixels: { groups } }: ParsedInput,
  name: string,
  pictures: readonly Pictures[],
): void {
  const joined = groups[0]?.includes('f') === true;
  const frames = pictures.map(({ grid }) => grid.frames);
  const other = frames.findIndex((count) => count !== frames[0]);
  if (joined || other < 0) return;
  throw invalid(
    'videos',
    `videos of as many frames in axis f of '${name}' (the first has ${frames[0]})`,
    `video ${other} of ${frames[other]}`,
    '; sample as many of each, or one video per call',
  );
}

function partOf(pictures: Pictures, layout: Layout, video: number): NativeArrangePart {
  const { memory: source, units: kind, firstUnit, count, grid } = pictures;
  const place = layout.places[video] as Layout['places'][number];
  const axes = copyAxes(place, kind, grid);
  const unitBytes = kind === 'frames' ? 3 * grid.height * grid.width : 3 * grid.patch * grid.patch;
  const wanted = axes.reduce((last, { size, unit }) => last + (size - 1) * unit, 1);
  // Behind the last frame it is repeated (a temporal patch that is not full); patches are not.
  const units = Int32Array.from({ length: wanted }, (_, i) => {
    if (i < count) return firstUnit + i;
    return kind === 'frames' ? firstUnit + count - 1 : -1;
  });
  return {
    source,
    unitBytes,
    units,
    axes: axes.flatMap(({ axis, size, out, unit, inner }) => [
      ...[size, out, unit, inner],
      axis === 'c' ? 1 : 0,
    ]),
    offset: place.offset,
  };
}

/** The pixel tensor of all videos. */
async function arrange(
  name: string,
  dtype: PixelType,
  { input, options }: ParsedInputCall,
  pictures: readonly Pictures[],
): Promise<Tensor> {
  const extents = pictures.map(({ grid }) => extentsOf(grid));
  const least = input.spec.pad?.patches ?? 0;
  const layout = layOut(input.pixels.groups, extents, (group) =>
    group.some((axis) => axis === 'h' || axis === 'k') && !group.includes('y') ? least : 0,
  );
  if (least > 0) {
    const over = extents.findIndex(({ h, w }) => h * w > least);
    if (over >= 0) throw invalid('pad.patches', `integer >= the patches of video ${over}`, least);
    checkFrames(input, name, pictures);
  } else {
    checkPadding(input, name, layout);
  }
  const { normalize = 'none' } = input.spec;
  const { records, signal } = parseDecodeOnly({
    ...options.decoding,
    ...{ outputDtype: dtype, normalize, videoPath: new Uint8Array(1) },
  });
  const short = pictures.some(
    ({ units, count, grid }) =>
      units === 'patches' && count < extentsOf(grid).F * extentsOf(grid).h,
  );
  const plan = {
    elements: layout.length,
    padded: layout.padded !== undefined || short || input.pixels.time === 'canvases',
    parts: pictures.map((one, video) => partOf(one, layout, video)),
  };
  const result = await callNative<NativeArranged>({
    api: 'decodeOnly',
    input: new Uint8Array(0),
    signal,
    timeoutMs: records.call.timeoutMs,
    notes: [],
    start: (binding, cancel) => binding.arrange(plan, records, cancel),
    discard: (r) => r.data.release(),
  });
  return Tensor.over(result.data, dtype, layout.shape);
}

/** The std of the values, for what is measured in them. */
function stdOf({ spec: { normalize } }: ParsedInput): readonly number[] {
  const { records } = parseDecodeOnly({
    ...{ outputDtype: 'float32', normalize: normalize ?? 'none', videoPath: new Uint8Array(1) },
  });
  const { std, scale } = records.frame.normalize;
  return std.map((s) => s / (scale * 255));
}

function describe(
  input: ParsedInput,
  pictures: Pictures,
  changes: Uint8Array | undefined,
): InputVideo {
  const { grid, ids, seconds, notes } = pictures;
  const { t, h, w, H, W } = extentsOf(grid);
  const perStep = input.patch.frames;
  const time = (i: number): number => seconds[Math.min(i, seconds.length - 1)] ?? 0;
  const perFrame = input.hasPatch ? H * W : 0;
  const ofFirst = input.spec.stepTime === 'first';
  const steps = Array.from({ length: t }, (_, i) => ({
    seconds: ofFirst
      ? time(i * perStep)
      : (time(i * perStep) + time(i * perStep + perStep - 1)) / 2,
    tokens: changes
      ? changes.subarray(i * H * W, (i + 1) * H * W).reduce((sum, kept) => sum + kept, 0)
      : (input.spec.tokensPerStep ?? perFrame),
  }));
  const tokens =
    pictures.units === 'patches'
      ? pictures.count
      : steps.reduce((sum, step) => sum + step.tokens, 0);
  return Object.freeze({
    frames: ids.map((id, i) => ({ id, seconds: seconds[i] ?? 0 })),
    steps,
    size: [grid.height, grid.width] as const,
    grid: input.hasPatch ? ([t, h, w] as const) : ([grid.frames, 1, 1] as const),
    tokens,
    notes,
  });
}

/** Tensors of pictures that are there; takes them over. */
export async function inputsOf<V extends InputVideo>(
  call: ParsedInputCall,
  pictures: readonly Pictures[],
  name: (video: InputVideo, index: number) => V,
): Promise<Inputs<V>> {
  const { input } = call;
  const tensors: Record<string, Tensor> = {};
  const moved: NativeBuffer[] = [];
  try {
    checkPictures(input, pictures);
    const together = await onOneDevice(pictures, moved);
    const wantsChanges = input.tensors.some(([, { of }]) => of === 'changeMask');
    const changes = wantsChanges ? pictures.map((one) => changed(one, stdOf(input))) : [];
    for (const [name, tensor] of input.tensors) {
      tensors[name] =
        tensor.of === 'pixels'
          ? await arrange(name, tensor.dtype, call, together)
          : companion(tensor, input, pictures, changes);
    }
    const videos = pictures.map((one, i) => name(describe(input, one, changes[i]), i));
    return new Inputs(Object.freeze(tensors), Object.freeze(videos));
  } catch (error) {
    for (const tensor of Object.values(tensors)) tensor.close();
    throw error;
  } finally {
    for (const memory of moved) memory.release();
    for (const one of pictures) one.close();
  }
}

/** A video, or frames that are there already. */
export type InputSource = VideoInput | GivenFrames;

/** Decodes all of them; none is left open where one fails. */
async function allPictures(
  sources: readonly InputSource[],
  { input, options }: ParsedInputCall,
): Promise<Pictures[]> {
  const settled = await Promise.allSettled(
    sources.map((source) => picturesOf(source, input, options)),
  );
  const failed = settled.find((result) => result.status === 'rejected');
  if (!failed) return settled.map((result) => (result as PromiseFulfilledResult<Pictures>).value);
  for (const result of settled) if (result.status === 'fulfilled') result.value.close();
  throw failed.reason;
}

/**
 * The tensors of a model for a video or several at once, by the names that the model has for them:
 *
 *     using inputs = await modelInputs('clip.mp4', fromConfig('videomae', json));
 *     inputs.tensors.pixel_values; // float32 [1, 16, 3, 224, 224]
 *
 * `input` is a description (defineInput, fromConfig) or the name of a preset. Rejects with a
 * CodecPatchStreamError (its `code` says what kind) or an AbortError.
 */
export async function modelInputs(
  videos: InputSource | readonly InputSource[],
  input: ModelInput,
  options: InputOptions = {},
): Promise<Inputs> {
  const call = parseInputCall(input, options);
  const sources = Array.isArray(videos)
    ? (videos as readonly InputSource[])
    : [videos as InputSource];
  if (sources.length === 0) throw invalid('videos', 'at least one video', videos);
  return inputsOf(call, await allPictures(sources, call), (video) => video);
}
