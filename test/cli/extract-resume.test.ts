/** `extract` that is killed, interrupted, or runs out of disk: what it goes on to is what it would have been. */
import { spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fixturePath } from '../helpers/fixtures.js';
import { longForm } from '../helpers/long-form.js';
import { seeded } from '../helpers/random.js';
import { cli, digests, readTar, SMALL_INPUT, startCli } from '../helpers/extract.js';

const CLIPS = ['h264_bpyramid.mp4', 'vfr.mp4', 'h264_opengop.mp4', 'small.mp4', 'gone.mp4'];
const KILLS = longForm ? 20 : 4;

let folder: string;
let expected: Record<string, string>;
const at = (...names: string[]): string => path.join(folder, ...names);
/** 40 rows, some of them of videos that are not there. */
const argumentsFor = (out: string): string[] => [
  ...['extract', at('list.txt'), '--input', at('input.json'), '--out', out, '--jobs', '2'],
  ...['--shard-videos', '6', '--max-failures', '100', '--json'],
];

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-resume-'));
  for (const name of CLIPS.slice(0, -1)) fs.symlinkSync(fixturePath(name), at(name));
  const rows = Array.from({ length: 40 }, (_, i) => CLIPS[(i * 7) % CLIPS.length]);
  fs.writeFileSync(at('list.txt'), rows.join('\n'));
  fs.writeFileSync(at('input.json'), JSON.stringify(SMALL_INPUT));
  const ran = cli(argumentsFor(at('whole')));
  expect([ran.status, ran.stderr]).toEqual([0, '']);
  expected = digests(at('whole'));
  expect(Object.keys(expected)).toHaveLength(7 + 2);
});
afterAll(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

/** Waits until `count` videos were begun, or the process has ended. */
async function begun(child: ChildProcess, count: number): Promise<void> {
  let seen = 0;
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  for await (const line of lines) {
    if ((JSON.parse(line) as { event: string }).event === 'started' && ++seen === count) return;
  }
}

/** Whatever shard is visible is whole, and the right one. */
function checkVisible(out: string): void {
  const visible = fs.existsSync(out) ? digests(out) : {};
  for (const [name, digest] of Object.entries(visible)) {
    expect({ name, digest }).toEqual({ name, digest: expected[name] });
    if (name.endsWith('.tar')) readTar(path.join(out, name));
  }
}

function finish(out: string): void {
  const { status, stdout, stderr } = cli(argumentsFor(out));
  expect([status, stderr]).toEqual([0, '']);
  expect(digests(out)).toEqual(expected);
  // Each failure is told once, whichever run has met it.
  const failed = stdout.split('\n').filter((line) => line.includes('"event":"failed"'));
  expect(failed).toHaveLength(8);
  const state = fs.readdirSync(path.join(out, '.extract'));
  expect(state.filter((name) => !/^(settings|shard-\d{6})\.json$/.test(name))).toEqual([]);
}

test(`killed ${KILLS} times at random moments, the result is that of an undisturbed run`, async () => {
  const random = seeded('kills');
  const out = at('killed');
  for (let kills = 0; kills < KILLS;) {
    const child = startCli(argumentsFor(out));
    const ended = once(child, 'exit');
    // Some before anything has begun, most in mid-work.
    if (random() < 0.15) await wait(400 * random());
    else await begun(child, 1 + Math.floor(5 * random()));
    await wait(30 * random());
    child.kill('SIGKILL');
    const [, signal] = (await ended) as [number | null, string | null];
    checkVisible(out);
    if (signal === 'SIGKILL') kills++;
    // It was over before: begun anew, as there are kills left.
    else fs.rmSync(out, { recursive: true, force: true });
  }
  finish(out);
}, 300_000);

/** A run that is killed with pieces of an unfinished shard on the disk; gives their names. */
async function killedWithPieces(out: string): Promise<string[]> {
  for (;;) {
    const child = startCli(argumentsFor(out));
    const ended = once(child, 'exit');
    await begun(child, 5);
    child.kill('SIGKILL');
    await ended;
    const state = path.join(out, '.extract');
    const folders = fs.readdirSync(state).filter((name) => /^shard-\d+$/.test(name));
    const pieces = folders.flatMap((name) =>
      fs
        .readdirSync(path.join(state, name))
        .filter((piece) => !piece.endsWith('.part'))
        .map((piece) => path.join(state, name, piece)),
    );
    if (pieces.length > 0) return pieces;
    fs.rmSync(out, { recursive: true, force: true });
  }
}

test('what a power failure has left of files is not believed', async () => {
  const out = at('power');
  for (const piece of await killedWithPieces(out)) {
    // The name is there, the bytes are not: blocks of zeros, as file systems leave them.
    fs.writeFileSync(piece, Buffer.alloc(fs.statSync(piece).size));
  }
  for (const name of fs.readdirSync(path.join(out, '.extract'))) {
    if (/^shard-\d+\.json$/.test(name)) fs.truncateSync(path.join(out, '.extract', name), 10);
  }
  finish(out);
});

test('finished videos of an unfinished shard are not decoded again', async () => {
  const out = at('pieces');
  const pieces = await killedWithPieces(out);
  const kept = new Set(pieces.map((piece) => Number(path.basename(piece).split('.')[0])));
  const { stdout } = cli(argumentsFor(out));
  const events = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { event: string; index: number });
  const started = events.filter(({ event }) => event === 'started').map(({ index }) => index);
  expect(started.filter((index) => kept.has(index))).toEqual([]);
  expect(digests(out)).toEqual(expected);
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s ends it at once with %i, nothing half done', async (signal, status) => {
  const out = at(signal);
  const child = startCli(argumentsFor(out));
  const ended = once(child, 'exit');
  let stderr = '';
  child.stderr?.on('data', (text: Buffer) => (stderr += text.toString()));
  await begun(child, 4);
  child.kill(signal);
  expect(await ended).toEqual([status, null]);
  expect(stderr).toBe(
    `${signal}: stopped. What is finished is kept: the same command goes on from there.\n`,
  );
  checkVisible(out);
  expect(fs.existsSync(path.join(out, 'manifest.json'))).toBe(false);
  const left = fs
    .readdirSync(out, { recursive: true })
    .filter((name) => String(name).endsWith('.part'));
  expect(left).toEqual([]);
  finish(out);
});

describe('a full disk', () => {
  const disk = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-disk-'));
  const mount = (options: string): boolean =>
    spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', disk]).status === 0;
  const mounted = mount('size=1536k');
  afterAll(() => {
    if (mounted) spawnSync('umount', [disk]);
    fs.rmSync(disk, { recursive: true, force: true });
  });

  // A file system of one's own takes the right to mount: .ci/run has it, containers often have not.
  (mounted ? test : test.skip)('is a clear error; with room again the run goes on', () => {
    const out = path.join(disk, 'out');
    const { status, stderr } = cli(argumentsFor(out));
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^error: Could not write .*ENOSPC, the disk is full\. What is finished is kept/,
    );
    expect(stderr).not.toMatch(/\n\s+at /);
    checkVisible(out);
    expect(Object.keys(digests(out)).length).toBeGreaterThan(0);
    expect(mount('remount,size=64m')).toBe(true);
    finish(out);
  });
});
