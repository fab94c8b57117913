/** LLaVA-OneVision-2's codec input: pictures that are packed of the blocks of a video that matter. */
import { setImmediate } from 'node:timers/promises';
import { patchStream } from '../../api/patch-stream.js';
import type { PatchStream } from '../../api/patch-stream.js';
import { jsMemory, Tensor } from '../../api/tensor.js';
import { openVideo, Video } from '../../api/video.js';
import type { VideoInput } from '../../api/video.js';
import type { PatchStreamConfig } from '../../options/config.js';
import { checkPatchStreamOptions } from '../../options/records.js';
import { AbortError, CodecPatchStreamError } from '../../support/errors.js';
import { checkInteger, invalid } from '../../support/is.js';
import { memoryOf } from '../picture-options.js';
import type { DecodingOptions } from '../picture-options.js';
import { CodecCanvases } from './canvases.js';
import type { CanvasGroup } from './canvases.js';
import { canvasFrames, groupFrames, LEAST_FRAMES, packOrder } from './groups.js';
import { BLOCK, blockScores, packGroup, showsNothing } from './pack.js';
import type { FramePatches, Packed } from './pack.js';

/** What scores blocks: patchStream's options of that name. */
export type CanvasEnergy = Pick<
  PatchStreamConfig,
  'energy' | 'energyPct' | 'energyScope' | 'intraEnergy' | 'globalMotion'
>;

/** How a video becomes canvases; the defaults are those of the checkpoint's preparation. */
export interface CanvasOptions extends DecodingOptions, CanvasEnergy {
  /** About as many canvases. Default: 32. */
  readonly canvases?: number | undefined;
  /** Of one group of frames. Default: 4. */
  readonly canvasesPerGroup?: number | undefined;
  /** Frames per group, on average: canvases / canvasesPerGroup · groupFrames are sampled. Default: 32. */
  readonly groupFrames?: number | undefined;
  /** Frames per group, at least. Default: 8. */
  readonly minGroupFrames?: number | undefined;
  /** Frames per group, at most. Default: 64. */
  readonly maxGroupFrames?: number | undefined;
  /** Pixels of a frame, and of a canvas, at most. Default: 150000. */
  readonly maxPixels?: number | undefined;
  /** Side of a patch in pixels. Default: 14; 16 for Mage-VL. */
  readonly patchSize?: number | undefined;
  /** Whether frames with the container's key flag make way for their neighbours. Default: 'avoid'. */
  readonly keyFrames?: 'avoid' | 'keep' | undefined;
}

interface Rules {
  readonly sampled: number;
  readonly perGroup: number;
  readonly window: number;
  readonly least: number;
  readonly most: number;
  readonly maxPixels: number;
  readonly patchSize: number;
  readonly avoidKeys: boolean;
}

const MOST = 4096;
/** The least area that a frame is enlarged to, in blocks. */
const LEAST_BLOCKS = 4;

/** Throws for what is wrong whatever the video is. */
function parse(options: CanvasOptions): { rules: Rules; rest: DecodingOptions & CanvasEnergy } {
  if (typeof options !== 'object' || (options as unknown) === null) {
    throw invalid('options', 'object', options);
  }
  const integer = (name: keyof CanvasOptions, unless: number, least: number, most = MOST): number =>
    checkInteger(name, options[name] === undefined ? unless : options[name], least, most);
  const perGroup = integer('canvasesPerGroup', 4, 2, 256);
  const count = integer('canvases', 32, perGroup);
  const frames = integer('groupFrames', 32, LEAST_FRAMES);
  const least = integer('minGroupFrames', 8, LEAST_FRAMES);
  const most = integer('maxGroupFrames', 64, least);
  const { keyFrames = 'avoid' }: { keyFrames?: unknown } = options;
  if (keyFrames !== 'avoid' && keyFrames !== 'keep') {
    throw invalid('keyFrames', "'avoid' or 'keep'", keyFrames);
  }
  const patchSize = integer('patchSize', 14, 1, 1024);
  const least4 = LEAST_BLOCKS * (BLOCK * patchSize) ** 2;
  const maxPixels = integer('maxPixels', 150_000, least4, 16_777_216);
  const rest = Object.fromEntries(
    Object.entries(options).filter(([name]) => !OWN_NAMES.includes(name)),
  );
  checkPatchStreamOptions({ ...rest, patchSize });
  const rules = {
    ...{ sampled: Math.floor((count * frames) / perGroup), perGroup, window: frames },
    ...{ least, most, maxPixels, patchSize, avoidKeys: keyFrames === 'avoid' },
  };
  return { rules, rest };
}

const OWN_NAMES = [
  ...['canvases', 'canvasesPerGroup', 'groupFrames', 'minGroupFrames', 'maxGroupFrames'],
  ...['maxPixels', 'patchSize', 'keyFrames'],
];

/** The options of patchStream for all patches of these frames, 8-bit, with their scores. */
function patchOptions(
  { info }: Video,
  ids: readonly number[],
  { maxPixels, patchSize }: Rules,
): Omit<PatchStreamConfig, 'videoPath'> {
  const factor = BLOCK * patchSize;
  const area = [LEAST_BLOCKS * factor * factor, maxPixels] as const;
  // Shrunk pictures are means of what they cover, others are interpolated.
  const rounded = (side: number): number => Math.round(side / factor) * factor;
  const { width, height } = info;
  const shrinks =
    width * height > maxPixels ||
    (width * height >= area[0] && (rounded(width) < width || rounded(height) < height));
  return {
    sample: { indices: [...ids] },
    size: { area, multipleOf: factor, branch: 'original' },
    resample: shrinks ? 'area' : 'bilinear',
    kKeep: { frames: ids.length },
    ...{ keyFramePatches: 'compete', patchSize, layout: 'nhwc', outputDtype: 'uint8' },
  };
}

