/** What extract writes, read by the formats' own descriptions; and the command that writes it. */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { repoRoot } from './fixtures.js';

const main = path.join(repoRoot, 'packages', 'cli', 'dist', 'main.js');

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function cli(args: readonly string[], options: object = {}): Ran {
  const settings = { encoding: 'utf8', maxBuffer: 64 << 20, ...options } as const;
  return spawnSync(process.execPath, [main, ...args], settings);
}

export function startCli(args: readonly string[], options: object = {}): ChildProcess {
  return spawn(process.execPath, [main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
  });
}

/** The command beside what runs in this process: a server for it, for example. */
export async function cliBeside(args: readonly string[], options: object = {}): Promise<Ran> {
  const child = startCli(args, options);
  let [stdout, stderr] = ['', ''];
  child.stdout?.on('data', (text: Buffer) => (stdout += text.toString()));
  child.stderr?.on('data', (text: Buffer) => (stderr += text.toString()));
  const status = await new Promise<number | null>((ended) => child.on('close', ended));
  return { status, stdout, stderr };
}

export interface TarFile {
  readonly name: string;
  readonly data: Buffer;
}

const text = (bytes: Buffer): string => bytes.toString('latin1').replace(/\0[^]*$/, '');

/** Files of a POSIX ustar archive, in order; refuses whatever is not the same on every run. */
export function readTar(file: string): TarFile[] {
  const bytes = fs.readFileSync(file);
  const files: TarFile[] = [];
  let at = 0;
  for (;;) {
    const head = bytes.subarray(at, at + 512);
    if (head.every((byte) => byte === 0)) break;
    const octal = (from: number, length: number): number =>
      parseInt(text(head.subarray(from, from + length)).trim(), 8);
    const sum = head.reduce((all, byte, i) => all + (i >= 148 && i < 156 ? 32 : byte), 0);
    expect(octal(148, 8)).toBe(sum);
    expect([octal(100, 8), octal(108, 8), octal(116, 8), octal(136, 12)]).toEqual([0o644, 0, 0, 0]);
    expect([text(head.subarray(257, 263)), text(head.subarray(156, 157))]).toEqual(['ustar', '0']);
    expect([text(head.subarray(265, 297)), text(head.subarray(345, 500))]).toEqual(['', '']);
    const size = octal(124, 12);
    files.push({
      name: text(head.subarray(0, 100)),
      data: bytes.subarray(at + 512, at + 512 + size),
    });
    at += 512 + Math.ceil(size / 512) * 512;
  }
  expect(bytes.subarray(at)).toEqual(Buffer.alloc(1024));
  return files;
}

export interface Npy {
  readonly descr: string;
  readonly shape: number[];
  readonly data: Buffer;
}

/** A .npy file of format 1.0. */
export function readNpy(bytes: Buffer): Npy {
  expect(bytes.toString('latin1', 0, 8)).toBe('\x93NUMPY\x01\x00');
  const length = bytes.readUInt16LE(8);
  expect((10 + length) % 64).toBe(0);
  const head = bytes.toString('latin1', 10, 10 + length);
  const [, descr = '', sides = ''] =
    /^\{'descr': '([^']+)', 'fortran_order': False, 'shape': \(([\d, ]*)\), \} *\n$/.exec(head) ??
    [];
  const shape = sides
    .split(',')
    .filter((side) => side.trim() !== '')
    .map(Number);
  return { descr, shape, data: bytes.subarray(10 + length) };
}

/** Samples of a shard: members by what comes behind the key. */
export function samplesOf(file: string): Map<string, Map<string, Buffer>> {
  const samples = new Map<string, Map<string, Buffer>>();
  for (const { name, data } of readTar(file)) {
    const dot = name.indexOf('.');
    const [key, field] = [name.slice(0, dot), name.slice(dot + 1)];
    if (!samples.has(key)) samples.set(key, new Map());
    samples.get(key)?.set(field, data);
  }
  return samples;
}

export interface Facts {
  readonly index: number;
  readonly path: string;
  readonly video: Readonly<Record<string, unknown>>;
}

export const factsOf = (sample: Map<string, Buffer> | undefined): Facts =>
  JSON.parse(sample?.get('json')?.toString() ?? '') as Facts;

export const manifestOf = (out: string): Record<string, unknown> =>
  JSON.parse(fs.readFileSync(path.join(out, 'manifest.json'), 'utf8')) as Record<string, unknown>;

/** SHA-256 of each file of a data set that people see, those in folders included, and of nothing else. */
export function digests(folder: string): Record<string, string> {
  const names = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const files = names.filter(
    (name) => !/^\.extract\b/.test(name) && fs.statSync(path.join(folder, name)).isFile(),
  );
  return Object.fromEntries(
    files.sort().map((name) => {
      const bytes = fs.readFileSync(path.join(folder, name));
      return [name, createHash('sha256').update(bytes).digest('hex')];
    }),
  );
}

/** Small, and with every kind of number. */
export const SMALL_INPUT = {
  sample: { count: 4, place: 'middles' },
  size: { exact: [32, 48] },
  normalize: 'imagenet',
  patch: { size: 16, frames: 2, merge: 1 },
  tensors: {
    pixel_values: { of: 'pixels', axes: 'n f c Y X' },
    grid: { of: 'grid' },
    positions: { of: 'positions', axes: 'n (t h w)', dtype: 'int32' },
    seen: { of: 'pixelMask', dtype: 'bool' },
    seconds: { of: 'secondsPerStep' },
  },
} as const;
