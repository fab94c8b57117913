/** The commands beside `inspect`, and how all of them behave at a terminal. */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { PNG } from 'pngjs';
import { decodeOnly, describeOptions, patchStream } from '../../src/index.js';
import { fixturePath, repoRoot } from '../helpers/fixtures.js';

const main = path.join(repoRoot, 'packages', 'cli', 'dist', 'main.js');
const clip = fixturePath('h264_bpyramid.mp4'); // 100 frames of 320x240 at 25 fps
let folder: string;

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-commands-'));
});
afterAll(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function command(args: readonly string[], options: object = {}): Ran {
  const settings = { encoding: 'utf8', cwd: folder, maxBuffer: 64 << 20, ...options } as const;
  return spawnSync(process.execPath, [main, ...args], settings);
}

const isWhole = (file: string): boolean => PNG.sync.read(fs.readFileSync(file)).width > 0;

describe('probe', () => {
  test('says what videos are, goes on after one that fails, and ends with 1 then', () => {
    const turned = fixturePath('rot90.mp4');
    const { status, stdout, stderr } = command(['probe', clip, 'missing.mp4', turned, '--json']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^ERR_CPS_NOT_FOUND: .*missing\.mp4/);
    const [first, second, third] = JSON.parse(stdout) as Record<string, unknown>[];
    const size = { width: 320, height: 240, totalFrames: 100, fps: 25, durationSec: 4 };
    expect(first).toMatchObject({ video: clip, codec: 'h264', rotation: 0, ...size });
    expect(second).toMatchObject({ video: 'missing.mp4', error: { code: 'ERR_CPS_NOT_FOUND' } });
    expect(third?.['rotation']).toBe(90);
  });

  test('as a table, of a file and of stdin', () => {
    const { status, stdout } = command(['probe', clip, '-'], { input: fs.readFileSync(clip) });
    expect(status).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/video +codec +container +size +frames +fps/);
    for (const line of lines.slice(1))
      expect(line).toMatch(/h264 +mov +320x240 +100 +25\.000 +4\.000/);
    expect(lines[2]).toMatch(/^ *<stdin>/);
  });
});

describe('frames', () => {
  test('writes the frames of the rule, each the pixels that decodeOnly gives', async () => {
    const out = path.join(folder, 'frames');
    const sample = 'indices=[7, 99, 7]';
    const { status, stdout } = command([
      'frames',
      clip,
      '--sample',
      sample,
      '--out',
      out,
      '--json',
    ]);
    expect(status).toBe(0);
    const [answer] = JSON.parse(stdout) as { files: { file: string; frameId: number }[] }[];
    const files = answer?.files ?? [];
    expect(files.map(({ frameId }) => frameId)).toEqual([7, 99, 7]);
    expect(fs.readdirSync(out).sort()).toEqual(files.map(({ file }) => file).sort());
    using frames = await decodeOnly({ videoPath: clip, sample: { indices: [7, 99, 7] } });
    for (const [i, { file }] of files.entries()) {
      const { width, height, data } = PNG.sync.read(fs.readFileSync(path.join(out, file)));
      expect([width, height]).toEqual([320, 240]);
      const rgb = Buffer.from(data.filter((_, at) => at % 4 !== 3));
      expect(rgb.equals(Buffer.from(await frames.frame(i).toHost()))).toBe(true);
    }
  });

  test('--all writes every frame once; each of several videos has its folder', () => {
    const out = path.join(folder, 'all');
    const size = ['--width', '64', '--height', '48', '--format', 'jpeg', '--quality', '50'];
    expect(command(['frames', clip, clip, '--all', '--out', out, ...size]).status).toBe(0);
    expect(fs.readdirSync(out).sort()).toEqual(['h264_bpyramid', 'h264_bpyramid-2']);
    const names = fs.readdirSync(path.join(out, 'h264_bpyramid')).sort();
    const expected = Array.from({ length: 100 }, (_, i) => String(i));
    expect(names).toEqual(
      expected.map((i) => `frame_${i.padStart(3, '0')}_id${i.padStart(6, '0')}.jpg`),
    );
    const bytes = fs.readFileSync(path.join(out, 'h264_bpyramid', names[0] ?? ''));
    expect(bytes.subarray(0, 3)).toEqual(Buffer.from([0xff, 0xd8, 0xff]));
  });

  test('--all with --size takes windows by the size of the pictures that are written', () => {
    const small = fixturePath('small.mp4'); // 50 frames of 48x34
    const out = path.join(folder, 'enlarged');
    // 311 MB for all of them; a window has 10 frames, and the next one is decoded beside it.
    const size = ['--size', 'exact=[1080,1920]', '--max-memory-bytes', String(160e6)];
    const format = ['--format', 'jpeg', '--quality', '1'];
    const { status, stderr } = command([
      'frames',
      small,
      '--all',
      '--out',
      out,
      ...size,
      ...format,
    ]);
    expect([status, stderr]).toEqual([0, '']);
    expect(fs.readdirSync(out)).toHaveLength(50);
  });
});