interface Held extends FramePatches {
  readonly scores: Float32Array;
  release(): void;
}

/** The patches where they can be read, frame by frame: the memory of the stream, never a view of it. */
async function patchesOf(stream: PatchStream): Promise<Held> {
  const { h: rows, w: columns } = stream.grid;
  const { scores: given } = stream.metadataTensors;
  let scores = new Float32Array(given.length);
  if (given.device === 'cpu') given.copyTo(scores);
  else scores = Float32Array.from(await given.toHost());
  const { memory, byteOffset, own } = await memoryOf(stream.patches, false);
  const side = stream.patches.shape[1] as number;
  const bytes = new Uint8Array(rows * columns * side * side * 3);
  const frame = (index: number): Uint8Array => {
    memory.copyTo(bytes, byteOffset + index * bytes.length);
    return bytes;
  };
  const release = (): void => {
    if (own) memory.release();
  };
  return { frame, rows, columns, side, scores, release };
}

/** Lets others run, and ends the call that nobody wants any more. */
async function pause(signal: AbortSignal | undefined): Promise<void> {
  await setImmediate();
  if (signal?.aborted === true) throw new AbortError(signal.reason);
}

async function pack(
  stream: PatchStream,
  patches: Held,
  rules: Rules,
  signal: AbortSignal | undefined,
): Promise<CodecCanvases> {
  const { rows, columns, side } = patches;
  const ids = stream.sampledFrameIds;
  const good: boolean[] = [];
  const scores: Float64Array[] = [];
  for (let frame = 0; frame < ids.length; frame++) {
    good.push(!showsNothing(patches.frame(frame)));
    scores.push(blockScores(patches.scores, frame, patches));
    if (frame % 8 === 7) await pause(signal);
  }
  const spans = groupFrames(scores, { ...rules, canvases: rules.perGroup });
  const parts: Packed[] = [];
  const groups: CanvasGroup[] = [];
  let count = 0;
  for (const [from, to] of spans) {
    await pause(signal);
    const inGroup = packOrder(scores.slice(from, to), good.slice(from, to), rules.perGroup);
    const own = ids.slice(from, to);
    const packed = packGroup(patches, inGroup.blocks, { ids: own, first: from });
    parts.push(packed);
    const anchor = own[inGroup.anchor] as number;
    groups.push({ frames: own, anchor, canvases: [count, count + packed.canvases] });
    count += packed.canvases;
  }
  const pixels = joined(
    Uint8Array,
    parts.map((part) => part.pixels),
  );
  const positions = joined(
    Int32Array,
    parts.map((part) => part.positions),
  );
  const shape = [count, rows * side, columns * side, 3];
  return new CodecCanvases({
    canvases: Tensor.over<'uint8'>(jsMemory(pixels.buffer), 'uint8', shape),
    positions: Tensor.over<'int32'>(jsMemory(positions.buffer), 'int32', [positions.length / 3, 3]),
    ...{ groups, frameIds: ids, fps: stream.fps, grid: [rows, columns], patchSize: side },
    notes: stream.notes,
  });
}

/**
 * Throws ERR_CPS_INVALID_ARGUMENT for options that codecCanvases refuses whatever the video is: wrong values,
 * and combinations that contradict each other. Opens nothing.
 */
export function checkCanvasOptions(options: CanvasOptions): void {
  parse(options);
}

function joined<A extends Uint8Array<ArrayBuffer> | Int32Array<ArrayBuffer>>(
  Arrays: new (length: number) => A,
  parts: readonly A[],
): A {
  const all = new Arrays(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/**
 * The canvases of a video as LLaVA-OneVision-2's and Mage-VL's codec input has them: frames in groups, of
 * each group the first frame whole and then the blocks of 2 × 2 patches with the most energy, packed into
 * pictures of a frame's size.
 *
 *     using canvases = await codecCanvases('clip.mp4', { canvases: 16 });
 *     using inputs = await canvases.inputs(); // pixel_values, image_grid_thw, patch_positions
 *
 * The checkpoints were trained with the bits that a decoder spent on each block; energies of this package
 * are computed of pictures instead (docs/models.md says how they differ). Rejects with a
 * CodecPatchStreamError, for videos of fewer than four frames, too, or an AbortError.
 */
export async function codecCanvases(
  video: VideoInput,
  options: CanvasOptions = {},
): Promise<CodecCanvases> {
  const { rules, rest } = parse(options);
  const { signal } = rest;
  const { energy, energyPct, energyScope, intraEnergy, globalMotion, ...decoding } = rest;
  const own = video instanceof Video ? undefined : await openVideo(video, decoding);
  const opened = own ?? (video as Video);
  try {
    const total = opened.info.totalFrames;
    if (total < LEAST_FRAMES) {
      const message = `Expected a video of at least ${LEAST_FRAMES} frames but it has ${total}`;
      throw new CodecPatchStreamError('ERR_CPS_INVALID_ARGUMENT', 'options', message);
    }
    const keys = rules.avoidKeys ? opened.keyFrameIndices : [];
    const ids = canvasFrames(total, rules.sampled, keys);
    const energies = { energy, energyPct, energyScope, intraEnergy, globalMotion };
    using stream = await patchStream({
      ...decoding,
      ...energies,
      ...patchOptions(opened, ids, rules),
      videoPath: opened,
    });
    const patches = await patchesOf(stream);
    try {
      return await pack(stream, patches, rules, signal);
    } finally {
      patches.release();
    }
  } finally {
    own?.close();
  }
}
