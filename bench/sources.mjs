#!/usr/bin/env node
/**
 * node bench/sources.mjs [CLIP.mp4] [--gigabytes 1] [--delay 20]
 *
 * A large MP4 behind a source whose reads take `delay` milliseconds each: how much of it is read for
 * 16 frames, in how many reads, and what that costs beside the file itself. The reads that the frames
 * need are counted from ffprobe's packets: the bytes from each frame's key frame to it, a MiB a read.
 */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { buildNative, buildTypeScript } from '../scripts/lib/setup.mjs';
import { root } from '../scripts/lib/shell.mjs';
import { cacheDir, clip, ensureClip } from './lib/clips.mjs';

const MIB = 2 ** 20;
const FRAMES = 16;
const { values, positionals } = parseArgs({
  options: {
    gigabytes: { type: 'string', default: '1' },
    delay: { type: 'string', default: '20' },
  },
  allowPositionals: true,
});
const delay = Number(values.delay);

/** A clip, repeated without encoding it again until the file has its size. */
async function largeMp4() {
  const small = positionals[0] ?? (await ensureClip(clip({ lines: 1080, gop: 250 })));
  const times = Math.ceil((Number(values.gigabytes) * 1e9) / fs.statSync(small).size);
  fs.mkdirSync(cacheDir, { recursive: true });
  const file = path.join(cacheDir, 'sources-large.mp4');
  const loop = ['-stream_loop', String(times - 1), '-i', small, '-c', 'copy', '-y', file];
  execFileSync('ffmpeg', ['-v', 'error', ...loop]);
  return file;
}

function neededReads(file, ids) {
  const fields = ['-select_streams', 'v', '-show_entries', 'packet=pts,pos,size,flags'];
  const text = execFileSync('ffprobe', ['-v', 'error', ...fields, '-of', 'csv=p=0', file], {
    maxBuffer: 2 ** 28,
  }).toString();
  const packets = text
    .trim()
    .split('\n')
    .map((line) => line.split(','))
    .map(([pts, size, pos, flags]) => ({
      pts: +pts,
      size: +size,
      pos: +pos,
      key: flags[0] === 'K',
    }));
  const shown = [...packets.keys()].sort((a, b) => packets[a].pts - packets[b].pts);
  let reads = 0;
  let bytes = 0;
  for (const id of ids) {
    const last = shown[id];
    let first = last;
    while (first > 0 && !packets[first].key) first--;
    const part = packets.slice(first, last + 1);
    const length =
      Math.max(...part.map(({ pos, size }) => pos + size)) - Math.min(...part.map((p) => p.pos));
    reads += Math.ceil(length / MIB);
    bytes += length;
  }
  return { reads, bytes };
}

await buildNative({ target: 'cps_addon' });
await buildTypeScript();
const { decodeOnly } = createRequire(import.meta.url)(path.join(root, 'dist', 'src', 'index.js'));
const file = await largeMp4();
const handle = await fs.promises.open(file);
const { size } = await handle.stat();
const source = {
  size,
  async read(offset, length) {
    await sleep(delay);
    const bytes = new Uint8Array(length);
    await handle.read(bytes, 0, length, offset);
    return bytes;
  },
};
const options = { sequenceLength: FRAMES, readerCacheSize: 0 };
const rows = {};
for (const [name, videoPath] of [
  ['file', file],
  ['source', source],
]) {
  const started = performance.now();
  const frames = await decodeOnly({ videoPath, ...options });
  rows[name] = {
    ms: performance.now() - started,
    timings: frames.timings,
    ids: [...new Set(frames.sampledFrameIds)],
  };
  frames.close();
}
await handle.close();
const needed = neededReads(file, rows.source.ids);
const { sourceReads, sourceBytes } = rows.source.timings;
const percent = (share) => `${(100 * share).toFixed(1)} %`;
process.stdout.write(
  [
    `${(size / 1e9).toFixed(2)} GB, ${FRAMES} frames, ${delay} ms a read`,
    `bytes read   ${(sourceBytes / 1e6).toFixed(1)} MB, ${percent(sourceBytes / size)} of the file ` +
      `(the frames need ${percent(needed.bytes / size)}; less than 12 % must be read)`,
    `reads        ${sourceReads}, ${(sourceReads / needed.reads).toFixed(2)} times the ` +
      `${needed.reads} of a MiB that the frames need (less than 1.2)`,
    `the file     ${rows.file.ms.toFixed(0)} ms`,
    `the source   ${rows.source.ms.toFixed(0)} ms; the reads alone ${sourceReads * delay} ms`,
    '',
  ].join('\n'),
);
process.exitCode = sourceBytes < 0.12 * size && sourceReads < 1.2 * needed.reads ? 0 : 1;
