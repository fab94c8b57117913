/** The independent decoder of the tests: the ffmpeg command line, sequentially, whole files. */
import { execFileSync } from 'node:child_process';
import { fixturePath } from './fixtures.js';
import type { Fixture } from './fixtures.js';

/** All frames of the clip in display order as raw video of `pixFmt`, rotated as a viewer sees them. */
export function rawVideo(clip: Fixture, pixFmt: string, filter: string[] = []): Buffer {
  return execFileSync(
    'ffmpeg',
    [
      ...['-v', 'error', '-nostdin', '-threads', '1', '-i', fixturePath(clip.name)],
      ...['-map', `0:${clip.streamIndex}`, '-fps_mode', 'passthrough', ...filter],
      ...['-pix_fmt', pixFmt, '-f', 'rawvideo', 'pipe:1'],
    ],
    { maxBuffer: 2 ** 30, stdio: ['ignore', 'pipe', 'pipe'] },
  );
}

/**
 * Whether ffmpeg's scaler weighs the chroma rows of this clip by where they lie: above 8 bits, from
 * libswscale 10 (FFmpeg 9) on. Up to version 8 (FFmpeg 7.1) it takes their mean, as this package
 * does with every FFmpeg.
 */
export function weighsChromaRows(clip: Fixture): boolean {
  scaler ??= Number(
    /^libswscale +(\d+)/m.exec(execFileSync('ffmpeg', ['-version'], { encoding: 'utf8' }))?.[1],
  );
  return scaler > 8 && /^yuv420p1\d/.test(clip.pixFmt);
}
let scaler: number | undefined; // its major version

export const displaySize = (clip: Fixture): { width: number; height: number } =>
  clip.rotation % 180 === 0
    ? { width: clip.width, height: clip.height }
    : { width: clip.height, height: clip.width };

/** DESIGN section 4.1: display indices of T uniformly sampled frames of N. */
export const sampledIds = (n: number, length: number): number[] =>
  Array.from({ length }, (_, i) => (length === 1 ? 0 : Math.floor((i * (n - 1)) / (length - 1))));

/** Presentation time of each frame in seconds, NaN where FFmpeg knows none; empty for formats that store none. */
export function frameTimes(clip: Fixture): number[] {
  if (clip.features.includes('raw')) return [];
  const args = ['-v', 'error', '-threads', '1', '-select_streams', String(clip.streamIndex)];
  const entries = ['-show_entries', 'frame=best_effort_timestamp_time', '-of', 'csv=p=0'];
  const out = execFileSync('ffprobe', [...args, ...entries, fixturePath(clip.name)], {
    encoding: 'utf8',
  });
  const times = out
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => parseFloat(line));
  return times.some((time) => !Number.isNaN(time)) ? times : [];
}
