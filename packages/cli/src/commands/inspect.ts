/** `inspect`: which patches are selected and why, as tables, pictures and summary.json. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { checkPatchStreamOptions, patchStream } from 'codec-patch-stream';
import type { PatchStream, PatchStreamConfig } from 'codec-patch-stream';
import { brightest, Display, labelsOf, selectionOf } from '../display.js';
import { encode } from '../encode.js';
import { counted, ensureFolder, removeMatching, UsageError, writeWhole } from '../files.js';
import { addFlags, flagOptions, givenOf } from '../flags.js';
import { enlarge } from '../picture.js';
import type { Picture } from '../picture.js';
import { contactSheet, dimUnselected, heatPicture, patchPicture } from '../pictures.js';
import { factTable, frameReports, selectionTable, timingFacts } from '../tables.js';
import type { FrameReport } from '../tables.js';
import { bold, print, progress } from '../terminal.js';
import { folderOf, forEachVideo, namedVideos } from '../videos.js';
import type { NamedVideo } from '../videos.js';

/** Pictures of single frames are about this wide, whole multiples of what a model sees. */
const SHOWN_WIDTH = 640;
/** Frames in a row of a sheet. */
const COLUMNS = 4;
/** All of them side by side: many frames are shown smaller, or the sheets would not open. */
const SHOWN_TOTAL = 24_000;
/** Names of earlier runs' pictures, which would otherwise stay among the new ones. */
const OWN_FILES = /^(frame_\d+_id\d+_(patches|energy)\.png|contact_sheet\.png|energy_sheet\.png)$/;

/** In place of the API's: half as many patches are easier to look at. */
const PRESETS = { kKeep: 1024 };

export function addInspect(program: Command): void {
  const options = flagOptions('patchStream');
  const command = program
    .command('inspect', { isDefault: true })
    .summary('which patches are selected and why: tables, pictures, summary.json (the default)')
    .description(
      'Shows which patches of a video are selected and why: tables, pictures and summary.json.\n' +
        'This is what runs when no command is named.',
    )
    .argument('[video...]', "paths or file: URLs of videos, '-' for one on stdin")
    .option('--out-dir <folder>', 'where the pictures go', 'patch_viz')
    .option('--json', 'print summary.json instead of the tables');
  addFlags(command, options, PRESETS);
  command.action(async (given: string[]) => {
    const { outDir, json } = command.opts<{ outDir: string; json?: boolean }>();
    checkFirst(
      given,
      program.commands.map((one) => one.name()),
    );
    const config = { ...PRESETS, ...givenOf(command, options) };
    checkPatchStreamOptions(config);
    ensureFolder('--out-dir', outDir);
    const videos = await namedVideos(given);
    const summaries = await forEachVideo(videos, async (video) => {
      const folder = folderOf(outDir, video);
      ensureFolder('--out-dir', folder);
      const found = await inspect(video, config, folder);
      if (!json) await print(printed(video, found, folder));
      return found.summary;
    });
    if (!json) return;
    const shown = videos.length > 1 ? summaries : summaries[0];
    if (shown !== undefined) await print(`${JSON.stringify(shown, null, 2)}\n`);
  });
}

/** What is no command, or stands behind a flag, is taken for a video; say so before decoding says less. */
function checkFirst([first = '']: readonly string[], commands: readonly string[]): void {
  if (!/^[a-z]+$/.test(first) || existsSync(first)) return;
  throw new UsageError(
    commands.includes(first)
      ? `Expected command '${first}' before all flags but received it behind one`
      : `Expected a command (${commands.join(', ')}) or a video but received '${first}'`,
  );
}

interface Inspected {
  readonly summary: object;
  readonly facts: [string, string][];
  readonly frames: FrameReport[];
  readonly cost: [string, string][];
}

async function inspect(
  { name, videoPath }: NamedVideo,
  options: Readonly<Record<string, unknown>>,
  folder: string,
): Promise<Inspected> {
  const config = { ...options, videoPath } as PatchStreamConfig;
  const bar = progress(1, 'decoding and selecting');
  try {
    using stream = await patchStream(config);
    // Before the pictures: what a program that only wants patches would see.
    const peakRssMiB = process.resourceUsage().maxRSS / 1024;
    const scores = await stream.frameScores.toFloat32();
    const frames = frameReports(stream, scores);
    const files = await draw(stream, config, folder, scores);
    const { codec, format, width, height, totalFrames, fps, durationSec } = stream;
    const summary = {
      config: { ...config, videoPath: name },
      video: { codec, format, width, height, totalFrames, fps, durationSec },
      backend: stream.backend,
      fallbackReason: stream.fallbackReason,
      notes: stream.notes,
      targetSize: stream.targetSize,
      grid: stream.grid,
      patches: stream.length,
      patchShape: stream.patches.shape,
      frames,
      timings: stream.timings,
      peakRssMiB,
      files,
    };
    await writeWhole(join(folder, 'summary.json'), `${JSON.stringify(summary, null, 2)}\n`);
    const cost: [string, string][] = [
      ...timingFacts(stream.timings),
      ['peak memory', `${peakRssMiB.toFixed(0)} MiB`],
    ];
    return { summary, facts: factsOf(stream), frames, cost };
  } finally {
    bar.done();
  }
}

