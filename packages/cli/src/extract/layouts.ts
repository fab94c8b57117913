/** Formats other than archives: folders as the loaders of one model read them. */
import { mkdir } from 'node:fs/promises';
import { basename, dirname, extname, join, normalize } from 'node:path';
import type { CodecCanvases, Inputs } from 'codec-patch-stream/inputs';
import { writeCanvases } from '../layouts/llava-onevision-2.js';
import {
  assetFolder,
  visidxName,
  writeCodecAssets,
  writeVisibleIndices,
} from '../layouts/onevision-encoder.js';
import { SampleError } from './failures.js';
import type { LayoutName, Settings, VideoRow } from './shards.js';

export const isLayout = (format: Settings['format']): format is LayoutName =>
  format !== 'webdataset';

/** What a writer takes. */
export interface Made {
  readonly inputs?: Inputs;
  readonly canvases?: CodecCanvases;
}

/** A video's path below the output folder: no scheme, no root, nothing above it. */
export function mirrored(path: string): string {
  const below = normalize(`/${path.replace(/^[a-z0-9]+:\/\//, '')}`).slice(1);
  if (below === '') throw new SampleError('ERR_CPS_UNSUPPORTED', `No name in '${path}'`);
  return below;
}

/** Which video, and which part of it. */
const nameOf = ({ path, fromSec = null, toSec = null }: VideoRow): string =>
  fromSec === null && toSec === null ? path : `${path}@${fromSec ?? ''}-${toSec ?? ''}`;

/** Writes the files of one video; their place below `out`. */
export async function writeLayout(
  format: LayoutName,
  out: string,
  row: VideoRow,
  { inputs, canvases }: Made,
): Promise<string> {
  if (format === 'onevision' && inputs) {
    const name = visidxName(mirrored(nameOf(row)));
    await mkdir(dirname(join(out, name)), { recursive: true });
    await writeVisibleIndices(join(out, name), inputs);
    return name;
  }
  const stem = basename(mirrored(row.path), extname(row.path));
  const name = join(dirname(mirrored(row.path)), assetFolder(stem, nameOf(row)));
  if (format === 'onevision-mosaics' && inputs) await writeCodecAssets(join(out, name), inputs);
  else if (canvases) await writeCanvases(join(out, name), canvases);
  else throw new Error(`nothing to write for ${format}`);
  return name;
}
