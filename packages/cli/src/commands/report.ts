/** `report`: one page that shows what is selected, why, and what it cost; it needs no other file. */
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Command } from 'commander';
import { checkPatchStreamOptions, patchStream } from 'codec-patch-stream';
import type { OptionInfo, PatchStream, PatchStreamConfig } from 'codec-patch-stream';
import { brightest, Display, selectionOf } from '../display.js';
import { encode, inParallel } from '../encode.js';
import { ensureFolder, isFolder, UsageError, writeWhole } from '../files.js';
import { addFlags, flagOptions, givenOf } from '../flags.js';
import { frameReports } from '../tables.js';
import { print, progress } from '../terminal.js';
import { forEachVideo, namedVideos } from '../videos.js';
import type { NamedVideo } from '../videos.js';

const PRESETS = { kKeep: 1024 };
/** Width of a picture of the page in pixels, while there are not too many of them. */
const SHOWN_WIDTH = 640;
/** All of them together, in pixels: a page of some ten megabytes still opens at once. */
const SHOWN_PIXELS = 40_000_000;
const TEMPLATE = join(__dirname, '..', '..', 'assets', 'report.html');

export function addReport(program: Command): void {
  const options = flagOptions('patchStream');
  const command = program
    .command('report')
    .summary('one HTML page: pictures, heat maps over time, tables, timings')
    .description(
      'Writes one HTML page that needs no other file: contact sheet, heat maps with a slider over\n' +
        'time, a table of what is selected in each frame, timings, and the options that were used.',
    )
    .argument('[video...]', "paths or file: URLs of videos, '-' for one on stdin")
    .option('--out <file>', "the page; '-' for stdout", 'report.html')
    .option('--json', 'print what the page shows, without pictures');
  addFlags(command, options, PRESETS);
  command.action(async (given: string[]) => {
    const { out, json } = command.opts<{ out: string; json: boolean }>();
    const config = { ...PRESETS, ...givenOf(command, options) };
    checkPatchStreamOptions(config);
    const isStdout = out === '-';
    if (isStdout && json)
      throw new UsageError("Expected a file for --out beside --json but received '-'");
    if (!isStdout) checkFile(out);
    const videos = await namedVideos(given);
    const reports = await forEachVideo(videos, (video) => reportOf(video, config, options));
    if (reports.length === 0) return;
    if (isStdout) return print(pageOf(reports));
    await writeWhole(out, pageOf(reports));
    if (!json) return print(`${out}\n`);
    const plain = reports.map(({ pictures: _, ...rest }) => rest);
    await print(`${JSON.stringify(plain, null, 2)}\n`);
  });
}

function checkFile(out: string): void {
  const wrong = (): UsageError => new UsageError(`Expected a file for --out but received '${out}'`);
  if (basename(out) === '' || out.endsWith('/')) throw wrong();
  ensureFolder('--out', dirname(out));
  if (isFolder(out)) throw wrong();
}

type Report = Awaited<ReturnType<typeof reportOf>>;

/** The page with its data in it. Nothing of the data can end the script element that holds it. */
function pageOf(reports: readonly Report[]): string {
  const data = JSON.stringify(reports).replaceAll('<', '\\u003c');
  return readFileSync(TEMPLATE, 'utf8').replace('"DATA"', () => data);
}

/** Each option with what holds for this call, those that were given first. */
function optionsUsed(options: readonly OptionInfo[], config: Readonly<Record<string, unknown>>) {
  const used = options.map(({ name, doc, default: standard = '' }) => {
    const given = config[name] !== undefined;
    return { name, doc, given, value: given ? JSON.stringify(config[name]) : standard };
  });
  return used.sort((a, b) => Number(b.given) - Number(a.given));
}

async function reportOf(
  { name, videoPath }: NamedVideo,
  options: Readonly<Record<string, unknown>>,
  known: readonly OptionInfo[],
) {
  const config = { ...options, videoPath } as PatchStreamConfig;
  const bar = progress(1, `decoding and selecting: ${name}`);
  try {
    using stream = await patchStream(config);
    const scores = await stream.frameScores.toFloat32();
    const { codec, format, width, height, totalFrames, fps, durationSec } = stream;
    const { grid, targetSize, backend, fallbackReason, notes, timings } = stream;
    const full = brightest(scores);
    const { selected } = selectionOf(stream, targetSize.width / grid.w, scores);
    return {
      video: name,
      info: { codec, format, width, height, totalFrames, fps, durationSec },
      ...{ grid, targetSize, backend, fallbackReason, notes, timings },
      patches: stream.length,
      full,
      frames: frameReports(stream, scores),
      options: optionsUsed(known, options),
      scores: Buffer.from(scores.buffer, scores.byteOffset, scores.byteLength).toString('base64'),
      selected: Buffer.from(selected).toString('base64'),
      pictures: await picturesOf(stream, config, name),
    };
  } finally {
    bar.done();
  }
}

/** The sampled frames as data: URLs. */
async function picturesOf(
  stream: PatchStream,
  config: PatchStreamConfig,
  name: string,
): Promise<string[]> {
  const { width, height } = stream.targetSize;
  const each = Math.sqrt(SHOWN_PIXELS / stream.grid.t / (width * height));
  const factor = Math.max(0.25, Math.min(SHOWN_WIDTH / width, each));
  const shown = { width: Math.round(width * factor), height: Math.round(height * factor) };
  const display = await Display.of({ ...config }, shown);
  const bar = progress(stream.grid.t, `drawing: ${name}`);
  try {
    return await inParallel(stream.grid.t, async (t) => {
      const bytes = await encode(await display.picture(t), 'jpeg', 82);
      bar.step(`drawing: ${name}`);
      return `data:image/jpeg;base64,${bytes.toString('base64')}`;
    });
  } finally {
    bar.done();
    display.close();
  }
}
