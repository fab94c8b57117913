/** What the machine gives a process: threads, open files, and who shares them. */
import { spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { buildInfo, decodeOnly, nativeStats, setThreads, threads } from '../../src/index.js';
import { CodecPatchStreamError } from '../../src/index.js';
import { fixturePath, repoRoot } from '../helpers/fixtures.js';
import { longForm } from '../helpers/long-form.js';
import { expectNoNativeMemory } from '../helpers/native-memory.js';

const DIST = path.join(repoRoot, 'dist', 'src', 'index.js');
const CHILD = path.join(__dirname, '../helpers/machine-child.cjs');
const VIDEO = fixturePath('h264_bpyramid.mp4');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-machine-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
afterAll(() => expectNoNativeMemory());

describe('threads', () => {
  afterEach(() => setThreads(0));

  test('those that the process may use, or those that were asked for', () => {
    const machine = threads();
    expect(machine).toBeGreaterThanOrEqual(1);
    expect(machine).toBeLessThanOrEqual(os.availableParallelism());
    setThreads(machine + 3);
    expect(threads()).toBe(machine + 3);
    expect(buildInfo().threads).toBe(machine + 3);
    expect(nativeStats().threads).toBe(machine + 3);
    setThreads(0);
    expect(threads()).toBe(machine);
  });

  test('hold for the calls that follow', async () => {
    const decoders = async () => {
      const frames = await decodeOnly({ videoPath: VIDEO, sequenceLength: 32 });
      const used = frames.timings['decoderThreads'] ?? NaN;
      frames.close();
      return used;
    };
    setThreads(1);
    expect(await decoders()).toBe(1);
    setThreads(4);
    expect(await decoders()).toBeGreaterThan(1);
  });

  test.each([-1, 1.5, 1025, NaN, '4', undefined])('%p is refused', (count) => {
    const before = threads();
    expect(() => setThreads(count as number)).toThrow(CodecPatchStreamError);
    expect(() => setThreads(count as number)).toThrow('between 0 and 1024 for count but received');
    expect(threads()).toBe(before);
  });

  test('the affinity mask counts', () => {
    const script = `console.log(require(${JSON.stringify(DIST)}).threads())`;
    const [first] = fs
      .readFileSync('/proc/self/status', 'utf8')
      .match(/(?<=Cpus_allowed_list:\s*)\d+/) ?? ['0'];
    const child = spawnSync('taskset', ['-c', first, process.execPath, '-e', script]);
    expect(child.stdout.toString()).toBe('1\n');
  });
});

interface Answer {
  ids?: number[];
  code?: string;
  message?: string;
  node?: string;
}

/** A child's end. Node itself may hang where it lacks threads: it gets 8 s to say that it started. */
function childOf(command: readonly string[]): Promise<{
  stdout: string;
  stderr: string;
  status: number | null;
  signal: string | null;
}> {
  return new Promise((resolve) => {
    const child = spawn('env', command);
    let stdout = '';
    let stderr = '';
    const kill = () => child.kill('SIGKILL');
    let timer = setTimeout(kill, 8_000);
    child.stdout.on('data', (bytes: Buffer) => {
      stdout += bytes.toString();
      clearTimeout(timer);
      timer = setTimeout(kill, 60_000);
    });
    child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()));
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      resolve({ stdout, stderr, status, signal });
    });
  });
}

