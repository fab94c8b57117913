/** Files that LLaVA-OneVision-2's and Mage-VL's codec loaders read. */
import { join } from 'node:path';
import type { CodecCanvases } from 'codec-patch-stream/inputs';
import { encode, inParallel } from '../encode.js';
import type { Format } from '../encode.js';
import { ensureFolder, removeMatching, writeWhole } from '../files.js';
import { npy } from './npy.js';

export interface CanvasFileOptions {
  /** Default: 'jpeg'. */
  readonly format?: Format;
  /** Of JPEG files. Default: 95. */
  readonly quality?: number;
}

/**
 * The folder of one video: canvas_000.jpg, ..., src_patch_position.npy (int32 [all patches, 3]: display
 * index, row, column, in raster order of each canvas; −1 where nothing is), frame_ids.npy, meta.json with
 * the rate and the names, and at last an empty _DONE.
 */
export async function writeCanvases(
  folder: string,
  canvases: CodecCanvases,
  { format = 'jpeg', quality = 95 }: CanvasFileOptions = {},
): Promise<void> {
  ensureFolder('the layout', folder);
  // What an earlier run left must not count as a part of this one.
  removeMatching(folder, /^(_DONE|canvas_\d+\.(jpg|png))$/);
  const [count = 0, height = 0, width = 0] = canvases.canvases.shape;
  const data = await canvases.canvases.toHost();
  const size = height * width * 3;
  const names = await inParallel(count, async (i) => {
    const picture = { width, height, data: data.subarray(i * size, (i + 1) * size) };
    const name = `canvas_${String(i).padStart(3, '0')}.${format === 'jpeg' ? 'jpg' : 'png'}`;
    await writeWhole(join(folder, name), await encode(picture, format, quality));
    return name;
  });
  const positions = await canvases.positions.toHost();
  const { shape } = canvases.positions;
  await writeWhole(join(folder, 'src_patch_position.npy'), npy(positions, 'int32', shape));
  const ids = Int32Array.from(canvases.frameIds);
  await writeWhole(join(folder, 'frame_ids.npy'), npy(ids, 'int32', [ids.length]));
  const meta = {
    fps: canvases.fps,
    canvas_files: names,
    patch: canvases.patchSize,
    block_size: 2,
    grid_hw: canvases.grid,
    groups: canvases.groups.map(({ frames, anchor }) => ({ frame_ids: frames, anchor })),
  };
  await writeWhole(join(folder, 'meta.json'), `${JSON.stringify(meta, null, 2)}\n`);
  await writeWhole(join(folder, '_DONE'), '');
}
