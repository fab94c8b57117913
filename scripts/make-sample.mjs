#!/usr/bin/env node
/**
 * Makes assets/sample.mp4, the clip of `npm run demo`: 9 s of 720p H.264 with B-frames, under 1.5 MB.
 * A landscape pans in two depths; a balloon, a rolling ball, a train and a kite move on their own; a
 * caption stays where it is; black bars above and below. The textures are computed here (no font, no
 * picture from anywhere), the ffmpeg CLI moves and encodes them.
 *
 *   node scripts/make-sample.mjs [output.mp4]
 */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { root } from './lib/shell.mjs';

const output = path.resolve(process.argv[2] ?? path.join(root, 'assets', 'sample.mp4'));
const width = 1280;
const height = 720;
const sceneHeight = 560;
const fps = 24;
const seconds = 9;

const clamp = (v, lo, hi) => Math.min(hi, Math.max(lo, v));
const mix = (a, b, t) => a.map((v, i) => v + (b[i] - v) * t);
const smooth = (t) => t * t * (3 - 2 * t);
const step = (lo, hi, v) => smooth(clamp((v - lo) / (hi - lo), 0, 1));

/** A fixed pseudo-random number in [0, 1) of a lattice point. */
function hash(x, y, seed) {
  let h = Math.imul(x, 374761393) + Math.imul(y, 668265263) + Math.imul(seed, 2246822519);
  h = Math.imul(h ^ (h >>> 13), 1274126177);
  return ((h ^ (h >>> 16)) >>> 0) / 4294967296;
}

function valueNoise(x, y, seed) {
  const [x0, y0] = [Math.floor(x), Math.floor(y)];
  const [u, v] = [smooth(x - x0), smooth(y - y0)];
  const top = hash(x0, y0, seed) * (1 - u) + hash(x0 + 1, y0, seed) * u;
  const bottom = hash(x0, y0 + 1, seed) * (1 - u) + hash(x0 + 1, y0 + 1, seed) * u;
  return top * (1 - v) + bottom * v;
}

/** Several octaves of noise, about [0, 1]. */
function cloud(x, y, seed, octaves = 4) {
  let sum = 0;
  for (let o = 0, f = 1, a = 0.5; o < octaves; o++, f *= 2, a /= 2) {
    sum += a * valueNoise(x * f, y * f, seed + o);
  }
  return sum / (1 - 0.5 ** octaves);
}

/** An RGBA picture; `paint(x, y)` returns [r, g, b, a] with a in [0, 1]. */
function picture(w, h, paint) {
  const pixels = Buffer.alloc(w * h * 4);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const [r, g, b, a = 1] = paint(x, y);
      const at = (y * w + x) * 4;
      [r, g, b, a * 255].forEach((v, i) => (pixels[at + i] = clamp(Math.round(v), 0, 255)));
    }
  }
  const header = `P7\nWIDTH ${w}\nHEIGHT ${h}\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n`;
  return Buffer.concat([Buffer.from(header), pixels]);
}

const ridge = (x, seed, base, size) => base - size * cloud(x / 260, 0.5, seed, 5);

/** Sky and mountains: pans slowly. */
const far = () =>
  picture(1600, sceneHeight, (x, y) => {
    const sky = mix([96, 150, 214], [226, 222, 200], y / 330);
    const white = 0.75 * step(0.5, 0.75, cloud(x / 190, y / 80, 11, 5));
    let colour = mix(sky, [246, 244, 240], white);
    const back = ridge(x, 31, 330, 190);
    if (y > back) {
      const snow = step(0.55, 0.7, cloud(x / 30, y / 60, 37)) * step(120, 20, y - back);
      const rock = mix([104, 112, 138], [74, 84, 112], cloud(x / 22, y / 40, 33, 4));
      colour = mix(rock, [232, 234, 242], snow);
    }
    const front = ridge(x + 900, 51, 385, 120);
    if (y > front) colour = mix([66, 96, 80], [42, 66, 58], cloud(x / 14, y / 22, 53, 4));
    return colour;
  });

