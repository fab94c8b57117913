/** What people do who have not read the pages: places to write to, typing errors, flags that do not go together. */
import { spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { cli, SMALL_INPUT, startCli } from '../helpers/extract.js';
import type { Ran } from '../helpers/extract.js';
import { fixturePath, repoRoot } from '../helpers/fixtures.js';

const clip = fixturePath('small.mp4');
const SMALL = ['--frames', '2', '--topk', '4'];
let folder: string;
const at = (...names: string[]): string => path.join(folder, ...names);
const run = (args: readonly string[], options: object = {}): Ran =>
  cli(args, { cwd: folder, ...options });

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-mistakes-'));
});
afterEach(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

const isPage = (text: string): boolean => /^<!doctype html>[^]*<\/html>\s*$/i.test(text);

describe('where a page goes', () => {
  const report = (out: string, ...more: string[]): string[] => [
    ...['report', clip, ...SMALL, '--out', out],
    ...more,
  ];

  test('a link stays, and what it leads to is replaced, also where nothing was', () => {
    fs.mkdirSync(at('target'));
    fs.writeFileSync(at('target', 'page.html'), 'before');
    fs.symlinkSync('target', at('link-to-folder'));
    fs.symlinkSync('page.html', at('target', 'second'));
    fs.symlinkSync(at('link-to-folder', 'second'), at('first'));
    fs.symlinkSync('target/new.html', at('dangling'));
    for (const [link, file] of [
      ['first', 'page.html'],
      ['dangling', 'new.html'],
    ] as const) {
      expect(run(report(link))).toMatchObject({ status: 0, stderr: '' });
      expect(fs.lstatSync(at(link)).isSymbolicLink()).toBe(true);
      expect(isPage(fs.readFileSync(at('target', file), 'utf8'))).toBe(true);
    }
    expect(fs.readdirSync(at('target')).sort()).toEqual(['new.html', 'page.html', 'second']);
  });

  test('a loop of links is told', () => {
    fs.symlinkSync('b', at('a'));
    fs.symlinkSync('a', at('b'));
    expect(run(report('a'))).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^error: .*'a'.*ELOOP\n$/) as string,
    });
  });

  test('a pipe gets the page and stays a pipe', async () => {
    expect(spawnSync('mkfifo', [at('pipe')]).status).toBe(0);
    fs.symlinkSync('pipe', at('link'));
    for (const name of ['pipe', 'link']) {
      const reader = spawn('cat', [at('pipe')]);
      const read = new Promise<string>((done) => {
        let text = '';
        reader.stdout.on('data', (part: Buffer) => (text += part.toString('latin1')));
        reader.on('close', () => done(text));
      });
      const child = startCli(report(name), { cwd: folder });
      const status = await new Promise((done) => child.on('close', done));
      // Where the page went elsewhere, the reader would wait for ever.
      const text = status === 0 && fs.lstatSync(at('pipe')).isFIFO() ? await read : '';
      reader.kill();
      expect(isPage(text)).toBe(true);
    }
    expect(fs.lstatSync(at('link')).isSymbolicLink()).toBe(true);
    expect(fs.readdirSync(folder).sort()).toEqual(['link', 'pipe']);
  });

  test('a pipe that nobody reads can be left with a signal', async () => {
    expect(spawnSync('mkfifo', [at('pipe')]).status).toBe(0);
    const child = startCli(report('pipe'), { cwd: folder });
    const ended = new Promise((done) => child.on('close', (...how) => done(how)));
    // Later than the signal's handler; it may come before or after the page is made.
    const timer = setInterval(() => child.kill('SIGINT'), 3000);
    expect(await ended).toEqual([130, null]);
    clearInterval(timer);
    expect(fs.lstatSync(at('pipe')).isFIFO()).toBe(true);
  });

  test("'-' is stdout, which --json has not left", () => {
    const ran = run(report('-'));
    expect([ran.status, ran.stderr, isPage(ran.stdout)]).toEqual([0, '', true]);
    expect(fs.readdirSync(folder)).toEqual([]);
    expect(run(report('-', '--json'))).toMatchObject({
      status: 1,
      stderr: "error: Expected a file for --out beside --json but received '-'\n",
    });
  });

  test('a folder is told before anything is decoded', () => {
    fs.mkdirSync(at('place'));
    expect(run(['report', 'missing.mp4', '--out', 'place'])).toMatchObject({
      status: 1,
      stderr: "error: Expected a file for --out but received 'place'\n",
    });
  });
});

