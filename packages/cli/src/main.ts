#!/usr/bin/env node
/**
 * The command `codec-patch-stream`. It uses nothing but the public API of the package.
 */
import { constants } from 'node:os';
import { createRequire } from 'node:module';
import { Command } from 'commander';
import { buildInfo } from 'codec-patch-stream';
import { addExtract } from './commands/extract.js';
import { addFrames } from './commands/frames.js';
import { addInspect } from './commands/inspect.js';
import { addMerge } from './commands/merge.js';
import { addProbe } from './commands/probe.js';
import { addQueue } from './commands/queue.js';
import { addReport } from './commands/report.js';
import { forgetEmptyFolders, HELP_HINT } from './files.js';
import { asTyped, canonical } from './flags.js';
import { interrupted } from './interrupt.js';
import { clearProgress, endWithOutput, red } from './terminal.js';
import { sayError, setDefaultVideo } from './videos.js';

const load = createRequire(__filename);

/** Ends the process now: nothing half written is left, and native work stops with the process. */
function leave(status: number): never {
  clearProgress();
  forgetEmptyFolders();
  process.exit(status);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (!interrupted(signal)) leave(128 + constants.signals[signal]);
  });
}
endWithOutput(leave);

function versions(): string {
  const of = (manifest: string): string => (load(manifest) as { version: string }).version;
  const own = `codec-patch-stream-cli ${of('../package.json')}`;
  const parts = [own, `codec-patch-stream ${of('codec-patch-stream/package.json')}`];
  try {
    const { ffmpeg, cuda } = buildInfo();
    parts.push(`FFmpeg: ${ffmpeg}`, ...(cuda === null ? [] : [`CUDA ${cuda}`]));
  } catch {
    // The versions of the packages are told all the same.
  }
  return [...parts, `Node.js ${process.versions.node}`].join('\n');
}

/** What `npm run demo` looks at where no video is named: taken out of the arguments. */
function withoutDefault(args: readonly string[]): string[] {
  const at = args.indexOf('--default-video');
  if (at < 0) return [...args];
  setDefaultVideo(args[at + 1]);
  return [...args.slice(0, at), ...args.slice(at + 2)];
}

/** A flag of a command that stands before it is none of the default command's. */
function commandHint(program: Command): string {
  const [first = '', ...rest] = process.argv.slice(2);
  const behind = program.commands.find((one) => rest.includes(one.name()))?.name();
  if (!first.startsWith('-') || behind === undefined) return '';
  return `(a command stands before all flags: codec-patch-stream ${behind} ${first} ...)\n`;
}

function commands(): Command {
  const program: Command = new Command('codec-patch-stream')
    .description('Looks into videos: what they are, their frames, and which patches are selected.')
    .option('-V, --version', 'print the versions and exit')
    .on('option:version', () => {
      process.stdout.write(`${versions()}\n`);
      process.exit(0);
    })
    .configureOutput({ outputError: (text, write) => write(asTyped(text) + commandHint(program)) })
    .showHelpAfterError(HELP_HINT)
    .addHelpText(
      'after',
      `
codec-patch-stream VIDEO is short for codec-patch-stream inspect VIDEO.
Every option of the API is a flag under its own name: kKeep is --k-keep (or --kKeep). Values with parts are
written as --sample count=8,place=middles or as JSON. ${'`codec-patch-stream COMMAND --help`'} lists all.`,
    );
  addInspect(program);
  addProbe(program);
  addFrames(program);
  addReport(program);
  addExtract(program);
  addMerge(program);
  addQueue(program);
  return program;
}

async function main(): Promise<void> {
  try {
    await commands().parseAsync(canonical(withoutDefault(process.argv.slice(2))), { from: 'user' });
  } catch (error) {
    clearProgress();
    const text = sayError(error);
    if (text === undefined) throw error;
    const colon = text.indexOf(':');
    process.stderr.write(`${red(text.slice(0, colon))}${text.slice(colon)}\n`);
    process.exitCode = 1;
  } finally {
    forgetEmptyFolders();
  }
}

void main();
