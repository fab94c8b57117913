/** `probe`: what videos are, without decoding them. */
import Table from 'cli-table3';
import type { Command } from 'commander';
import { probe } from 'codec-patch-stream';
import type { VideoInfo, CodecPatchStreamError } from 'codec-patch-stream';
import { addFlags, flagOptions, givenOf, inFlags } from '../flags.js';
import { plainTable } from '../tables.js';
import { print, progress } from '../terminal.js';
import { forEachVideo, namedVideos } from '../videos.js';
import type { NamedVideo } from '../videos.js';

/** Of opening a video; what comes after it does not concern a probe. */
const CONCERNS = ['readerCacheSize', 'readerCacheDir', 'maxFramePixels', 'maxFrames'].concat([
  'maxMemoryBytes',
  'timeoutMs',
  'damaged',
  'decodeThreads',
]);

type Answer = { readonly video: string } & (VideoInfo | { readonly error: object });

export function addProbe(program: Command): void {
  const options = flagOptions('decodeOnly').filter(({ name }) => CONCERNS.includes(name));
  const command = program
    .command('probe')
    .summary('what videos are: codec, size, frames, rate, duration; no picture is decoded')
    .description(
      'Says what videos are: codec, container, size, frames, rate, duration, colour. No picture is ' +
        'decoded where\nthe container can be trusted to say which pictures come out.',
    )
    .argument('[video...]', "paths or file: URLs of videos, '-' for one on stdin")
    .option('--json', 'print an array with an object for each video');
  addFlags(command, options);
  command.action(async (given: string[]) => {
    const { json } = command.opts<{ json: boolean }>();
    const config = givenOf(command, options);
    const videos = await namedVideos(given);
    const bar = progress(videos.length, 'looking');
    const answers = await forEachVideo<Answer>(
      videos,
      async ({ name, videoPath }) => {
        const info = await probe(videoPath, config);
        bar.step(name);
        return { video: name, ...info };
      },
      ({ name }: NamedVideo, error) => {
        bar.step(name);
        const { code, message } = error as CodecPatchStreamError;
        return { video: name, error: { code, message: inFlags(message) } };
      },
    );
    bar.done();
    if (json) return print(`${JSON.stringify(answers, null, 2)}\n`);
    const good = answers.filter(
      (answer): answer is { video: string } & VideoInfo => !('error' in answer),
    );
    if (good.length > 0) await print(`${table(good)}\n`);
  });
}

function table(answers: readonly ({ video: string } & VideoInfo)[]): string {
  const head = [
    'video',
    'codec',
    'container',
    'size',
    'frames',
    'fps',
    'duration s',
    'turned',
    'colour',
  ];
  const right = new Set(['frames', 'fps', 'duration s', 'turned']);
  const rows = new Table({
    ...plainTable,
    head,
    colAligns: head.map((name) => (right.has(name) ? 'right' : 'left')),
  });
  for (const info of answers) {
    const { matrix, range, bitDepth } = info.color;
    const colour = [matrix, range, bitDepth === null ? null : `${bitDepth} bit`];
    rows.push([
      info.video,
      info.codec,
      // Some demuxers stand for a family: 'mov,mp4,m4a,3gp,3g2,mj2'.
      info.format.split(',')[0],
      `${info.width}x${info.height}`,
      info.totalFrames,
      info.fps.toFixed(3),
      info.durationSec.toFixed(3),
      info.rotation === 0 ? '' : `${info.rotation}°`,
      colour.filter((part) => part !== null).join(', '),
    ]);
  }
  return rows.toString().replace(/ +$/gm, '');
}
