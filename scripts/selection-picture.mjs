#!/usr/bin/env node
/**
 * Makes docs/images/selection.svg, the picture of docs/selection.md: from a frame to patches, and which
 * patches of assets/sample.mp4 are kept under each rule.
 *
 *   node scripts/selection-picture.mjs [output.svg]
 */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import * as path from 'node:path';
import { root } from './lib/shell.mjs';

const require = createRequire(import.meta.url);
require('./require-ts.cjs');
const { decodeOnly, patchStream } = require('../src/index.ts');

const output = path.resolve(process.argv[2] ?? path.join(root, 'docs', 'images', 'selection.svg'));
const videoPath = path.join(root, 'assets', 'sample.mp4');
const FRAMES = 8;
const P = 14;
const base = { videoPath, backend: 'cpu', sample: { count: FRAMES } };

/** What docs/selection.md goes through, in its order. */
const RULES = [
  ['before-others', { kKeep: 264, keyFramePatches: 'before-others' }],
  ['compete', { kKeep: 264, keyFramePatches: 'compete' }],
  ['compete, minPerFrame 16', { kKeep: 264, keyFramePatches: 'compete', minPerFrame: 16 }],
  ['none, minPerFrame 16', { kKeep: 264, keyFramePatches: 'none', minPerFrame: 16 }],
  ['compete, maxPerFrame 36', { kKeep: 264, keyFramePatches: 'compete', maxPerFrame: 36 }],
  ['compete, wholeFrames first', { kKeep: 528, keyFramePatches: 'compete', wholeFrames: 'first' }],
  [
    'before-others, letterbox',
    { kKeep: 264, keyFramePatches: 'before-others', ignore: 'letterbox' },
  ],
  ['compete, block2x2', { kKeep: 264, keyFramePatches: 'compete', selectionUnit: 'block2x2' }],
];

/** Frames as one JPEG, side by side. */
async function strip(sample, width, height) {
  const frames = await decodeOnly({ ...base, ...sample, width, height });
  const count = frames.sampledFrameIds.length;
  const rgb = Buffer.from(frames.frames.data);
  frames.close();
  const jpeg = execFileSync(
    'ffmpeg',
    [
      ...['-v', 'error', '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${width}x${height}`],
      ...['-i', 'pipe:0', '-vf', `tile=${count}x1`, '-frames:v', '1', '-q:v', '5'],
      ...['-f', 'mjpeg', 'pipe:1'],
    ],
    { input: rgb },
  );
  return `data:image/jpeg;base64,${jpeg.toString('base64')}`;
}

const out = [];
const text = (x, y, content, more = '') =>
  out.push(`<text x="${x}" y="${y}" ${more}>${content}</text>`);

const first = await patchStream({ ...base, kKeep: 8 });
const { grid, width, height, targetSize } = first;
const sample = { sample: { indices: first.sampledFrameIds } };
first.close();

const LEFT = 200;
const [cellW, cellH] = [5, 5];
const [w, h] = [grid.w * cellW, grid.h * cellH];
const GAP = 4;
const top = 210;
const rowHeight = h + 26;
const [W, H] = [LEFT + FRAMES * (w + GAP) + 10, top + RULES.length * rowHeight + 6];

// From the video to its patches.
const big = { w: 264, h: 144 };
const at = [10, 320, 630, 760];
const frame = { sample: { indices: [81] } };
out.push(
  `<image id="one" x="${at[0]}" y="36" width="${big.w}" height="${big.h}" preserveAspectRatio="none" href="${await strip(frame, 2 * big.w, 2 * big.h)}"/>`,
);
text(at[0], 24, `1. the video: ${width}×${height}`);
text(
  at[1],
  24,
  `2. scaled to ${targetSize.width}×${targetSize.height}: ${grid.h} rows of ${grid.w} patches, ${P}×${P} pixels`,
);
out.push(`<use href="#one" x="${at[1] - at[0]}"/>`);
let lines = '';
for (let c = 0; c <= grid.w; c++) lines += `M${at[1] + (c * big.w) / grid.w} 36v${big.h}`;
for (let r = 0; r <= grid.h; r++) lines += `M${at[1]} ${36 + (r * big.h) / grid.h}h${big.w}`;
out.push(`<path d="${lines}" stroke="#fff" stroke-opacity=".7" stroke-width=".7"/>`);
text(
  at[2] + 60,
  24,
  `3. ${FRAMES} frames × ${grid.h * grid.w} = ${FRAMES * grid.h * grid.w} patches`,
);
text(at[2] + 60, 48, 'each with a score: how much');
text(at[2] + 60, 66, 'moves and changes in it');
text(at[2] + 60, 96, '4. kKeep of them are kept:');
text(at[2] + 60, 114, 'which, the rules below say');

const image = await strip(sample, 2 * w, 2 * h);
out.push(
  `<defs><image id="strip" width="${FRAMES * w}" height="${h}" preserveAspectRatio="none" href="${image}"/>`,
);
for (let t = 0; t < FRAMES; t++) {
  out.push(`<clipPath id="f${t}"><rect x="${t * w}" width="${w}" height="${h}"/></clipPath>`);
}
out.push(`<g id="row">`);
for (let t = 0; t < FRAMES; t++) {
  out.push(
    `<g transform="translate(${t * GAP} 0)" clip-path="url(#f${t})"><use href="#strip"/></g>`,
  );
}
out.push('</g></defs>');

for (const [r, [name, config]] of RULES.entries()) {
  const stream = await patchStream({ ...base, ...config });
  const y = top + r * rowHeight;
  text(10, y + 14, name, 'font-weight="bold" fill="#222"');
  text(10, y + 32, `kKeep ${config.kKeep}`);
  const perFrame = new Array(FRAMES).fill(0);
  const kept = new Set();
  for (const { seqPos, patchLinearIdx } of stream.metadata) {
    perFrame[seqPos] += 1;
    kept.add(patchLinearIdx);
  }
  out.push(`<use href="#row" x="${LEFT}" y="${y}"/>`);
  // What is not kept is dark: one rectangle for each run of patches.
  let dark = '';
  for (let t = 0; t < FRAMES; t++) {
    for (let row = 0; row < grid.h; row++) {
      for (let c = 0; c < grid.w; c++) {
        const from = c;
        const index = (t * grid.h + row) * grid.w;
        while (c < grid.w && !kept.has(index + c)) c++;
        if (c > from) {
          const x = LEFT + t * (w + GAP) + from * cellW;
          dark += `M${x} ${y + row * cellH}h${(c - from) * cellW}v${cellH}h${-(c - from) * cellW}z`;
        }
      }
    }
    const label = `${perFrame[t]}${stream.isI[t] ? ' · key frame' : ''}`;
    text(LEFT + t * (w + GAP), y + h + 13, label, 'font-size="10"');
  }
  out.push(`<path d="${dark}" fill="#000" fill-opacity=".78"/>`);
  stream.close();
}

const svg =
  `<svg xmlns="http://www.w3.org/2000/svg" width="${W}" height="${H}" viewBox="0 0 ${W} ${H}" ` +
  `font-family="sans-serif" font-size="12" fill="#555"><rect width="100%" height="100%" fill="#fff"/>\n` +
  `${out.join('\n')}\n</svg>\n`;
fs.writeFileSync(output, svg);
console.log(`${output}: ${(svg.length / 1024).toFixed(0)} KiB`);
