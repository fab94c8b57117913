/** The videos of a command line: paths, file: URLs, and '-' for what comes in by stdin. */
import { basename, extname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { CodecPatchStreamError } from 'codec-patch-stream';
import { HELP_HINT, UsageError } from './files.js';
import { inFlags } from './flags.js';
import { red } from './terminal.js';

export interface NamedVideo {
  /** As it was typed; '<stdin>' for '-'. */
  readonly name: string;
  /** What the API takes. */
  readonly videoPath: string | Uint8Array;
  /** A name for its folder, no two alike; '' where there is only one video. */
  readonly folder: string;
}

let defaultVideo: string | undefined;

/** What is meant where no video is named. */
export function setDefaultVideo(video: string | undefined): void {
  defaultVideo = video;
}

/** Reads stdin where it is asked for; once, as there is only one. */
export async function namedVideos(given: readonly string[]): Promise<NamedVideo[]> {
  const arguments_ = given.length > 0 || defaultVideo === undefined ? given : [defaultVideo];
  if (arguments_.length === 0) {
    throw new UsageError(`missing required argument 'video'\n${HELP_HINT}`);
  }
  if (arguments_.filter((one) => one === '-').length > 1) {
    throw new UsageError("Expected '-' (stdin) at most once");
  }
  const taken = new Set<string>();
  const videos: NamedVideo[] = [];
  for (const argument of arguments_) {
    const isStdin = argument === '-';
    const stem = isStdin ? 'stdin' : basename(argument, extname(argument)) || 'video';
    let folder = stem;
    for (let i = 2; taken.has(folder); i++) folder = `${stem}-${i}`;
    taken.add(folder);
    videos.push({
      name: isStdin ? '<stdin>' : argument,
      videoPath: isStdin ? await readStdin() : argument,
      folder: arguments_.length > 1 ? folder : '',
    });
  }
  return videos;
}

async function readStdin(): Promise<Uint8Array> {
  if (process.stdin.isTTY) {
    throw new UsageError("Expected a video on stdin for '-' but it is the terminal");
  }
  const bytes = await buffer(process.stdin);
  if (bytes.length === 0) throw new UsageError("Expected a video on stdin for '-' but it is empty");
  return bytes;
}

/** Where the pictures of a video go. */
export const folderOf = (out: string, { folder }: NamedVideo): string =>
  folder === '' ? out : join(out, folder);

/** One line on what went wrong; undefined for what nobody expected, which deserves its stack. */
export function sayError(error: unknown): string | undefined {
  if (error instanceof CodecPatchStreamError) return `${error.code}: ${inFlags(error.message)}`;
  if (error instanceof UsageError) return `error: ${error.message}`;
  return undefined;
}

/**
 * Does `work` for each video. One that fails is told on stderr, and the others have their turn; the
 * exit status is 1 then.
 */
export async function forEachVideo<R>(
  videos: readonly NamedVideo[],
  work: (video: NamedVideo) => Promise<R>,
  failed?: (video: NamedVideo, error: unknown) => R | undefined,
): Promise<R[]> {
  const results: R[] = [];
  for (const video of videos) {
    try {
      results.push(await work(video));
    } catch (error) {
      const text = sayError(error);
      if (text === undefined) throw error;
      const where = text.includes(video.name) || videos.length === 1 ? '' : ` (${video.name})`;
      process.stderr.write(
        `${red(text.slice(0, text.indexOf(':')))}${text.slice(text.indexOf(':'))}${where}\n`,
      );
      process.exitCode = 1;
      const instead = failed?.(video, error);
      if (instead !== undefined) results.push(instead);
    }
  }
  return results;
}
