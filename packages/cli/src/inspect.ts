/** One run of the command: select, look at the frames again for display, draw, write, print. */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Presets, SingleBar } from 'cli-progress';
import { PNG } from 'pngjs';
import { decodeOnly, patchStream } from 'codec-patch-stream';
import type { DecodeConfig, PatchStream, PatchStreamConfig } from 'codec-patch-stream';
import { enlarge } from './picture.js';
import type { Picture } from './picture.js';
import { contactSheet, dimUnselected, heatPicture, patchPicture } from './pictures.js';
import type { Selection } from './pictures.js';
import { factTable, frameReports, selectionTable, timingFacts } from './report.js';

/** The command line, as commander names it. */
export interface InspectOptions {
  frames: number;
  inputSize: number;
  patch: number;
  topk: number;
  dtype: 'bf16' | 'fp16' | 'fp32';
  backend: 'auto' | 'gpu' | 'cpu';
  decodeBackend?: 'auto' | 'gpu' | 'cpu';
  processBackend?: 'auto' | 'gpu' | 'cpu';
  deviceId: number;
  selectionUnit: 'patch' | 'block2x2';
  energy: 'block' | 'reference';
  energyPct: number;
  staticFallback: boolean;
  uniformStrategy: 'auto' | 'seek' | 'stream';
  colorMatrix: 'auto' | 'bt601' | 'bt709' | 'bt2020';
  outDir: string;
  json: boolean;
}

/** Pictures of single frames are about this wide, whole multiples of what a model sees. */
const SHOWN_WIDTH = 640;
/** Frames in a row of a sheet. */
const COLUMNS = 4;
/** All of them side by side: many frames are shown smaller, or the sheets would not open. */
const SHOWN_TOTAL = 24_000;
/** Names of earlier runs' pictures, which would otherwise stay among the new ones. */
const OWN_FILES = /^(frame_\d+_id\d+_(patches|energy)\.png|contact_sheet\.png|energy_sheet\.png)$/;

async function writePng(file: string, { width, height, data }: Picture): Promise<void> {
  const png = new PNG({ width, height, colorType: 2, inputHasAlpha: false, deflateLevel: 6 });
  png.data = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  await pipeline(png.pack(), createWriteStream(file));
}

/** A bar on stderr where somebody watches; silent in a pipe or a log. */
function progress(total: number): { step(what: string): void; done(): void } {
  if (!process.stderr.isTTY) return { step: () => undefined, done: () => undefined };
  const bar = new SingleBar(
    { format: '{bar} {value}/{total} {what}', stream: process.stderr, clearOnComplete: true },
    Presets.shades_classic,
  );
  bar.start(total, 0, { what: 'decoding and selecting' });
  return {
    step: (what) => {
      bar.increment({ what });
    },
    done: () => {
      bar.stop();
    },
  };
}

function selectionOf(stream: PatchStream, patchSize: number, scores: Float32Array): Selection {
  const { t, h, w } = stream.grid;
  const selected = new Uint8Array(t * h * w);
  for (const { patchLinearIdx } of stream.metadata) selected[patchLinearIdx] = 1;
  return { grid: stream.grid, patchSize, selected, scores };
}

/** The score that gets the brightest colour: high enough that single outliers do not darken all. */
function brightest(scores: Float32Array): number {
  const sorted = scores.slice().sort();
  return sorted[Math.round(0.995 * (sorted.length - 1))] ?? 0;
}

export async function inspect(
  video: string,
  options: InspectOptions,
  signal: AbortSignal,
): Promise<void> {
  const decode: DecodeConfig = {
    videoPath: video,
    sequenceLength: options.frames,
    backend: options.backend,
    decodeBackend: options.decodeBackend,
    processBackend: options.processBackend,
    deviceId: options.deviceId,
    uniformStrategy: options.uniformStrategy,
    colorMatrix: options.colorMatrix,
  };
  const config: PatchStreamConfig = {
    ...decode,
    inputSize: options.inputSize,
    patchSize: options.patch,
    kKeep: options.topk,
    outputDtype: options.dtype,
    selectionUnit: options.selectionUnit,
    energy: options.energy,
    energyPct: options.energyPct,
    staticFallback: options.staticFallback,
  };
  const bar = progress(3 + 2 * options.frames);
  try {
    const stream = await patchStream({ ...config, signal });
    // Before the pictures: what a program that only wants patches would see.
    const peakRssMiB = process.resourceUsage().maxRSS / 1024;
    bar.step('decoding once more for display');

    const scores = await stream.frameScores.toFloat32();
    const frames = frameReports(stream, scores);
    const files = await draw(stream, { ...decode, signal }, options, scores, bar);
    const summary = {
      config,
      video: {
        codec: stream.codec,
        format: stream.format,
        width: stream.width,
        height: stream.height,
        totalFrames: stream.totalFrames,
        fps: stream.fps,
        durationSec: stream.durationSec,
      },
      backend: stream.backend,
      fallbackReason: stream.fallbackReason,
      targetSize: stream.targetSize,
      grid: stream.grid,
      patches: stream.length,
      patchShape: stream.patches.shape,
      frames,
      timings: stream.timings,
      peakRssMiB,
      files,
    };
    const text = JSON.stringify(summary, null, 2);
    await writeFile(join(options.outDir, 'summary.json'), `${text}\n`);
    bar.done();
    process.stdout.write(options.json ? `${text}\n` : printed(stream, frames, peakRssMiB, options));
    stream.close();
  } finally {
    bar.done();
  }
}

