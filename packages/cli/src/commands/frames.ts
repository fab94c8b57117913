/** `frames`: sampled frames as PNG or JPEG files. */
import { join } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { checkDecodeOnlyOptions, decodeOnly, openVideo } from 'codec-patch-stream';
import type { DecodedFrames, Video } from 'codec-patch-stream';
import { encode, inParallel } from '../encode.js';
import type { Format } from '../encode.js';
import { counted, ensureFolder, removeMatching, UsageError, writeWhole } from '../files.js';
import { addFlags, flagOptions, givenOf } from '../flags.js';
import { factTable } from '../tables.js';
import { print, progress } from '../terminal.js';
import type { Progress } from '../terminal.js';
import { folderOf, forEachVideo, namedVideos } from '../videos.js';
import type { NamedVideo } from '../videos.js';

const OWN_FILES = /^frame_\d+_id\d+\.(png|jpg)$/;
/** What a picture file has an own idea of. */
const NOT_OF_PICTURES = ['outputDtype', 'layout', 'normalize'];
/** Pixels of the frames that are in memory at once with --all. */
const WINDOW_BYTES = 64 << 20;

interface FramesOptions {
  readonly out: string;
  readonly format: Format;
  readonly quality: number;
  readonly all: boolean;
  readonly json: boolean;
}

interface Written {
  readonly file: string;
  readonly frameId: number;
  readonly secondsFromStart: number;
  readonly timestampSec: number;
}

function quality(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 100) {
    throw new InvalidArgumentError('Expected integer between 1 and 100.');
  }
  return value;
}

export function addFrames(program: Command): void {
  const options = flagOptions('decodeOnly', NOT_OF_PICTURES);
  const command = program
    .command('frames')
    .summary('sampled frames as PNG or JPEG files')
    .description(
      'Writes sampled frames as PNG or JPEG files: 16 spread over the video, or those of --sample, or all.',
    )
    .argument('[video...]', "paths or file: URLs of videos, '-' for one on stdin")
    .requiredOption('--out <folder>', 'where the pictures go; a folder each for several videos')
    .addOption(
      new Option('--format <name>', 'of the files').choices(['png', 'jpeg']).default('png'),
    )
    .option('--quality <percent>', 'of JPEG, 1 to 100', quality, 90)
    .option('--all', 'every frame, a few in memory at a time', false)
    .option('--json', 'print an array with the files and times of each video');
  addFlags(command, options);
  command.action(async (given: string[]) => {
    const own = command.opts<FramesOptions>();
    const config = givenOf(command, options);
    checkDecodeOnlyOptions(config);
    if (own.all && (config['sample'] !== undefined || config['sequenceLength'] !== undefined)) {
      throw new UsageError('Expected --all without --sample and --frames');
    }
    if (own.format !== 'jpeg' && command.getOptionValueSource('quality') === 'cli') {
      throw new UsageError(
        `Expected --format jpeg beside --quality but received --format ${own.format}`,
      );
    }
    ensureFolder('--out', own.out);
    const videos = await namedVideos(given);
    const results = await forEachVideo(videos, async (video) => {
      const folder = folderOf(own.out, video);
      ensureFolder('--out', folder);
      const files = await writeFrames(video, config, own, folder);
      return { video: video.name, folder, files };
    });
    if (own.json) return print(`${JSON.stringify(results, null, 2)}\n`);
    const facts = results.map(({ video, folder, files }): [string, string] => [
      video,
      `${counted(files.length, 'frame')} in ${folder}/`,
    ]);
    if (facts.length > 0) await print(`${factTable(facts)}\n`);
  });
}

async function writeFrames(
  { videoPath }: NamedVideo,
  config: Readonly<Record<string, unknown>>,
  own: FramesOptions,
  folder: string,
): Promise<Written[]> {
  if (own.all) return writeAll(videoPath, config, own, folder);
  const bar = progress(1, 'decoding');
  try {
    using frames = await decodeOnly({ ...config, videoPath });
    removeMatching(folder, OWN_FILES);
    const writing = progress(frames.length, 'writing');
    const written = await writePart(frames, 0, frames.length, own, folder, writing);
    writing.done();
    return written;
  } finally {
    bar.done();
  }
}

async function writeAll(
  videoPath: NamedVideo['videoPath'],
  config: Readonly<Record<string, unknown>>,
  own: FramesOptions,
  folder: string,
): Promise<Written[]> {
  await using video = await openVideo(videoPath, ofOpening(config));
  const { totalFrames } = video.info;
  const bytes = await frameBytes(video, config);
  const count = Math.max(1, Math.min(256, Math.floor(WINDOW_BYTES / bytes)));
  const bar = progress(totalFrames, 'decoding and writing');
  removeMatching(folder, OWN_FILES);
  const written: Written[] = [];
  for await (const window of video.windows({ frames: count }, { ...config, of: 'frames' })) {
    using frames = window as DecodedFrames<'uint8'>;
    written.push(...(await writePart(frames, written.length, totalFrames, own, folder, bar)));
  }
  bar.done();
  return written;
}

/** What one frame takes in memory, as it will be written. */
async function frameBytes(
  video: Video,
  config: Readonly<Record<string, unknown>>,
): Promise<number> {
  const { width = video.info.width, height = video.info.height, size } = config;
  if (size === undefined) return 3 * Number(width) * Number(height);
  // What a rule of sizes makes of this video, one of its frames tells, whichever can be decoded.
  const any = { sample: { indices: [0] }, damaged: 'nearest' } as const;
  using one = await decodeOnly({ ...config, ...any, videoPath: video });
  const [, rows = 0, columns = 0] = one.frames.shape;
  return Math.max(1, 3 * rows * columns);
}

/** What openVideo takes of them: pixels are of the windows. */
function ofOpening(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const groups = new Map(flagOptions('decodeOnly').map(({ name, group }) => [name, group]));
  const opening = ['decoding', 'limits'];
  const own = ([name]: [string, unknown]): boolean => opening.includes(groups.get(name) ?? '');
  return Object.fromEntries(Object.entries(config).filter(own));
}

async function writePart(
  frames: DecodedFrames<'uint8'>,
  first: number,
  total: number,
  { format, quality: percent }: FramesOptions,
  folder: string,
  bar: Progress,
): Promise<Written[]> {
  const [, height = 0, width = 0] = frames.frames.shape;
  const digits = Math.max(3, String(total - 1).length);
  return inParallel(frames.length, async (i) => {
    using frame = frames.frame(i);
    const data = await frame.toHost();
    const frameId = frames.sampledFrameIds[i] ?? 0;
    const place = String(first + i).padStart(digits, '0');
    const ending = format === 'png' ? 'png' : 'jpg';
    const file = `frame_${place}_id${String(frameId).padStart(6, '0')}.${ending}`;
    await writeWhole(join(folder, file), await encode({ width, height, data }, format, percent));
    bar.step('writing');
    const [secondsFromStart = 0, timestampSec = 0] = [
      frames.secondsFromStart[i],
      frames.timestampsSec[i],
    ];
    return { file, frameId, secondsFromStart, timestampSec };
  });
}
