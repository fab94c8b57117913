/** The commands of docs/scale.md, run as they stand. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { fixturePath, repoRoot } from '../helpers/fixtures.js';
import { manifestOf } from '../helpers/extract.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-scale-docs-'));
const shared = path.join(folder, 'shared');
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Every `npx codec-patch-stream` of a block, those that need a server left out. */
const commands = fs
  .readFileSync(path.join(repoRoot, 'docs', 'scale.md'), 'utf8')
  .split('\n')
  .filter((line) => /^npx codec-patch-stream (extract|merge)/.test(line) && !/redis/.test(line))
  .map((line) => line.replace(/\s+#.*/, '').replaceAll('/shared', shared));

const bin = path.join(repoRoot, 'dist', 'src', 'bin.js');

test('they do what the page says', () => {
  fs.mkdirSync(path.join(folder, 'videos'));
  for (const name of ['a.mp4', 'b.mp4']) {
    fs.symlinkSync(fixturePath('small.mp4'), path.join(folder, 'videos', name));
  }
  const rows = Array.from({ length: 3 }, (_, i) => `videos/${'aba'[i]}.mp4,${i}`);
  fs.writeFileSync(path.join(folder, 'list.csv'), ['path,label', ...rows].join('\n'));
  const lines = rows.map((row, label) => JSON.stringify({ path: row.split(',')[0], label }));
  fs.writeFileSync(path.join(folder, 'train.jsonl'), lines.join('\n'));
  expect(commands.length).toBeGreaterThanOrEqual(6);
  const array = {
    SLURM_ARRAY_TASK_ID: '0',
    SLURM_ARRAY_TASK_MIN: '0',
    SLURM_ARRAY_TASK_COUNT: '32',
  };
  for (const command of commands) {
    const ran = spawnSync(
      command.replace('npx codec-patch-stream', `"${process.execPath}" "${bin}"`),
      {
        ...{ cwd: folder, shell: true, encoding: 'utf8' },
        env: { ...process.env, ...array },
      },
    );
    expect({ command, status: ran.status, stderr: ran.stderr }).toEqual({
      ...{ command, status: 0, stderr: '' },
    });
  }
  expect(manifestOf(path.join(folder, 'shards'))).toMatchObject({ samples: 2 });
  const patches = ['patches', 'patches-nchw'].map((name) => manifestOf(path.join(folder, name)));
  expect(patches).toMatchObject([
    { samples: 3, tensors: { patches: { shape: [64, 14, 14, 3] } } },
    { samples: 3, tensors: { patches: { shape: [64, 3, 14, 14] } } },
  ]);
  expect(manifestOf(path.join(shared, 'shards'))).toMatchObject({ samples: 3 });
});
