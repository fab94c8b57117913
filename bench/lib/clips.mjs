/**
 * The clips that are measured, by recipe. Made once with the ffmpeg CLI into .cache/bench/clips
 * (untracked); the file name carries a hash of the recipe, so a changed recipe makes a new clip.
 *
 * The content is synthetic but has what makes decoding cost what it costs for filmed material: a
 * moving scene with fine texture, hard edges that move, and sensor-like noise.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { root, step, Stop } from '../../scripts/lib/shell.mjs';

export const cacheDir = path.join(root, '.cache', 'bench');
const clipDir = path.join(cacheDir, 'clips');
const FPS = 25;

/** Picture size by number of lines, 16:9. */
const sizes = {
  32: [32, 32],
  360: [640, 360],
  480: [854, 480],
  720: [1280, 720],
  1080: [1920, 1080],
};
sizes[2160] = [3840, 2160];

const encoders = {
  h264: (gop, preset = 'medium') => ['libx264', '-preset', preset, ...keyint(gop)],
  // Each picture refers to the one before it alone, as energy 'codec' needs it.
  'h264-p': (gop, preset = 'medium') => [
    ...['libx264', '-preset', preset, ...keyint(gop)],
    ...['-bf', '0', '-refs', '1'],
  ],
  hevc: (gop) => {
    const params = `keyint=${gop}:min-keyint=${gop}:log-level=error`;
    return ['libx265', '-preset', 'superfast', '-x265-params', params, '-tag:v', 'hvc1'];
  },
  vp9: (gop) => [
    ...['libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '7', '-row-mt', '1'],
    ...['-tile-columns', '2', '-b:v', '5M', '-g', `${gop}`],
  ],
  av1: (gop) => ['libsvtav1', '-preset', '10', '-crf', '36', '-g', `${gop}`],
  mpeg4: (gop) => ['mpeg4', '-q:v', '4', '-g', `${gop}`, '-bf', '2'],
  mjpeg: () => ['mjpeg', '-q:v', '4'],
};
const keyint = (gop) => ['-g', `${gop}`];

/** The scene, nearly lossless, from which every clip of its length is encoded. */
const master = (frames, [width, height]) => ({
  name: `master-${height}p-${frames}`,
  ext: 'mp4',
  args: () => [
    ...['-f', 'lavfi', '-i', `mandelbrot=s=640x360:rate=${FPS}:maxiter=300:end_scale=0.02`],
    ...['-f', 'lavfi', '-i', `testsrc2=s=${width}x${height}:r=${FPS}`],
    '-filter_complex',
    `[0]scale=${width}:${height},format=yuv420p[a];[1]scroll=h=0.002:v=0.001,format=yuv420p[b];` +
      '[a][b]blend=all_mode=average,noise=alls=4:allf=t',
    ...['-frames:v', `${frames}`, '-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '8'],
  ],
});

/**
 * A clip: codec, lines, GOP length in frames and length in seconds. Clips over 60 s repeat their
 * first minute without encoding it again: what an index and a jump cost depends on the number of
 * packets, not on what they show.
 */
export function clip({ codec = 'h264', lines = 1080, gop = 250, seconds = 20, preset }) {
  const [width, height] = sizes[lines];
  const encoded = Math.min(seconds, 60);
  const ext = codec === 'vp9' ? 'webm' : codec === 'mjpeg' || codec === 'mpeg4' ? 'mkv' : 'mp4';
  const name = `${codec}-${lines}p-g${gop}-${seconds}s${preset ? `-${preset}` : ''}`;
  const facts = { codec, lines, width, height, gop, seconds, frames: seconds * FPS, fps: FPS };
  if (seconds > encoded) {
    const from = clip({ codec, lines, gop, seconds: encoded, preset });
    const args = ([file]) => ['-stream_loop', `${seconds / encoded - 1}`, '-i', file, '-c', 'copy'];
    return { name, ext, ...facts, needs: [from], args };
  }
  const scene = encoded > 20 ? master(encoded * FPS, sizes[480]) : master(20 * FPS, sizes[1080]);
  const args = ([file]) => [
    ...['-i', file, '-frames:v', `${encoded * FPS}`, '-vf', `scale=${width}:${height}`],
    ...['-an', '-pix_fmt', 'yuv420p', '-c:v', ...encoders[codec](gop, preset)],
  ];
  return { name, ext, ...facts, needs: [scene], args };
}

export function fileOf(recipe) {
  const text = (r) => JSON.stringify([r.name, r.args((r.needs ?? []).map((n) => n.name))]);
  const chain = (r) => [text(r), ...(r.needs ?? []).flatMap(chain)];
  const hash = createHash('sha256').update(chain(recipe).join('\n')).digest('hex').slice(0, 10);
  return path.join(clipDir, `${recipe.name}.${hash}.${recipe.ext}`);
}

function ffmpeg(args) {
  return new Promise((resolve, reject) => {
    const child = spawn('ffmpeg', ['-v', 'error', '-y', ...args], {
      stdio: ['ignore', 'inherit', 'pipe'],
    });
    let errors = '';
    child.stderr.on('data', (chunk) => (errors += chunk));
    child.on('error', (error) => reject(new Stop(`Could not start ffmpeg: ${error.message}`)));
    child.on('close', (code) =>
      code === 0 ? resolve() : reject(new Stop(`ffmpeg ${args.join(' ')} failed:\n${errors}`)),
    );
  });
}

/** Makes the clip where it is missing; its path. */
export async function ensureClip(recipe) {
  const file = fileOf(recipe);
  if (fs.existsSync(file)) return file;
  const inputs = [];
  for (const need of recipe.needs ?? []) inputs.push(await ensureClip(need));
  fs.mkdirSync(clipDir, { recursive: true });
  step(`making ${recipe.name}`);
  const unfinished = file.replace(/\.(\w+)$/, `.part${process.pid}.$1`);
  await ffmpeg([...recipe.args(inputs), unfinished]);
  fs.renameSync(unfinished, file);
  return file;
}
