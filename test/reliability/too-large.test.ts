/**
 * Streams that become larger in the middle than maxFramePixels allows, and than decoders are allowed
 * to take: whatever its decoder makes of that, the frames before and after can be had, and the large
 * ones are an error that says why.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { decodeOnly } from '../../src/index.js';
import type { DecodeOnlyConfig } from '../../src/index.js';
import { longForm } from '../helpers/long-form.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-too-large-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const SMALL = { size: '160x120', frames: 15 };
// Decoders may take up to twice the limit, and 2^22 more for blocks and cropping.
const LARGE = { size: '2560x1920', frames: 2 };
const LIMIT = 100_000;

const ffmpeg = (...args: string[]): Buffer =>
  execFileSync('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...args], { maxBuffer: 2 ** 28 });

/** IVF files one after the other as one: numbers of frames go on. */
function joinIvf(files: readonly Buffer[]): Buffer {
  const parts = [files[0]!.subarray(0, 32)];
  let number = 0n;
  for (const file of files) {
    for (let at = 32; at < file.length; at += 12 + file.readUInt32LE(at)) {
      const packet = Buffer.from(file.subarray(at, at + 12 + file.readUInt32LE(at)));
      packet.writeBigUInt64LE(number++, 4);
      parts.push(packet);
    }
  }
  return Buffer.concat(parts);
}

/** Small pictures, large ones, the same small ones again. */
function grownAndShrunk(extension: string, encoder: readonly string[]): string {
  const parts = [SMALL, LARGE].map(({ size, frames }, i) => {
    const file = path.join(folder, `part${i}.${extension}`);
    const source = ['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=25`, '-pix_fmt', 'yuv420p'];
    ffmpeg(...source, '-frames:v', String(frames), '-g', '15', ...encoder, file);
    return fs.readFileSync(file);
  });
  const files = [parts[0]!, parts[1]!, parts[0]!];
  const videoPath = path.join(folder, `${encoder[1]}.${extension}`);
  fs.writeFileSync(videoPath, extension === 'ivf' ? joinIvf(files) : Buffer.concat(files));
  return videoPath;
}

const WAYS: readonly Partial<DecodeOnlyConfig>[] = [
  { uniformStrategy: 'stream', decodeThreads: 1 },
  { uniformStrategy: 'seek', decodeThreads: 2 },
  { uniformStrategy: 'seek', decodeThreads: 4, readerCacheSize: 0 },
];

const x264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '2'];
const x265 = ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none'];
const realtime = ['-deadline', 'realtime', '-cpu-used', '8', '-b:v', '200k'];

type Kind = readonly [extension: string, encoder: readonly string[]];
const KINDS: readonly Kind[] = [
  ['ts', x264],
  ['ts', x265],
  ['m2v', ['-c:v', 'mpeg2video']],
  ['ivf', ['-c:v', 'libvpx-vp9', ...realtime]],
];
const MORE: readonly Kind[] = [
  ['h264', x264],
  ['ts', ['-c:v', 'mpeg2video', '-bf', '2']],
  ['ivf', ['-c:v', 'libvpx', ...realtime]],
  ['mjpeg', ['-c:v', 'mjpeg']],
  ['ogv', ['-c:v', 'libtheora']],
];

test.each(longForm ? [...KINDS, ...MORE] : KINDS)('.%s by %j', async (extension, encoder) => {
  const videoPath = grownAndShrunk(extension, encoder);
  // What a sequential decode gives; all in the size of the first.
  const plain = ffmpeg(
    ...['-threads', '1', '-i', videoPath, '-fps_mode', 'passthrough', '-f', 'framemd5'],
    ...['-vf', 'scale=flags=bilinear', '-pix_fmt', 'rgb24', '-'],
  );
  const hashes = plain
    .toString()
    .split('\n')
    .flatMap((line) => (/^\d/.test(line) ? [line.split(',')[5]!.trim()] : []));
  const total = hashes.length;
  const source = { videoPath, backend: 'cpu', maxFramePixels: LIMIT } as const;
  const messages = new Set<string>();
  const lost = new Set<string>();
  for (const way of WAYS) {
    const options = { ...source, ...way, width: 160, height: 120, sequenceLength: total };
    const result = await decodeOnly({ ...options, damaged: 'skip' });
    expect(result.totalFrames).toBe(total);
    const others = result.sampledFrameIds.filter((id, t) => {
      const data = result.frame(t).data!;
      return createHash('md5').update(data).digest('hex') !== hashes[id];
    });
    expect(others).toEqual([]);
    lost.add(JSON.stringify(result.skippedFrameIds));
    expect(result.skippedFrameIds.length).toBeGreaterThan(0);
    expect(result.skippedFrameIds.length).toBeLessThanOrEqual(LARGE.frames);
    const first = result.skippedFrameIds[0]!;
    result.close();
    const error = await decodeOnly(options).then(
      () => undefined,
      (reason: unknown) => reason as Error & { code: string },
    );
    expect(error).toMatchObject({ code: 'ERR_CPS_UNSUPPORTED' });
    expect(error!.message).toMatch(new RegExp(`^Frame ${first} of .*maxFramePixels = ${LIMIT} `));
    messages.add(error!.message);
  }
  expect([messages.size, lost.size]).toEqual([1, 1]);
});
