#!/usr/bin/env node
/**
 * node bench/selection/heatmaps.mjs [OUTPUT.png] [--video FILE]
 *
 * What each energy sees in four frames of the sample clip, drawn over them: docs/images/energies.png.
 */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import * as os from 'node:os';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../../scripts/lib/shell.mjs';

const require = createRequire(import.meta.url);
require('../../scripts/require-ts.cjs');
const { PNG } = require('pngjs');
const { decodeOnly, patchStream } = require('../../src/index.ts');

const FRAMES = 9;
const SHOWN = [2, 4, 6, 8];
const WIDTH = 160;
const GAP = 4;

const { values, positionals } = parseArgs({
  options: { video: { type: 'string', default: path.join(root, 'assets', 'sample.mp4') } },
  allowPositionals: true,
});
const [output = path.join(root, 'docs', 'images', 'energies.png')] = positionals;

/** Black, red, yellow, white. */
const heat = (v) => [3 * v, 3 * v - 1, 3 * v - 2].map((c) => 255 * Math.min(1, Math.max(0, c)));

/** The same video as energy 'codec' takes it. */
function withOneReference(video, folder) {
  const file = path.join(folder, 'codec.mp4');
  const encoder = ['-map', '0:v:0', '-c:v', 'libx264', '-bf', '0', '-refs', '1', '-g', '250'];
  execFileSync('ffmpeg', ['-v', 'error', '-i', video, ...encoder, file]);
  return file;
}

/** values [T, rows, cols] in 0..1 of each frame. */
async function mapsOf(videoPath, config) {
  const common = { videoPath, backend: 'cpu', sequenceLength: FRAMES, kKeep: 64, ...config };
  const hasMaps = config.energy !== 'reference';
  const stream = await patchStream({ ...common, maps: hasMaps });
  const tensor = hasMaps ? stream.energyMaps.energy : stream.frameScores;
  const [, rows, cols] = tensor.shape;
  const all = Float32Array.from(tensor.data);
  stream.close();
  const most = hasMaps ? 1 : Math.max(...all);
  return { rows, cols, at: (t, y, x) => all[(t * rows + y) * cols + x] / most };
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-heat-'));
try {
  const frames = await decodeOnly({
    videoPath: values.video,
    backend: 'cpu',
    sequenceLength: FRAMES,
    size: { long: WIDTH, even: true },
    resample: 'area',
  });
  const [, height, width] = frames.frames.shape;
  const rows = [['picture', undefined]];
  for (const energy of ['block', 'adjacent', 'accumulated', 'codec', 'reference']) {
    const video = energy === 'codec' ? withOneReference(values.video, folder) : values.video;
    rows.push([energy, await mapsOf(video, { energy })]);
  }
  rows.push([
    "accumulated, energyScope 'video'",
    await mapsOf(values.video, { energy: 'accumulated', energyScope: 'video' }),
  ]);
  const png = new PNG({
    width: SHOWN.length * (width + GAP) - GAP,
    height: rows.length * (height + GAP) - GAP,
  });
  png.data.fill(255);
  rows.forEach(([, map], r) => {
    SHOWN.forEach((t, c) => {
      const pixels = frames.frame(t).data;
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const from = (y * width + x) * 3;
          const rgb = [...pixels.subarray(from, from + 3)];
          const to = ((r * (height + GAP) + y) * png.width + c * (width + GAP) + x) * 4;
          const gray = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
          const hot =
            map &&
            heat(
              map.at(
                t,
                Math.floor(((y + 0.5) * map.rows) / height),
                Math.floor(((x + 0.5) * map.cols) / width),
              ),
            );
          for (let k = 0; k < 3; k++) png.data[to + k] = hot ? 0.25 * gray + 0.75 * hot[k] : rgb[k];
          png.data[to + 3] = 255;
        }
      }
    });
  });
  frames.close();
  const palette = 'split[a][b];[a]palettegen=max_colors=128[p];[b][p]paletteuse=dither=none';
  execFileSync('ffmpeg', ['-v', 'error', '-y', '-i', 'pipe:0', '-vf', palette, output], {
    input: PNG.sync.write(png, { colorType: 2 }),
  });
  console.log(rows.map(([name]) => name).join('\n'));
} finally {
  fs.rmSync(folder, { recursive: true });
}