/** Writes every picture and returns the names. */
async function draw(
  stream: PatchStream,
  config: PatchStreamConfig,
  folder: string,
  scores: Float32Array,
): Promise<{ patches: string[]; energy: string[]; contactSheet: string; energySheet: string }> {
  const { width, height } = stream.targetSize;
  const factor = Math.max(
    1,
    Math.round(Math.min(SHOWN_WIDTH, SHOWN_TOTAL / stream.grid.t) / width),
  );
  const shown = { width: width * factor, height: height * factor };
  const patchSize = width / stream.grid.w;
  const selection = selectionOf(stream, patchSize, scores);
  const full = brightest(scores);
  const bar = progress(3 + 2 * stream.grid.t, 'decoding once more for display');
  const pixels = await patchPixels(stream, config);
  const positions = stream.positions.data ?? new Int32Array();
  const display = await Display.of({ ...config }, shown);
  bar.step('drawing');
  removeMatching(folder, OWN_FILES);
  const files = { patches: [] as string[], energy: [] as string[] };
  const write = async (name: string, picture: Picture, what: string): Promise<void> => {
    await writeWhole(join(folder, name), await encode(picture));
    bar.step(what);
  };
  const [dimmed, heats]: [Picture[], Picture[]] = [[], []];
  for (let t = 0; t < stream.grid.t; t++) {
    const id = String(stream.sampledFrameIds[t] ?? 0).padStart(6, '0');
    const name = `frame_${String(t).padStart(3, '0')}_id${id}`;
    const own = enlarge(patchPicture(selection, pixels, positions, t), factor);
    files.patches.push(`${name}_patches.png`);
    await write(`${name}_patches.png`, own, 'patches');
    const rgb = await display.picture(t);
    const energy = heatPicture(selection, rgb, t, full);
    files.energy.push(`${name}_energy.png`);
    await write(`${name}_energy.png`, energy, 'energy');
    heats.push(energy);
    dimmed.push(dimUnselected(selection, rgb, t));
  }
  display.close();
  const columns = Math.min(stream.grid.t, COLUMNS);
  const labels = labelsOf(stream);
  const sheets = { contactSheet: 'contact_sheet.png', energySheet: 'energy_sheet.png' };
  await write(sheets.contactSheet, contactSheet(dimmed, labels, columns), 'sheets');
  await write(sheets.energySheet, contactSheet(heats, labels, columns), 'done');
  bar.done();
  return { ...files, ...sheets };
}

/** The patches as colours 0..255, [K, 3, P, P], whatever the options make of them. */
async function patchPixels(stream: PatchStream, config: PatchStreamConfig): Promise<Float32Array> {
  const { layout, normalize } = config;
  if ((layout ?? 'nchw') === 'nchw' && (normalize ?? 'none') === 'none') {
    return stream.patches.toFloat32();
  }
  using plain = await patchStream({ ...config, layout: 'nchw', normalize: 'none' });
  return (await plain.patches.toFloat32()).slice();
}

/** The first reason, without what to do about it: summary.json has all of it. */
const inShort = (reason: string): string =>
  reason.replace(/^\w+ on the CPU: /, '').split(/ \(|;/)[0] ?? reason;

function factsOf(stream: PatchStream): [string, string][] {
  const { grid, targetSize, backend } = stream;
  const all = grid.t * grid.h * grid.w;
  return [
    [
      'video',
      `${stream.codec}, ${stream.width}x${stream.height}, ${stream.fps.toFixed(3)} fps, ` +
        `${counted(stream.totalFrames, 'frame')}, ${stream.durationSec.toFixed(2)} s`,
    ],
    ['devices', `decode ${backend.decode}, process ${backend.process}`],
    ...(stream.fallbackReason
      ? [['no GPU', inShort(stream.fallbackReason)] satisfies [string, string]]
      : []),
    ['scaled to', `${targetSize.width}x${targetSize.height}: ${grid.h} x ${grid.w} patches`],
    [
      'selected',
      `${stream.length} of ${all} patches (${((100 * stream.length) / all).toFixed(1)} %)`,
    ],
    ...stream.notes.map(({ code, message }): [string, string] => ['note', `${code}: ${message}`]),
  ];
}

const printed = ({ name, folder: own }: NamedVideo, found: Inspected, folder: string): string =>
  [
    ...(own === '' ? [] : [bold(name)]),
    factTable(found.facts),
    selectionTable(found.frames),
    factTable(found.cost),
    `Pictures and summary.json are in ${folder}/ (start with contact_sheet.png)`,
  ]
    .join('\n\n')
    .replace(/ +$/gm, '')
    .concat(own === '' ? '\n' : '\n\n');