/** Meadow with trees on its edge: pans faster, transparent above. */
const near = () => {
  const edge = (x) => 400 + 14 * Math.sin(x / 170) + 8 * Math.sin(x / 53);
  const trees = Array.from({ length: 26 }, (_, i) => ({
    x: 60 + i * 108 + 60 * hash(i, 1, 71),
    size: 26 + 30 * hash(i, 2, 71),
    tint: hash(i, 3, 71),
  }));
  return picture(2900, sceneHeight, (x, y) => {
    for (const { x: tx, size, tint } of trees) {
      const ground = edge(tx) + 6;
      const [dx, dy] = [(x - tx) / size, (y - (ground - size * 1.25)) / (size * 1.15)];
      const rim = 1 + 0.35 * (cloud(x / 9, y / 9, 73, 3) - 0.5);
      if (dx * dx + dy * dy < rim * rim) {
        const leaf = cloud(x / 7, y / 7, 75, 3);
        return mix(mix([34, 78, 34], [92, 104, 30], tint), [136, 160, 70], leaf * (0.7 - 0.4 * dy));
      }
      if (Math.abs(dx) < 0.12 && y > ground - size && y < ground) return [74, 54, 38];
    }
    if (y < edge(x)) return [0, 0, 0, 0];
    const depth = (y - edge(x)) / (sceneHeight - 400);
    const grass = cloud(x / (5 + 12 * depth), y / (3 + 6 * depth), 77, 4);
    const path_ = step(10, 4, Math.abs(y - 505 - 12 * Math.sin(x / 210)));
    return mix(mix([70, 116, 46], [152, 168, 78], grass), [176, 150, 108], 0.8 * path_);
  });
};

const balloon = () =>
  picture(150, 206, (x, y) => {
    const [dx, dy] = [(x - 75) / 72, (y - 74) / 72];
    const stretch = dy > 0 ? dx / (1 - 0.42 * dy) : dx;
    if (stretch * stretch + dy * dy < 1) {
      const stripe = Math.floor((Math.asin(clamp(stretch, -1, 1)) / Math.PI + 0.5) * 9);
      const base = [
        [214, 62, 48],
        [240, 196, 70],
        [54, 92, 168],
      ][stripe % 3];
      const weave = 0.82 + 0.3 * cloud(x / 4, y / 4, 91, 2) - 0.3 * Math.max(0, dx);
      return base.map((v) => v * weave);
    }
    if (y > 176 && y < 202 && Math.abs(x - 75) < 16) {
      return ((x >> 2) + (y >> 2)) & 1 ? [128, 84, 44] : [164, 116, 64];
    }
    const rope = y >= 140 && y <= 178 && Math.abs(Math.abs(x - 75) - (16 + (178 - y) * 0.2)) < 1;
    return rope ? [60, 50, 40] : [0, 0, 0, 0];
  });

const ball = () =>
  picture(104, 104, (x, y) => {
    const [dx, dy] = [(x - 51.5) / 50, (y - 51.5) / 50];
    const rr = dx * dx + dy * dy;
    if (rr > 1) return [0, 0, 0, 0];
    const z = Math.sqrt(1 - rr);
    const [u, v] = [Math.atan2(dx, z) * 3.2, Math.asin(dy) * 3.2];
    const dark = (Math.floor(u) + Math.floor(v)) & 1;
    const shade = 0.6 + 0.4 * z + 0.15 * (cloud(x / 5, y / 5, 95, 2) - 0.5);
    return (dark ? [38, 42, 60] : [236, 120, 44]).map((c) => c * shade);
  });

const train = () =>
  picture(420, 84, (x, y) => {
    const car = Math.floor(x / 140);
    const within = x % 140;
    const wheel = [30, 108].some((c) => (within - c) ** 2 + (y - 70) ** 2 < 144);
    if (wheel) return (x + y) % 9 < 3 ? [120, 120, 124] : [34, 34, 38];
    if (within < 4 || within > 136 || y < 6 || y > 66) return [0, 0, 0, 0];
    const window = y > 18 && y < 40 && within % 33 > 9 && within > 8 && within < 130;
    if (window) return mix([190, 214, 226], [90, 120, 140], cloud(x / 6, y / 6, 97, 2));
    const paint = [
      [150, 34, 44],
      [36, 92, 96],
      [196, 150, 52],
    ][car];
    const band = y > 46 && y < 52 ? [232, 226, 210] : paint;
    return band.map((v) => v * (0.85 + 0.3 * cloud(x / 3, y / 3, 99, 2)));
  });

const kite = () =>
  picture(76, 96, (x, y) => {
    const [dx, dy] = [Math.abs(x - 38) / 36, (y - 40) / (y < 40 ? 40 : 54)];
    if (dx + Math.abs(dy) > 1) return [0, 0, 0, 0];
    const colour = x < 38 === y < 40 ? [222, 60, 120] : [70, 200, 160];
    return colour.map((v) => v * (0.75 + 0.5 * cloud(x / 4, y / 4, 101, 2)));
  });