describe('report', () => {
  let page: string;
  const name = 'a <script>b.mp4';

  beforeAll(() => {
    fs.symlinkSync(clip, path.join(folder, name));
    const args = ['report', name, clip, '--frames', '5', '--topk', '400', '--out', 'r.html'];
    const { status, stdout } = command(args);
    expect([status, stdout]).toEqual([0, 'r.html\n']);
    page = fs.readFileSync(path.join(folder, 'r.html'), 'utf8');
  });

  test('needs no other file and says what patchStream gives', async () => {
    const [, data = ''] = /<script id="data"[^>]*>([^]*?)<\/script>/.exec(page) ?? [];
    expect(data).not.toContain('<');
    expect(page.replace(data, '')).not.toMatch(/https?:|\bsrc=|\bhref=|@import|url\(/);
    const reports = JSON.parse(data) as {
      video: string;
      scores: string;
      selected: string;
      pictures: string[];
      options: { name: string; value: string; given: boolean }[];
    }[];
    expect(reports.map(({ video }) => video)).toEqual([name, clip]);
    const [first] = reports;
    using stream = await patchStream({ videoPath: clip, sequenceLength: 5, kKeep: 400 });
    const scores = Buffer.from(first?.scores ?? '', 'base64');
    const { buffer, byteOffset, byteLength } = await stream.frameScores.toFloat32();
    expect(scores.equals(Buffer.from(buffer, byteOffset, byteLength))).toBe(true);
    const chosen = [...Buffer.from(first?.selected ?? '', 'base64').entries()];
    const indices = chosen.filter(([, on]) => on === 1).map(([index]) => index);
    expect(indices).toEqual(stream.metadata.map(({ patchLinearIdx }) => patchLinearIdx));
    expect(first?.pictures).toHaveLength(5);
    const given = first?.options.filter((option) => option.given);
    expect(given?.map(({ name, value }) => [name, value])).toEqual([
      ['sequenceLength', '5'],
      ['kKeep', '400'],
    ]);
  });

  const browser = ['chromium', 'google-chrome', 'chromium-browser']
    .map((one) => spawnSync('sh', ['-c', `command -v ${one}`], { encoding: 'utf8' }).stdout.trim())
    .find((found) => found !== '');

  // Where there is a browser: .ci/run installs none.
  (browser === undefined ? test.skip : test)(
    'works in a browser: shows, moves, changes videos',
    () => {
      const clicks = `<script>
      const said = [];
      const note = () => said.push(document.getElementById('now').textContent);
      addEventListener('error', (event) => said.push('error ' + event.message));
      setTimeout(() => {
        note();
        const time = document.getElementById('time');
        time.value = 3;
        time.dispatchEvent(new Event('input'));
        note();
        document.querySelectorAll('#sheet button')[1].click();
        note();
        document.getElementById('frames').tBodies[0].rows[4].click();
        note();
        const video = document.getElementById('video');
        video.value = 1;
        video.dispatchEvent(new Event('change'));
        said.push(document.getElementById('title').textContent);
        const view = document.getElementById('view');
        const pixels = view.getContext('2d').getImageData(0, 0, view.width, view.height).data;
        said.push(pixels.some((value, i) => i % 4 !== 3 && value > 100));
        document.body.replaceChildren(Object.assign(document.createElement('pre'), { textContent: 'SAID' + JSON.stringify(said) }));
      }, 500);
    </script></body>`;
      const file = path.join(folder, 'clicked.html');
      fs.writeFileSync(
        file,
        page.replace('</body>', () => clicks),
      );
      const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--virtual-time-budget=4000'];
      const home = `--user-data-dir=${path.join(folder, 'browser')}`;
      const { stdout } = spawnSync(
        browser ?? '',
        [...flags, home, '--dump-dom', `file://${file}`],
        {
          encoding: 'utf8',
          maxBuffer: 64 << 20,
        },
      );
      const [, said = ''] = /SAID(\[[^]*?\])<\/pre>/.exec(stdout) ?? [];
      expect(JSON.parse(said)).toEqual([
        expect.stringMatching(/^1 of 5: frame 0, .*key frame/),
        expect.stringMatching(/^4 of 5: frame 74,/),
        expect.stringMatching(/^2 of 5: frame 24,/),
        expect.stringMatching(/^5 of 5: frame 99,/),
        clip,
        true,
      ]);
    },
  );
});

describe('at a terminal', () => {
  test('every option of the API is a flag, and --help names it', () => {
    for (const [name, api] of [
      ['inspect', 'patchStream'],
      ['report', 'patchStream'],
      ['frames', 'decodeOnly'],
    ] as const) {
      const { stdout } = command([name, '--help']);
      const own = ['videoPath', 'signal', 'prefetchDepth'];
      const pixels = name === 'frames' ? ['outputDtype', 'layout', 'normalize'] : [];
      for (const option of describeOptions(api)) {
        if ([...own, ...pixels].includes(option.name)) continue;
        const flag = option.name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
        expect([name, flag, stdout.includes(`  --${flag} `)]).toEqual([name, flag, true]);
      }
    }
  });

  test('--version', () => {
    const { status, stdout } = command(['--version']);
    expect([status, stdout]).toEqual([0, expect.stringMatching(/^codec-patch-stream-cli \d+\./)]);
    expect(stdout).toMatch(/^codec-patch-stream \d+\..*\n(.*\n)?.*libavcodec/m);
  });

  test('folders that are files are told, without a stack, before anything is decoded', () => {
    fs.writeFileSync(path.join(folder, 'file'), '');
    for (const args of [
      ['missing.mp4', '--out-dir', 'file'],
      ['missing.mp4', '--out-dir', 'file/below'],
      ['frames', 'missing.mp4', '--out', 'file'],
      ['report', 'missing.mp4', '--out', 'file/r.html'],
    ]) {
      const { status, stderr } = command(args);
      const [line, ...rest] = stderr.trimEnd().split('\n');
      expect(line).toMatch(/^error: Expected a folder .* for --out(-dir)? but received 'file/);
      expect([status, rest]).toEqual([1, []]);
    }
  });

  // Node's own recursive mkdir never returns there.
  test('a folder that no file system lets be made', () => {
    for (const place of ['/proc/none', '/proc/none/below']) {
      const args = ['frames', clip, '--frames', '2', '--out', place];
      const { status, stderr } = command(args, { timeout: 20_000 });
      expect(stderr).toBe(
        `error: Expected a folder that can be written to for --out but received '${place}': ENOENT\n`,
      );
      expect(status).toBe(1);
    }
  });

  test('a run that fails leaves no folder behind', () => {
    command(['missing.mp4', '--out-dir', 'new/deeper']);
    expect(fs.existsSync(path.join(folder, 'new'))).toBe(false);
  });

  test('colours by FORCE_COLOR and NO_COLOR', () => {
    const errorOf = (env: object): string =>
      command(['missing.mp4'], { env: { ...process.env, ...env } }).stderr;
    expect(errorOf({ FORCE_COLOR: '1', NO_COLOR: '' })).toContain('\x1b[');
    expect(errorOf({ FORCE_COLOR: '1', NO_COLOR: '1' })).not.toContain('\x1b[');
  });

  test('a reader that goes away ends it without a word', async () => {
    const child = spawn(process.execPath, [main, 'probe', clip], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    const stderr: Buffer[] = [];
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    const [status] = (await once(child, 'close')) as [number | null];
    expect([status, Buffer.concat(stderr).toString()]).toEqual([141, '']);
  });

  /** Interrupts the command when `ready` says so; what is left of its files is whole. */
  async function interrupted(
    args: readonly string[],
    out: string,
    ready: (child: ChildProcess) => Promise<void>,
  ) {
    const child = spawn(process.execPath, [main, ...args], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, CODEC_DECODE_PROFILE: '1' },
    });
    const closed = once(child, 'close') as Promise<[number | null, string | null]>;
    await ready(child);
    child.kill('SIGINT');
    const [status, signal] = await closed;
    // Before the program has started, the signal is Node's own.
    expect(status ?? signal).toBe(signal === null ? 130 : 'SIGINT');
    const names = fs.existsSync(out) ? fs.readdirSync(out) : [];
    expect(names.filter((name) => !/\.(png|json|html)$/.test(name))).toEqual([]);
    for (const name of names)
      if (name.endsWith('.png')) expect(isWhole(path.join(out, name))).toBe(true);
    return names;
  }

  test('SIGINT ends it with 130, whenever it comes', async () => {
    const many = ['--frames', '60'];
    const out = (name: string): string => path.join(folder, name);
    const pictures = (place: string) => async (): Promise<void> => {
      fs.mkdirSync(place);
      const watcher = fs.watch(place);
      await once(watcher, 'change');
      watcher.close();
    };
    const spawned = async (child: ChildProcess): Promise<void> => {
      await once(child, 'spawn');
    };
    const firstCall = async (child: ChildProcess): Promise<void> => {
      await once(child.stderr ?? child, 'data');
    };
    const args = [clip, ...many, '--out-dir'];
    await interrupted([...args, out('at-start')], out('at-start'), spawned);
    await interrupted([...args, out('display')], out('display'), firstCall);
    const drawn = await interrupted(
      [...args, out('drawing')],
      out('drawing'),
      pictures(out('drawing')),
    );
    expect(drawn.length).toBeLessThan(122);
    const all = ['frames', clip, '--all', '--out', out('writing')];
    const written = await interrupted(all, out('writing'), pictures(out('writing')));
    expect(written.length).toBeLessThan(100);
    fs.mkdirSync(out('page'));
    const report = ['report', clip, ...many, '--out', path.join(out('page'), 'r.html')];
    expect(await interrupted(report, out('page'), firstCall)).toEqual([]);
  });
});