describe('stdout that takes no more', () => {
  // Preloaded: as if a disk had filled up under a file.
  const failing = (code: string): string =>
    `process.stdout._write = (_, __, done) => done(Object.assign(new Error('${code}: no'), { code: '${code}' }));`;

  test.each([
    ['ENOSPC', 1, 'error: Could not write to stdout: ENOSPC\n'],
    ['EIO', 1, 'error: Could not write to stdout: EIO\n'],
    ['EPIPE', 141, ''],
  ])('%s', (code, status, stderr) => {
    fs.writeFileSync(at('failing.cjs'), failing(code));
    const main = path.join(repoRoot, 'packages', 'cli', 'dist', 'main.js');
    for (const args of [
      ['probe', clip],
      ['probe', clip, '--json'],
      ['frames', clip, '--out', 'out', '--frames', '1'],
    ]) {
      const ran = spawnSync(process.execPath, ['-r', at('failing.cjs'), main, ...args], {
        ...{ cwd: folder, encoding: 'utf8' },
      });
      expect({ args, status: ran.status, stderr: ran.stderr }).toEqual({ args, status, stderr });
    }
  });
});

describe('commands', () => {
  /** As --help lists them. */
  const listed = (): string[] => {
    const { stdout } = run(['--help']);
    const [, part = ''] = stdout.split(/^Commands:\n/m);
    return [...part.matchAll(/^ {2}([a-z]+) /gm)].map(([, name = '']) => name);
  };

  test('are one list: in --help, in the error, on the page', () => {
    const names = listed().filter((name) => name !== 'help');
    expect(names).toContain('drain');
    const { stderr } = run(['frmaes', clip]);
    expect(stderr).toBe(
      `error: Expected a command (${names.join(', ')}) or a video but received 'frmaes'\n`,
    );
    const page = fs.readFileSync(path.join(repoRoot, 'docs', 'cli.md'), 'utf8');
    const [, table = ''] = page.split('| command | does |\n');
    const rows = table.slice(0, table.indexOf('\n\n')).split('\n').slice(1);
    const onPage = rows.flatMap((row) =>
      [...(row.split(' | ')[0] ?? '').matchAll(/`([a-z]+)/g)].map(([, name]) => name),
    );
    expect(onPage.sort()).toEqual([...names].sort());
  });

  test('a flag before the command', () => {
    expect(run(['--json', 'probe', clip])).toMatchObject({
      status: 1,
      stderr: "error: Expected command 'probe' before all flags but received it behind one\n",
    });
    const { status, stderr } = run(['--format', 'png', 'frames', clip, '--out', 'out']);
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(
        /unknown option '--format'\n\(a command stands before all flags: .* frames --format \.\.\.\)\n/,
      ),
    ]);
  });

  test.each([[[]], [['inspect']], [['probe']], [['report', '--json']]])(
    'no video: %j points to --help',
    (args) => {
      expect(run(args)).toMatchObject({
        status: 1,
        stderr: "error: missing required argument 'video'\n(--help lists every option)\n",
      });
    },
  );

  test('--quality without JPEG', () => {
    for (const format of [[], ['--format', 'png']]) {
      expect(run(['frames', clip, '--out', 'out', ...format, '--quality', '50'])).toMatchObject({
        status: 1,
        stderr: 'error: Expected --format jpeg beside --quality but received --format png\n',
      });
    }
    expect(fs.readdirSync(folder)).toEqual([]);
    const good = ['--format', 'jpeg', '--quality', '50', '--frames', '1'];
    expect(run(['frames', clip, '--out', 'out', ...good])).toMatchObject({ status: 0 });
  });

  test('one is not said as many', () => {
    const { stdout } = run(['frames', clip, '--out', 'out', '--frames', '1']);
    expect(stdout).toMatch(/ 1 frame in out\/\n/);
    fs.writeFileSync(at('input.json'), JSON.stringify(SMALL_INPUT));
    const ran = run(['extract', clip, '--input', 'input.json', '--out', 'set']);
    expect(ran.stdout).toMatch(/ 1 in 1 shard, /);
    expect(run(['merge', 'set']).stdout).toMatch(/ 1 in 1 shard, /);
  });
});

test('probe --json has an entry for each video, whatever is wrong with it', () => {
  fs.writeFileSync(at('text.mp4'), 'no video');
  fs.writeFileSync(at('empty.mp4'), '');
  fs.mkdirSync(at('folder.mp4'));
  expect(spawnSync('mkfifo', [at('pipe.mp4')]).status).toBe(0);
  fs.symlinkSync('loop.mp4', at('loop.mp4'));
  fs.writeFileSync(at('cut.mp4'), fs.readFileSync(clip).subarray(0, 100));
  fs.writeFileSync(at('secret.mp4'), fs.readFileSync(clip), { mode: 0 });
  const bad = ['missing', 'text', 'empty', 'folder', 'pipe', 'loop', 'cut'];
  // Nothing is unreadable to root.
  if (process.getuid?.() !== 0) bad.push('secret');
  const names = [...bad.map((name) => `${name}.mp4`), 'x'.repeat(300), 'file:///%00'];
  const { status, stdout } = run(['probe', clip, ...names, clip, '--json']);
  expect(status).toBe(1);
  const error = {
    code: expect.stringMatching(/^ERR_CPS_/) as string,
    message: expect.any(String) as string,
  };
  const good = expect.objectContaining({ video: clip, codec: 'h264' }) as object;
  expect(JSON.parse(stdout)).toEqual([good, ...names.map((video) => ({ video, error })), good]);
});

describe('extract', () => {
  beforeEach(() => {
    fs.mkdirSync(at('videos'));
    fs.symlinkSync(clip, at('videos', 'a.mp4'));
    fs.writeFileSync(at('input.json'), JSON.stringify(SMALL_INPUT));
    fs.writeFileSync(at('same.json'), JSON.stringify(SMALL_INPUT));
  });
  const extract = (what: string | readonly string[], ...more: string[]): Ran =>
    run(['extract', ...[what].flat(), '--input', 'input.json', '--out', 'out', ...more]);

  test('what is not there is told before anything is written, and the right command follows', () => {
    fs.mkdirSync(at('none'));
    fs.writeFileSync(at('empty.txt'), '\n');
    for (const [what, message] of [
      [['vidz/'], /^error: Expected videos, folders or lists but there is no 'vidz\/'\n$/],
      [['videos/', 'vidz'], /there is no 'vidz'/],
      [['b.mp4'], /there is no 'b\.mp4'/],
      [['none/'], /Expected videos in '.*none\/?' but found none/],
      [['empty.txt'], /the list is empty/],
      [['lost.csv'], /Expected a list for 'lost\.csv' but there is no such file/],
    ] as const) {
      expect(extract(what)).toMatchObject({
        ...{ status: 1, stdout: '' },
        stderr: expect.stringMatching(message) as string,
      });
      expect(fs.existsSync(at('out'))).toBe(false);
    }
    expect(extract('videos/')).toMatchObject({ status: 0, stderr: '' });
  });

  test('a video below --root, and one by its URL', () => {
    expect(extract('a.mp4', '--root', 'videos')).toMatchObject({ status: 0, stderr: '' });
    const url = `file://${at('videos', 'a.mp4')}`;
    expect(extract(url, '--out', 'second')).toMatchObject({ status: 0, stderr: '' });
  });

  test('another --input is named, and the same under another name is none', () => {
    expect(extract('videos/').status).toBe(0);
    const { status, stderr } = extract('videos/', '--input', 'clip');
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(
        /^error: Expected the settings that 'out' was begun with but --input was "input\.json" and is "clip" now; take/,
      ),
    ]);
    expect(extract('videos/', '--input', 'same.json')).toMatchObject({ status: 0, stderr: '' });
    const patches = run([
      'extract',
      'videos/',
      '--patches',
      ...SMALL,
      '--dtype',
      'fp16',
      '--out',
      'out',
    ]);
    expect(patches.stderr).toMatch(/--input was "input\.json" and is not given now/);
  });
});
