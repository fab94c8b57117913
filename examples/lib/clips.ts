/**
 * Short clips with a known answer: a red square moves left, right, up or down while blue squares
 * move in directions of their own. Uncompressed (Y4M), for which nothing but this file is needed, or
 * H.264 in MP4, made by the ffmpeg command.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const DIRECTIONS = ['left', 'right', 'up', 'down'] as const;

export interface Clip {
  readonly video: string;
  /** Index into DIRECTIONS. */
  readonly label: number;
}

export interface ClipOptions {
  readonly size?: number;
  readonly frames?: number;
  readonly distractors?: number;
}

/** Uniform numbers in [0, 1), the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

interface Mover {
  readonly side: number;
  readonly yuv: readonly [number, number, number];
  /** Position in pixels at a time in [0, 1]. */
  readonly at: (time: number) => readonly [x: number, y: number];
}

function mover(random: () => number, size: number, direction: number, yuv: Mover['yuv']): Mover {
  const side = Math.round(size * (0.16 + 0.06 * random()));
  const room = size - side;
  const travel = room * (0.5 + 0.4 * random());
  const start = (room - travel) * random();
  const across = room * random();
  const backwards = direction === 0 || direction === 2;
  return {
    side,
    yuv,
    at(time) {
      const along = start + travel * (backwards ? 1 - time : time);
      return direction < 2 ? [along, across] : [across, along];
    },
  };
}

/** One clip as the bytes of a Y4M file (YUV 4:2:0). */
export function makeClip(seed: number, direction: number, options: ClipOptions = {}): Uint8Array {
  const { size = 64, frames = 16, distractors = 2 } = options;
  const random = randomNumbers(seed);
  const movers = Array.from({ length: distractors }, () =>
    mover(random, size, Math.floor(random() * 4), [110, 190, 100]),
  );
  movers.push(mover(random, size, direction, [130, 90, 210]));
  const half = size / 2;
  const ground = Uint8Array.from({ length: size * size }, () => 90 + 40 * random());
  const header = Buffer.from(`YUV4MPEG2 W${size} H${size} F25:1 Ip A1:1 C420jpeg\n`);
  const marker = Buffer.from('FRAME\n');
  const parts: Uint8Array[] = [header];
  for (let f = 0; f < frames; f++) {
    const y = Uint8Array.from(ground);
    const u = new Uint8Array(half * half).fill(128);
    const v = new Uint8Array(half * half).fill(128);
    for (const { side, yuv, at } of movers) {
      const [x0, y0] = at(frames === 1 ? 0 : f / (frames - 1)).map(Math.round) as [number, number];
      for (let row = y0; row < y0 + side; row++) {
        y.fill(yuv[0], row * size + x0, row * size + x0 + side);
        const [from, to] = [(row >> 1) * half + (x0 >> 1), (row >> 1) * half + ((x0 + side) >> 1)];
        u.fill(yuv[1], from, to);
        v.fill(yuv[2], from, to);
      }
    }
    parts.push(marker, y, u, v);
  }
  return Buffer.concat(parts);
}

/** Writes `count` clips to `folder`, the four directions in turn. */
export function writeClips(
  folder: string,
  count: number,
  seed: number,
  options: ClipOptions = {},
): Clip[] {
  mkdirSync(folder, { recursive: true });
  return Array.from({ length: count }, (_, i) => {
    const label = i % DIRECTIONS.length;
    const video = join(folder, `${String(i).padStart(4, '0')}-${DIRECTIONS[label] ?? ''}.y4m`);
    writeFileSync(video, makeClip(seed + i, label, options));
    return { video, label };
  });
}

/** The same clips as H.264 in MP4, each with one key frame, its first. One ffmpeg makes them all. */
export function writeMp4Clips(
  folder: string,
  count: number,
  seed: number,
  options: ClipOptions = {},
): Clip[] {
  mkdirSync(folder, { recursive: true });
  const { frames = 16 } = options;
  const clips = Array.from({ length: count }, (_, i) => ({
    video: join(folder, `${String(i).padStart(4, '0')}.mp4`),
    label: i % DIRECTIONS.length,
  }));
  // One long video, each clip without the header line of its own, cut where the next one begins.
  const parts = clips.map(({ label }, i) => {
    const y4m = makeClip(seed + i, label, options);
    return i === 0 ? y4m : y4m.subarray(y4m.indexOf(0x0a) + 1);
  });
  const cuts = clips.map((_, i) => i * frames).slice(1);
  const { status, error, stderr } = spawnSync(
    'ffmpeg',
    [
      ...['-v', 'error', '-y', '-f', 'yuv4mpegpipe', '-i', 'pipe:0'],
      ...['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '20'],
      ...['-x264-params', `keyint=${frames}:min-keyint=${frames}:scenecut=0`],
      ...['-f', 'segment', '-segment_format', 'mp4', '-reset_timestamps', '1'],
      ...(cuts.length > 0 ? ['-segment_frames', cuts.join(',')] : []),
      join(folder, '%04d.mp4'),
    ],
    { input: Buffer.concat(parts), encoding: 'utf8' },
  );
  if (error) throw new Error('The clips are made with the ffmpeg command', { cause: error });
  if (status !== 0) throw new Error(`ffmpeg could not make the clips: ${stderr}`);
  return clips;
}