/** Five columns by seven rows for the letters of the caption. */
const glyphs = {
  A: '01110 10001 10001 11111 10001 10001 10001',
  C: '01111 10000 10000 10000 10000 10000 01111',
  D: '11110 10001 10001 10001 10001 10001 11110',
  E: '11111 10000 10000 11110 10000 10000 11111',
  H: '10001 10001 10001 11111 10001 10001 10001',
  L: '10000 10000 10000 10000 10000 10000 11111',
  M: '10001 11011 10101 10101 10001 10001 10001',
  O: '01110 10001 10001 10001 10001 10001 01110',
  P: '11110 10001 10001 11110 10000 10000 10000',
  R: '11110 10001 10001 11110 10100 10010 10001',
  S: '01111 10000 10000 01110 00001 00001 11110',
  T: '11111 00100 00100 00100 00100 00100 00100',
  '-': '00000 00000 00000 01110 00000 00000 00000',
  ' ': '00000 00000 00000 00000 00000 00000 00000',
};

const caption = (text, scale = 4) => {
  const rows = [...text].map((letter) => glyphs[letter].split(' '));
  const margin = 3 * scale;
  return picture(text.length * 6 * scale - scale + 2 * margin, 7 * scale + 2 * margin, (x, y) => {
    const [column, row] = [Math.floor((x - margin) / scale), Math.floor((y - margin) / scale)];
    const letter = rows[Math.floor(column / 6)];
    const inside = column >= 0 && row >= 0 && row < 7 && column % 6 < 5;
    return inside && letter?.[row][column % 6] === '1' ? [250, 246, 230] : [16, 18, 26, 0.72];
  });
};

const layers = {
  far: far(),
  near: near(),
  balloon: balloon(),
  ball: ball(),
  train: train(),
  kite: kite(),
  caption: caption('CODEC-PATCH-STREAM SAMPLE'),
};
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sample-'));
try {
  const inputs = Object.entries(layers).flatMap(([name, bytes]) => {
    const file = path.join(folder, `${name}.pam`);
    fs.writeFileSync(file, bytes);
    return ['-loop', '1', '-framerate', String(fps), '-i', file];
  });
  const graph = [
    `[0]crop=${width}:${sceneHeight}:x='32*t':y=0[far]`,
    `[1]crop=${width}:${sceneHeight}:x='150*t':y=0[near]`,
    `[far][2]overlay=x='860-46*t':y='60+40*sin(t*0.9)'[a]`,
    `[5]rotate=a='0.5*sin(t*2.3)':c=none:ow=120:oh=120[kite]`,
    `[a][kite]overlay=x='260+130*sin(t*1.7)':y='70+60*sin(t*2.9)'[b]`,
    `[b][near]overlay=0:0[c]`,
    `[c][4]overlay=x='1280-230*t':y=392[d]`,
    `[3]rotate=a='t*4.2':c=none[ball]`,
    `[d][ball]overlay=x='-110+165*t':y='430-150*abs(sin(t*2.1))'[e]`,
    `[e][6]overlay=x=44:y=28[f]`,
    `[f]pad=${width}:${height}:0:${(height - sceneHeight) / 2}:black,format=yuv420p[out]`,
  ].join(';');
  const encode = ['-c:v', 'libx264', '-preset', 'slow', '-b:v', '1150k', '-maxrate', '2200k'];
  encode.push('-bufsize', '2200k', '-bf', '3', '-g', '72', '-movflags', '+faststart');
  const colour = ['-colorspace', 'bt709', '-color_primaries', 'bt709', '-color_trc', 'bt709'];
  fs.mkdirSync(path.dirname(output), { recursive: true });
  execFileSync(
    'ffmpeg',
    [
      ...['-v', 'error', '-y', ...inputs, '-filter_complex'],
      graph.replace('format=yuv420p', 'scale=out_color_matrix=bt709:out_range=tv,format=yuv420p'),
      ...['-map', '[out]', '-t', String(seconds), '-r', String(fps), ...encode, ...colour],
      ...['-color_range', 'tv', '-map_metadata', '-1', '-fflags', '+bitexact', output],
    ],
    { stdio: 'inherit' },
  );
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
console.log(`${output}: ${(fs.statSync(output).size / 1e6).toFixed(2)} MB`);
