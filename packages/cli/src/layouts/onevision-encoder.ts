/** Files that OneVision-Encoder's loaders read. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Inputs, InputSpec } from 'codec-patch-stream/inputs';
import { encode, inParallel } from '../encode.js';
import { ensureFolder, writeWhole } from '../files.js';
import { npy } from './npy.js';

type Codec = Pick<Inputs, 'tensors' | 'videos'>;

const numbers = async (inputs: Codec, name: string): Promise<number[]> => {
  const tensor = inputs.tensors[name];
  if (!tensor) throw new Error(`Expected inputs with ${name}`);
  return Array.from(await tensor.toHost(), Number);
};

/** The name of a video's index file: the training's loader looks for it beside the mirrored path. */
export const visidxName = (video: string): string => `${video}.visidx.npy`;

/**
 * <video>.visidx.npy: int32 [K], the places of the selected patches over 64 frames, ascending: what
 * `visible_indices` of the preset 'onevision-encoder-codec' has. `file` as visidxName gives it.
 */
export async function writeVisibleIndices(file: string, inputs: Codec): Promise<void> {
  const indices = Int32Array.from(await numbers(inputs, 'visible_indices')).sort();
  await writeWhole(file, npy(indices, 'int32', [indices.length]));
}

/** A folder name that is the same for the same video and no other's: <stem>__<8 hex digits>. */
export const assetFolder = (stem: string, video: string): string =>
  `${stem}__${createHash('sha1').update(video).digest('hex').slice(0, 8)}`;

/**
 * What writeCodecAssets takes: 64 frames in squares of 576 pixels, of which as many patches as eight frames
 * have, the first frame whole.
 */
export const CODEC_ASSETS: InputSpec = {
  sample: { count: 64, place: 'linspace', short: 'repeat-last' },
  size: { long: 576, pad: true },
  resample: 'bilinear',
  patch: { size: 16 },
  select: { kKeep: { frames: 8 }, wholeFrames: 'first', keyFramePatches: 'compete' },
  tensors: {
    pixel_values: { of: 'pixels', axes: 'n F (h y) (w x) c', dtype: 'uint8' },
    patch_positions: { of: 'positions', dtype: 'int32' },
    visible_indices: { of: 'indices' },
  },
};

export interface AssetOptions {
  /** Of the JPEG files. Default: 95. */
  readonly quality?: number;
}

/**
 * The folder of one video as LLaVA with this encoder reads it: mosaic_000.jpg, ... with the patches packed
 * row by row, positions_thw.npy (int32 [K, 3]: place among the sampled frames, row, column),
 * visible_indices.npy (int64 [K]), frame_ids.npy (int32 [T]: display indices) and meta.json.
 *
 * `inputs` is of one video, with the pixels uint8 on the axes `n F (h y) (w x) c`, positions and indices:
 * CODEC_ASSETS or another description like it.
 */
export async function writeCodecAssets(
  folder: string,
  inputs: Codec,
  { quality = 95 }: AssetOptions = {},
): Promise<void> {
  const pixels = inputs.tensors['pixel_values'];
  const shape = pixels?.shape ?? [];
  const [videos, canvases = 0, height = 0, width = 0, channels] = shape;
  if (pixels?.dtype !== 'uint8' || shape.length !== 5 || videos !== 1 || channels !== 3) {
    throw new Error(
      `Expected uint8 pixel_values [1, F, H, W, 3] but received [${shape.join(', ')}]`,
    );
  }
  ensureFolder('the layout', folder);
  const data = (await pixels.toHost()) as Uint8Array;
  const size = height * width * 3;
  const names = await inParallel(canvases, async (i) => {
    const picture = { width, height, data: data.subarray(i * size, (i + 1) * size) };
    const name = `mosaic_${String(i).padStart(3, '0')}.jpg`;
    await writeWhole(join(folder, name), await encode(picture, 'jpeg', quality));
    return name;
  });
  const positions = Int32Array.from(await numbers(inputs, 'patch_positions'));
  const count = positions.length / 3;
  await writeWhole(join(folder, 'positions_thw.npy'), npy(positions, 'int32', [count, 3]));
  const indices = BigInt64Array.from((await numbers(inputs, 'visible_indices')).map(BigInt));
  await writeWhole(join(folder, 'visible_indices.npy'), npy(indices, 'int64', [indices.length]));
  const [video] = inputs.videos;
  const ids = Int32Array.from(video?.frames.map(({ id }) => id) ?? []);
  await writeWhole(join(folder, 'frame_ids.npy'), npy(ids, 'int32', [ids.length]));
  const meta = { mosaics: names, size: [height, width], patches: count, frames: ids.length };
  await writeWhole(join(folder, 'meta.json'), `${JSON.stringify(meta, null, 2)}\n`);
}
