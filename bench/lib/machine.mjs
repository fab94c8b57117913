/** What the figures were taken on. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { capture, root } from '../../scripts/lib/shell.mjs';

export function machineFacts(info) {
  const { version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
  const git = (...args) => capture('git', args, { cwd: root });
  const changed = git(
    'status',
    '--porcelain',
    '--untracked-files=no',
    '--',
    '.',
    ':!README.md',
    ':!docs',
  );
  return {
    cpu: os.cpus()[0]?.model ?? os.arch(),
    threads: os.availableParallelism(),
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.release()}`,
    node: process.version,
    ffmpegCli: capture('ffmpeg', ['-version'])?.split('\n')[0],
    package: version,
    ffmpeg: info.ffmpeg,
    simd: info.simd,
    commit: `${git('rev-parse', '--short', 'HEAD') ?? 'unknown'}${changed ? ' with changes' : ''}`,
    date: new Date().toISOString(),
    loadBefore: os.loadavg()[0],
  };
}