describe('a process that may not have what it wants', () => {
  // Limits on processes do not hold for root, and nobody else may become another user.
  const user =
    process.getuid?.() === 0 ? ['setpriv', '--reuid=12345', '--regid=12345', '--clear-groups'] : [];
  const video = path.join(folder, 'video.mp4');
  const child = path.join(folder, 'child.cjs');
  const library = path.join(folder, 'package');
  // That user cannot read a checkout below /root.
  beforeAll(() => {
    fs.copyFileSync(VIDEO, video);
    fs.copyFileSync(CHILD, child);
    for (const part of ['package.json', 'dist', 'build/Release/codec_patch_stream.node']) {
      fs.cpSync(path.join(repoRoot, part), path.join(library, part), { recursive: true });
    }
    spawnSync('chmod', ['-R', 'a+rX', folder]);
  });

  test.each(['main', 'worker'])('of threads, in the %s thread', async (mode) => {
    const codes = new Set<string>();
    for (const limit of [6, 7, 8, 9, 10, 11, 12, 14, 18]) {
      const command = [...user, 'prlimit', `--nproc=${limit}`, process.execPath, child];
      const ended = await childOf([
        ...command,
        path.join(library, 'dist/src/index.js'),
        video,
        mode,
      ]);
      const lines = ended.stdout.split('\n');
      const [started] = lines;
      const line = lines.find((l) => l.startsWith('{'));
      // Node ends the process where it cannot have the threads that it needs itself.
      if (started !== 'started' || (mode === 'worker' && line === undefined)) continue;
      const what = `--nproc=${limit}: ${line ?? ''} ${ended.stderr}`;
      expect(`${what} exit ${ended.status} ${ended.signal}`).toContain('exit 0 null');
      const answer = JSON.parse(line ?? '{}') as Answer;
      codes.add(answer.code ?? answer.node ?? 'worked');
      if (answer.ids) expect(answer.ids).toEqual([0, 33, 66, 99]);
      expect([undefined, 'ERR_CPS_LIMIT']).toContain(answer.code);
    }
    expect(codes).toContain('worked');
  });

  test('of open files', () => {
    const command = ['--nofile=64', process.execPath, CHILD, DIST, video, 'files'];
    const child = spawnSync('prlimit', command, { timeout: 60_000 });
    const line = child.stdout.toString().split('\n')[1] ?? '';
    const { without, after } = JSON.parse(line) as { without: Answer; after: Answer };
    expect(without.code).toBe('ERR_CPS_LIMIT');
    expect(without.message).toContain(video);
    expect(without.message).not.toMatch(/damaged|incomplete/);
    expect(after.ids).toEqual([0, 33, 66, 99]);
  });
});

// No timestamps: the index is made by decoding all of it.
function longVideo(name: string, times: number): string {
  const file = path.join(folder, name);
  const once = fs.readFileSync(fixturePath('raw.h264'));
  fs.writeFileSync(file, Buffer.concat(Array.from({ length: times }, () => once)));
  return file;
}

describe('while one call makes an index', () => {
  beforeAll(() => setThreads(2));
  afterAll(() => setThreads(0));
  const call = (videoPath: string, more: object = {}) =>
    decodeOnly({ videoPath, sequenceLength: 2, width: 16, height: 16, ...more });

  test('others that want it leave the threads to calls on other videos', async () => {
    const long = longVideo('long.h264', longForm ? 60 : 24);
    const order: string[] = [];
    const done = (name: string) => (frames: { close: () => void; totalFrames: number }) => {
      const { totalFrames } = frames;
      frames.close();
      order.push(name);
      return totalFrames;
    };
    const waiting = [1, 2, 3, 4].map((i) => call(long).then(done(`long ${i}`)));
    const other = call(VIDEO).then(done('other'));
    const counts = new Set(await Promise.all(waiting));
    await other;
    expect(order[0]).toBe('other');
    expect(counts.size).toBe(1);
  });

  test('an abort or a limit of time of one that wants it is heard at once', async () => {
    const long = longVideo('longer.h264', longForm ? 80 : 30);
    let built = false;
    const building = call(long).then((frames) => {
      built = true;
      frames.close();
    });
    const abort = new AbortController();
    const aborted = call(long, { signal: abort.signal }).catch((e: unknown) => e);
    const late = call(long, { timeoutMs: 150 }).catch((e: unknown) => e);
    await new Promise((resolve) => setTimeout(resolve, 50));
    abort.abort();
    expect(await aborted).toMatchObject({ name: 'AbortError' });
    expect(await late).toMatchObject({ code: 'ERR_CPS_TIMEOUT' });
    expect(built).toBe(false);
    await building;
  });

  test('if it fails, the next one builds', async () => {
    const long = longVideo('stopped.h264', longForm ? 40 : 16);
    const abort = new AbortController();
    const first = call(long, { signal: abort.signal }).catch((e: unknown) => e);
    const others = [1, 2, 3].map(() => call(long));
    await new Promise((resolve) => setTimeout(resolve, 50));
    abort.abort();
    expect(await first).toMatchObject({ name: 'AbortError' });
    for (const frames of await Promise.all(others)) frames.close();
  });
});
