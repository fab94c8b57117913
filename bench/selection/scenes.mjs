/**
 * Clips for direction.mjs: a red square moves left, right, up or down, as in examples/lib/clips.ts, and other
 * things draw patches away from it.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import * as path from 'node:path';

const require = createRequire(import.meta.url);
require('../../scripts/require-ts.cjs');
const { randomNumbers } = require('../../examples/lib/clips.ts');

export const SIZE = 64;
export const DIRECTIONS = 4;
const SHOWN = 48;

// Y, U and V.
const RED = [130, 90, 210];
const BLUE = [110, 190, 100];

/** What each scene has beside the red square that moves. */
export const SCENES = {
  example: { movers: 2 },
  distractors: { movers: 2, standing: true, flicker: true, noise: 6 },
  'distractors, camera pans': { movers: 2, standing: true, flicker: true, noise: 6, pan: 0.5 },
};

/** A square that goes in one direction at a pace of its own, all through the clip. */
function mover(random, direction, yuv) {
  const side = Math.round(SIZE * (0.16 + 0.06 * random()));
  const room = SIZE - side;
  const travel = room * (0.5 + 0.4 * random());
  const start = (room - travel) * random();
  const across = room * random();
  const backwards = direction === 0 || direction === 2;
  const at = (time) => {
    const along = start + travel * (backwards ? 1 - time : time);
    return direction < 2 ? [along, across] : [across, along];
  };
  return { side, yuv: () => yuv, at };
}

function standing(random, yuv) {
  const side = Math.round(SIZE * (0.16 + 0.06 * random()));
  const place = [(SIZE - side) * random(), (SIZE - side) * random()];
  return { side, yuv, at: () => place };
}

/** SHOWN frames of YUV 4:2:0, one after the other. */
function pictures(scene, seed, direction) {
  const random = randomNumbers(seed);
  const things = [];
  if (scene.standing) things.push(standing(random, () => BLUE));
  // As bright in each frame as it likes.
  if (scene.flicker) things.push(standing(random, () => [60 + 130 * random(), 128, 128]));
  const anyDirection = () => Math.floor(DIRECTIONS * random());
  for (let i = 0; i < scene.movers; i++) things.push(mover(random, anyDirection(), BLUE));
  things.push(mover(random, direction, RED));

  const half = SIZE / 2;
  const [ground, wide] = [SIZE + Math.ceil(SHOWN * (scene.pan ?? 0)), SIZE];
  const levels = Float32Array.from({ length: ground * wide }, () => 90 + 40 * random());
  const towards = random() < 0.5;
  const out = [];
  for (let f = 0; f < SHOWN; f++) {
    const shown = Math.round((scene.pan ?? 0) * (towards ? f : SHOWN - 1 - f));
    const y = Uint8Array.from({ length: SIZE ** 2 }, (_, i) => {
      const level = levels[Math.floor(i / SIZE) * ground + (i % SIZE) + shown];
      return scene.noise ? level + scene.noise * (random() - 0.5) : level;
    });
    const u = new Uint8Array(half ** 2).fill(128);
    const v = new Uint8Array(half ** 2).fill(128);
    for (const { side, yuv, at } of things) {
      const [x0, y0] = at(f / (SHOWN - 1)).map(Math.round);
      const colour = yuv();
      for (let row = y0; row < y0 + side; row++) {
        y.fill(colour[0], row * SIZE + x0, row * SIZE + x0 + side);
        const line = (row >> 1) * half;
        u.fill(colour[1], line + (x0 >> 1), line + ((x0 + side) >> 1));
        v.fill(colour[2], line + (x0 >> 1), line + ((x0 + side) >> 1));
      }
    }
    out.push(y, u, v);
  }
  return Buffer.concat(out);
}

/** Clips as H.264 in MP4, directions in turn, each with one key frame; made by one ffmpeg: { videoPath, label }. */
export function makeClips(folder, scene, count, seed) {
  fs.mkdirSync(folder, { recursive: true });
  const label = (i) => i % DIRECTIONS;
  const cuts = Array.from({ length: count - 1 }, (_, i) => (i + 1) * SHOWN);
  const all = Array.from({ length: count }, (_, i) => pictures(SCENES[scene], seed + i, label(i)));
  const { status, stderr } = spawnSync(
    'ffmpeg',
    [
      ...['-v', 'error', '-f', 'rawvideo', '-pix_fmt', 'yuv420p', '-s', `${SIZE}x${SIZE}`],
      ...['-r', '25', '-i', 'pipe:0', '-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '18'],
      ...['-x264-params', `keyint=${SHOWN}:min-keyint=${SHOWN}:scenecut=0`],
      ...['-f', 'segment', '-segment_format', 'mp4', '-reset_timestamps', '1'],
      ...['-segment_frames', cuts.join(','), path.join(folder, '%04d.mp4')],
    ],
    { input: Buffer.concat(all), encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`ffmpeg could not make the clips: ${stderr}`);
  const fileOf = (i) => path.join(folder, `${String(i).padStart(4, '0')}.mp4`);
  return Array.from({ length: count }, (_, i) => ({ videoPath: fileOf(i), label: label(i) }));
}
