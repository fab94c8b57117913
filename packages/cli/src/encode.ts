/** Pictures as files: PNG and JPEG by sharp. */
import { availableParallelism } from 'node:os';
import sharp from 'sharp';
import type { Picture } from './picture.js';

export type Format = 'png' | 'jpeg';

/** The bytes of a file with this picture; `quality` (1..100) is of JPEG alone. */
export function encode(picture: Picture, format: Format = 'png', quality = 90): Promise<Buffer> {
  const { width, height, data } = picture;
  const image = sharp(data, { raw: { width, height, channels: 3 } });
  return (
    format === 'png' ? image.png({ compressionLevel: 6 }) : image.jpeg({ quality })
  ).toBuffer();
}

/** The same picture in another size, for looking at. */
export async function resized(picture: Picture, width: number, height: number): Promise<Picture> {
  if (picture.width === width && picture.height === height) return picture;
  const raw = { width: picture.width, height: picture.height, channels: 3 } as const;
  const image = sharp(picture.data, { raw }).resize(width, height, { fit: 'fill' });
  return { width, height, data: await image.raw().toBuffer() };
}

/** Calls `work` for 0..count-1 in order, a few at a time; the results are in order, too. */
export async function inParallel<R>(
  count: number,
  work: (index: number) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(count);
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) results[i] = await work(i);
  };
  const workers = Math.min(count, availableParallelism());
  await Promise.all(Array.from({ length: workers }, worker));
  return results;
}