/** Writes every picture and returns the names. */
async function draw(
  stream: PatchStream,
  decode: DecodeConfig,
  { outDir, patch }: InspectOptions,
  scores: Float32Array,
  bar: { step(what: string): void },
): Promise<{ patches: string[]; energy: string[]; contactSheet: string; energySheet: string }> {
  await mkdir(outDir, { recursive: true });
  for (const name of await readdir(outDir)) {
    if (OWN_FILES.test(name)) await rm(join(outDir, name));
  }
  const { width, height } = stream.targetSize;
  const factor = Math.max(
    1,
    Math.round(Math.min(SHOWN_WIDTH, SHOWN_TOTAL / stream.grid.t) / width),
  );
  const shown = { width: width * factor, height: height * factor };
  const selection = selectionOf(stream, patch, scores);
  const full = brightest(scores);
  const patches = await stream.patches.toFloat32();
  const positions = stream.positions.data ?? new Int32Array();
  const display = await decodeOnly({ ...decode, ...shown });
  bar.step('drawing');

  const files = { patches: [] as string[], energy: [] as string[] };
  const [dimmed, heats]: [Picture[], Picture[]] = [[], []];
  for (let t = 0; t < stream.grid.t; t++) {
    const id = String(stream.sampledFrameIds[t] ?? 0).padStart(6, '0');
    const name = `frame_${String(t).padStart(3, '0')}_id${id}`;
    const own = enlarge(patchPicture(selection, patches, positions, t), factor);
    files.patches.push(`${name}_patches.png`);
    await writePng(join(outDir, `${name}_patches.png`), own);
    bar.step('patches');

    const rgb = { ...shown, data: await display.frame(t).toHost() };
    const energy = heatPicture(selection, rgb, t, full);
    files.energy.push(`${name}_energy.png`);
    await writePng(join(outDir, `${name}_energy.png`), energy);
    bar.step('energy');
    heats.push(energy);
    dimmed.push(dimUnselected(selection, rgb, t));
  }
  display.close();
  const columns = Math.min(stream.grid.t, COLUMNS);
  const labels = stream.sampledFrameIds.map((id, t) => {
    const time = (stream.timestampsSec[t] ?? 0).toFixed(2);
    return `#${id} ${time}s${stream.isI[t] ? ' I' : ''}`;
  });
  const sheets = { contactSheet: 'contact_sheet.png', energySheet: 'energy_sheet.png' };
  await writePng(join(outDir, sheets.contactSheet), contactSheet(dimmed, labels, columns));
  await writePng(join(outDir, sheets.energySheet), contactSheet(heats, labels, columns));
  bar.step('done');
  return { ...files, ...sheets };
}

function printed(
  stream: PatchStream,
  frames: ReturnType<typeof frameReports>,
  peakRssMiB: number,
  { outDir }: InspectOptions,
): string {
  const { grid, targetSize, backend } = stream;
  const all = grid.t * grid.h * grid.w;
  const facts: [string, string][] = [
    [
      'video',
      `${stream.codec}, ${stream.width}x${stream.height}, ${stream.fps.toFixed(3)} fps, ` +
        `${stream.totalFrames} frames, ${stream.durationSec.toFixed(2)} s`,
    ],
    ['devices', `decode ${backend.decode}, process ${backend.process}`],
    ...(stream.fallbackReason
      ? [['no GPU', stream.fallbackReason] satisfies [string, string]]
      : []),
    ['scaled to', `${targetSize.width}x${targetSize.height}: ${grid.h} x ${grid.w} patches`],
    [
      'selected',
      `${stream.length} of ${all} patches (${((100 * stream.length) / all).toFixed(1)} %)`,
    ],
  ];
  const cost: [string, string][] = [
    ...timingFacts(stream.timings),
    ['peak memory', `${peakRssMiB.toFixed(0)} MiB`],
  ];
  return [
    factTable(facts),
    selectionTable(frames),
    factTable(cost),
    `Pictures and summary.json are in ${outDir}/ (start with contact_sheet.png)`,
  ]
    .join('\n\n')
    .replace(/ +$/gm, '')
    .concat('\n');
}
