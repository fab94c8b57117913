/**
 * decodeOnly from the file to the tensor, against what torchvision gave for the same frames
 * (test/parity/record_frames.py).
 */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { decodeOnly } from '../../src/index.js';
import type { DecodeOnlyConfig } from '../../src/index.js';
import { repoRoot } from '../helpers/fixtures.js';

const { imul, trunc } = Math;

/** A hash of a 32-bit number (lowbias32). */
function mixed(value: number, seed: number): number {
  let x = (value + imul(seed, 0x9e3779b9)) >>> 0;
  x = imul(x ^ (x >>> 16), 0x7feb352d);
  x = imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** As `picture` of record_resample.py. */
function picture(height: number, width: number, fill: string, seed: number): Uint8Array {
  const out = new Uint8Array(height * width * 3);
  const sides = Array.from({ length: 6 }, (_, i) => (mixed(i, seed) % 9) + 1);
  for (let i = 0; i < out.length; i++) {
    const [y, x, c] = [trunc(i / 3 / width), trunc(i / 3) % width, i % 3];
    const board = trunc(y / (sides[c] ?? 1)) + trunc(x / (sides[c + 3] ?? 1));
    out[i] = fill === 'noise' ? mixed(i, seed) >>> 24 : (board & 1) * 255;
  }
  return out;
}

/** FNV-1a, 64 bits, as four 16-bit digits. */
function fnv(bytes: Uint8Array): string {
  let [a, b, c, d] = [0x2325, 0x8422, 0x9ce4, 0xcbf2];
  for (const byte of bytes) {
    a ^= byte;
    // Times 0x100000001b3.
    const [e, f, g, h] = [a * 0x1b3, b * 0x1b3, c * 0x1b3 + a * 0x100, d * 0x1b3 + b * 0x100];
    const f2 = f + (e >>> 16);
    const g2 = g + (f2 >>> 16);
    [a, b, c, d] = [e & 0xffff, f2 & 0xffff, g2 & 0xffff, (h + (g2 >>> 16)) & 0xffff];
  }
  return [d, c, b, a].map((digit) => digit.toString(16).padStart(4, '0')).join('');
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-parity-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const lines = fs
  .readFileSync(path.join(repoRoot, 'test/parity/frames.txt'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'));

test.each(lines)('%s', async (line) => {
  const [h, w, frames, fill, seed, shape, hash, ...json] = line.split(' ');
  const [height, width, count] = [h, w, frames].map(Number) as [number, number, number];
  const clip = Array.from({ length: count }, (_, t) =>
    picture(height, width, fill as string, Number(seed) + t),
  );
  const videoPath = path.join(folder, `${seed}.mkv`);
  const raw = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${width}x${height}`, '-i', 'pipe:0'];
  const lossless = ['-c:v', 'ffv1', '-pix_fmt', 'bgr0', videoPath];
  execFileSync('ffmpeg', ['-v', 'error', ...raw, ...lossless], { input: Buffer.concat(clip) });

  const options = JSON.parse(json.join(' ')) as Partial<DecodeOnlyConfig>;
  const all = { place: 'ends', count } as const;
  using result = await decodeOnly({ videoPath, sample: all, ...options });
  expect(result.frames.shape.join('x')).toBe(shape);
  const data = await result.frames.toHost();
  expect(fnv(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))).toBe(hash);
  // The file has the pictures.
  using plain = await decodeOnly({ videoPath, sample: all });
  expect(Buffer.from(await plain.frames.toHost()).equals(Buffer.concat(clip))).toBe(true);
});
