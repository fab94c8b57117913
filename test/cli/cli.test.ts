/** The command as a user runs it: packages/cli in a process of its own. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { PNG } from 'pngjs';
import { fixturePath, repoRoot } from '../helpers/fixtures';

interface Summary {
  patches: number;
  grid: { t: number; h: number; w: number };
  targetSize: { width: number; height: number };
  frames: { frameId: number; selected: number; isI: boolean; maxScore: number }[];
  timings: Record<string, number>;
  peakRssMiB: number;
  files: { patches: string[]; energy: string[]; contactSheet: string; energySheet: string };
}

let folder: string;

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-cli-'));
});

afterAll(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

function command(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const main = path.join(repoRoot, 'packages', 'cli', 'dist', 'main.js');
  return spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', cwd: folder });
}

const readPng = (file: string): PNG => PNG.sync.read(fs.readFileSync(file));

/** Patches of a picture of one frame in which not every pixel is black. */
function litPatches(png: PNG, rows: number, columns: number): number {
  const lit = new Set<number>();
  for (let y = 0; y < png.height; y++) {
    for (let x = 0; x < png.width; x++) {
      const at = (y * png.width + x) * 4;
      if ((png.data[at] ?? 0) + (png.data[at + 1] ?? 0) + (png.data[at + 2] ?? 0) === 0) continue;
      const row = Math.floor((y * rows) / png.height);
      lit.add(row * columns + Math.floor((x * columns) / png.width));
    }
  }
  return lit.size;
}

test('pictures and summary agree', () => {
  const out = path.join(folder, 'viz');
  const args = ['--frames', '5', '--topk', '400', '--selection-unit', 'block2x2'];
  const { status, stdout, stderr } = command(
    ...[fixturePath('h264_bpyramid.mp4'), ...args, '--dtype', 'fp16', '--out-dir', out],
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toMatch(/selected\s+400 of \d+ patches/);

  const text = fs.readFileSync(path.join(out, 'summary.json'), 'utf8');
  const summary = JSON.parse(text) as Summary;
  const { t, h, w } = summary.grid;
  expect(t).toBe(5);
  expect(summary.patches).toBe(400);
  expect(summary.frames.map((f) => f.frameId)).toEqual([0, 24, 49, 74, 99]);
  expect(summary.frames.reduce((sum, f) => sum + f.selected, 0)).toBe(400);
  expect(summary.frames[0]?.maxScore).toBe(0);
  expect(summary.frames[1]?.maxScore).toBeGreaterThan(0);
  expect(summary.peakRssMiB).toBeGreaterThan(10);
  expect(Object.keys(summary.timings).length).toBeGreaterThan(0);

  // The scene is textured all over: a selected patch is never black, the others always are.
  const lit = summary.files.patches.map((name) => litPatches(readPng(path.join(out, name)), h, w));
  expect(lit).toEqual(summary.frames.map((f) => f.selected));
  const size = readPng(path.join(out, summary.files.patches[0] ?? ''));
  expect(size.width % summary.targetSize.width).toBe(0);
  for (const name of [...summary.files.energy, 'contact_sheet.png', 'energy_sheet.png']) {
    expect(readPng(path.join(out, name)).width).toBeGreaterThan(0);
  }
});

test('a second run into the same folder leaves no picture of the first', () => {
  const out = path.join(folder, 'again');
  command(fixturePath('h264_bpyramid.mp4'), '--frames', '6', '--out-dir', out);
  fs.writeFileSync(path.join(out, 'mine.png'), 'not ours');
  command(fixturePath('h264_bpyramid.mp4'), '--frames', '2', '--out-dir', out);
  const names = fs.readdirSync(out).filter((name) => name.endsWith('.png'));
  expect(names.filter((name) => name.includes('_patches'))).toHaveLength(2);
  expect(names).toContain('mine.png');
});

test('--json prints the summary and nothing else', () => {
  const out = path.join(folder, 'json');
  const { stdout } = command(
    ...[fixturePath('odd_444.mp4'), '--frames', '2', '--json', '--out-dir', out],
  );
  expect(stdout).toBe(fs.readFileSync(path.join(out, 'summary.json'), 'utf8'));
});

test.each([
  [[], 1, /missing required argument/],
  [['no/such/file.mp4'], 1, /ERR_CPS_NOT_FOUND.*no\/such\/file\.mp4/],
  [['x.mp4', '--frames', 'many'], 1, /--frames.*integer between 1 and/],
  [['x.mp4', '--backend', 'abacus'], 1, /Expected one of 'auto', 'gpu', 'cpu' for --backend/],
  [
    ['x.mp4', '--topk', '3', '--selection-unit', 'block2x2'],
    1,
    /--selection-unit is.* for --topk but/,
  ],
  [['x.mp4', '--kKeep', '0'], 1, /for --kKeep but received 0/],
  [['x.mp4', '--sample', 'count=3,plaice=ends'], 1, /for --sample\.plaice.*did you mean place/],
  [['x.mp4', '--sample', 'count=3', '--frames', '2'], 1, /beside --sample for --frames/],
  [['x.mp4', '--sample', '{count: 3'], 1, /--sample.*Expected JSON/],
  [['frames', 'x.mp4', '--width', '9', '--out', 'w'], 1, /for --height but received undefined/],
  [['frames', 'x.mp4', '--all', '--frames', '9', '--out', 'w'], 1, /--all without/],
  [['frames', 'x.mp4'], 1, /required option '--out/],
  [
    ['frmaes', 'x.mp4'],
    1,
    /Expected a command \(inspect, probe, .*\benqueue\b.*\) or a video but received 'frmaes'/,
  ],
  [['-', '-'], 1, /at most once/],
  [['-'], 1, /stdin for '-' but it is empty/],
])('%j ends with status %d and says why', (args, expected, message) => {
  const { status, stderr } = command(...args);
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/ {4}at /);
  expect(status).toBe(expected);
});
