/** Every pixel format that raw video can carry in a file: RGB as the ffmpeg command line makes it. */
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { decodeOnly, patchStream } from '../../src/index.js';
import { longForm } from '../helpers/long-form.js';

const quiet = ['-v', 'error', '-nostdin', '-y'];
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-formats-'));
afterAll(() => {
  fs.rmSync(folder, { recursive: true });
});

/** Names of the formats that the scaler reads and writes, hardware surfaces left out. */
function formats(): string[] {
  const rows = execFileSync('ffmpeg', ['-v', 'error', '-pix_fmts'], { encoding: 'utf8' });
  return rows
    .split('\n')
    .map((row) => /^IO[^H]..\s+(\w+)/.exec(row)?.[1])
    .filter((name) => name !== undefined);
}

const chunks = <T>(list: T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, i) =>
    list.slice(i * size, (i + 1) * size),
  );

/** Two frames in each format; the names of those that NUT has a tag for. */
function makeFiles(names: string[], size: string): string[] {
  const source = `testsrc2=size=${size}:rate=25,noise=all_seed=3:alls=40,trim=end_frame=2`;
  const file = (name: string) => path.join(folder, `${size}-${name}.nut`);
  return chunks(names, 24).flatMap((some) => {
    const raw = ['-c:v', 'rawvideo', '-map', '0'];
    const made = some.flatMap((name) => ['-pix_fmt', name, ...raw, file(name)]);
    execFileSync('ffmpeg', [...quiet, '-f', 'lavfi', '-i', source, ...made], { stdio: 'ignore' });
    // What each file says of itself, in ffmpeg's list of its inputs; without outputs it then fails.
    const inputs = some.flatMap((name) => ['-i', file(name)]);
    const { stderr } = spawnSync('ffmpeg', ['-nostdin', ...inputs], { encoding: 'utf8' });
    const told = [...stderr.matchAll(/Video: rawvideo [^,]*, (\w+)/g)].map((match) => match[1]);
    expect(told).toHaveLength(some.length);
    return some.filter((name, i) => told[i] === name);
  });
}

/** RGB of each file, from one run of the command line. */
function references(names: string[], size: string): Map<string, Buffer> {
  const at = (name: string, kind: string) => path.join(folder, `${size}-${name}.${kind}`);
  const filter = ['-vf', 'scale=flags=bilinear', '-pix_fmt', 'rgb24', '-f', 'rawvideo'];
  for (const some of chunks(names, 20)) {
    execFileSync('ffmpeg', [
      ...quiet,
      ...some.flatMap((name) => ['-i', at(name, 'nut')]),
      ...some.flatMap((name, i) => ['-map', `${i}:v`, ...filter, at(name, 'rgb')]),
    ]);
  }
  return new Map(names.map((name) => [name, fs.readFileSync(at(name, 'rgb'))]));
}

// 50x34: nothing odd; 51x35: whatever an odd side changes. Not in full, each format has one of the
// two; the native tests have every format in many sizes.
test.each(['50x34', '51x35'])('all formats, %s', async (size) => {
  const even = size === '50x34' ? 0 : 1;
  const names = makeFiles(
    formats().filter((_, i) => longForm || i % 2 === even),
    size,
  );
  expect(names.length).toBeGreaterThan(longForm ? 120 : 60);
  const expected = references(names, size);
  const wrong: string[] = [];
  for (const name of names) {
    const videoPath = path.join(folder, `${size}-${name}.nut`);
    const result = await decodeOnly({ videoPath, sequenceLength: 2 });
    const reference = expected.get(name) ?? Buffer.alloc(0);
    if (Buffer.compare(result.frames.data ?? new Uint8Array(), reference) !== 0) wrong.push(name);
    result.close();
  }
  // Other processors run the scaler's C code, which rounds another way.
  if (process.arch === 'x64') expect(wrong).toEqual([]);
});

test('energies read the luma plane, whichever way colour takes', async () => {
  // The same luma, once with chroma that ops converts and once with chroma the scaler converts.
  const source = ['-f', 'lavfi', '-i', 'testsrc2=size=128x96:rate=25,trim=end_frame=8'];
  const scores = async (pixFmt: string): Promise<Float32Array> => {
    const videoPath = path.join(folder, `luma-${pixFmt}.nut`);
    const convert = ['-vf', `format=yuv444p,format=${pixFmt}`, '-c:v', 'rawvideo', videoPath];
    execFileSync('ffmpeg', [...quiet, ...source, ...convert]);
    const stream = await patchStream({ videoPath, sequenceLength: 8, kKeep: 32, minPixels: 3136 });
    const values = Float32Array.from(stream.metadataTensors.scores.data as Float32Array);
    stream.close();
    return values;
  };
  const planar = await scores('yuv420p');
  for (const pixFmt of ['nv12', 'yuv411p', 'yuv410p', 'yuv440p', 'yuyv422']) {
    expect({ pixFmt, scores: await scores(pixFmt) }).toEqual({ pixFmt, scores: planar });
  }
});
