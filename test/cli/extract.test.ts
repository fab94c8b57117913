/** `extract`: what is in the shards, what lists say, what is refused. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { patchStream } from '../../src/index.js';
import { modelInputs } from '../../src/inputs/index.js';
import type { InputSpec } from '../../src/inputs/index.js';
import { fixturePath } from '../helpers/fixtures.js';
import {
  cli,
  cliBeside,
  digests,
  factsOf,
  manifestOf,
  readNpy,
  samplesOf,
  SMALL_INPUT,
} from '../helpers/extract.js';
import type { Ran } from '../helpers/extract.js';

const CLIPS = ['h264_bpyramid.mp4', 'small.mp4', 'h264_opengop.mp4', 'vfr.mp4', 'rot90.mp4'];
let folder: string;
let input: string;
const at = (...names: string[]): string => path.join(folder, ...names);
const extract = (...args: string[]): Ran => cli(['extract', ...args], { cwd: folder });

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-extract-'));
  fs.mkdirSync(at('clips', 'more'), { recursive: true });
  CLIPS.forEach((name, i) => {
    fs.symlinkSync(fixturePath(name), at('clips', i > 2 ? 'more' : '.', name));
  });
  fs.writeFileSync(at('clips', 'notes.md'), 'no video');
  input = at('input.json');
  fs.writeFileSync(input, JSON.stringify(SMALL_INPUT));
});
afterAll(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

describe('of an input', () => {
  let out: string;
  beforeAll(() => {
    out = at('of-input');
    const ran = extract('clips', '--input', input, '--out', out, '--shard-videos', '2');
    expect([ran.status, ran.stderr]).toEqual([0, '']);
    expect(ran.stdout).toMatch(/samples +5 in 3 shards/);
    expect(ran.stdout).toMatch(/complete: .*manifest\.json/);
  });

  test('a sample is what modelInputs gives, in the order of the paths', async () => {
    const names = fs.readdirSync(out).filter((name) => name !== '.extract');
    const shards = ['shard-000000.tar', 'shard-000001.tar', 'shard-000002.tar'];
    expect(names.sort()).toEqual(['manifest.json', ...shards]);
    const samples = shards.flatMap((name) => [...samplesOf(path.join(out, name))]);
    const paths = [
      'h264_bpyramid.mp4',
      'h264_opengop.mp4',
      'more/rot90.mp4',
      'more/vfr.mp4',
      'small.mp4',
    ];
    expect(samples.map(([key]) => key)).toEqual(paths.map((_, i) => `0000000${i}`));
    for (const [i, [, sample]] of samples.entries()) {
      const video = at('clips', paths[i] ?? '');
      using inputs = await modelInputs(video, SMALL_INPUT);
      const wanted = Object.keys(inputs.tensors).sort();
      expect([...sample.keys()]).toEqual([...wanted.map((name) => `${name}.npy`), 'json']);
      const types = { float32: '<f4', int32: '<i4', int64: '<i8', bool: '|b1' };
      for (const name of wanted) {
        const tensor = inputs.tensors[name];
        const { descr, shape, data } = readNpy(sample.get(`${name}.npy`) as Buffer);
        expect({ name, descr, shape }).toEqual({
          ...{ name, descr: types[tensor?.dtype as 'int32'], shape: tensor?.shape },
        });
        const { buffer, byteOffset, byteLength } = (await tensor?.toHost()) as Uint8Array;
        expect(data.equals(Buffer.from(buffer, byteOffset, byteLength))).toBe(true);
      }
      const [one] = inputs.videos;
      expect(factsOf(sample)).toEqual({
        ...{ index: i, path: paths[i] },
        video: {
          frames: one?.frames.map(({ id }) => id),
          seconds: one?.frames.map(({ seconds }) => seconds),
          stepSeconds: one?.steps.map(({ seconds }) => seconds),
          stepTokens: one?.steps.map(({ tokens }) => tokens),
          ...{ size: one?.size, grid: one?.grid, tokens: one?.tokens },
          notes: JSON.stringify(one?.notes),
        },
      });
    }
    // Readers that infer a type from one sample must find it in all: 0.0, not 0.
    const text = samples[0]?.[1].get('json')?.toString() ?? '';
    const [, seconds = ''] = /"seconds":\[([^\]]*)\]/.exec(text) ?? [];
    expect(seconds.split(',').every((one) => /^\d+\.\d+$/.test(one))).toBe(true);
  });

  test('the manifest says what is there', () => {
    const manifest = manifestOf(out);
    expect(manifest).toMatchObject({
      ...{ format: 'codec-patch-stream shards', formatVersion: 1, layout: 'webdataset' },
      ...{ members: 'npy', videos: 5, samples: 5, failures: [], shardVideos: 2 },
      recipe: { kind: 'input', input: SMALL_INPUT },
      tensors: {
        pixel_values: { dtype: 'float32', shape: [1, 4, 3, 32, 48] },
        grid: { dtype: 'int64', shape: [1, 3] },
      },
    });
    const shards = manifest['shards'] as {
      file: string;
      samples: number;
      bytes: number;
      sha256: string;
    }[];
    expect(shards.map(({ samples }) => samples)).toEqual([2, 2, 1]);
    for (const { file, bytes, sha256 } of shards) {
      const data = fs.readFileSync(path.join(out, file));
      expect([bytes, sha256]).toEqual([
        data.length,
        createHash('sha256').update(data).digest('hex'),
      ]);
    }
    expect(Object.keys(manifest['versions'] as object)).toEqual(
      expect.arrayContaining(['codec-patch-stream', 'codec-patch-stream-cli', 'FFmpeg']),
    );
  });

  test('the same bytes with other numbers of jobs and threads, and from a list in place of the folder', () => {
    const jobs = (n: string): string => {
      const other = at(`jobs-${n}`);
      const how = ['--jobs', n, '--threads', n, '--decode-threads', n];
      const ran = extract('clips', '--input', input, '--out', other, '--shard-videos', '2', ...how);
      expect([ran.status, ran.stderr]).toEqual([0, '']);
      return other;
    };
    const expected = digests(out);
    expect(digests(jobs('1'))).toEqual(expected);
    expect(digests(jobs('4'))).toEqual(expected);
    const lines = [
      'h264_bpyramid.mp4',
      'h264_opengop.mp4',
      'more/rot90.mp4',
      'more/vfr.mp4',
      'small.mp4',
    ];
    const piped = at('piped');
    const args = ['extract', '-', '--input', input, '--out', piped, '--shard-videos', '2'];
    const ran = cli([...args, '--root', 'clips'], { cwd: folder, input: lines.join('\n') });
    expect([ran.status, ran.stderr]).toEqual([0, '']);
    expect(digests(piped)).toEqual(expected);
  });

  test('a second run does nothing; a video that was replaced makes its shard anew', () => {
    const before = fs.statSync(path.join(out, 'shard-000000.tar')).ino;
    const again = (): Record<string, unknown>[] => {
      const args = ['clips', '--input', input, '--out', out, '--shard-videos', '2', '--json'];
      const { status, stdout } = extract(...args);
      expect(status).toBe(0);
      return stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    };
    const events = again();
    expect(events.map(({ event }) => event)).toEqual(['shard', 'shard', 'shard', 'finished']);
    // In whatever order: the shards are looked at side by side.
    expect(events).toContainEqual({ event: 'shard', shard: 0, samples: 2, reused: true });
    expect(fs.statSync(path.join(out, 'shard-000000.tar')).ino).toBe(before);
    const expected = digests(out);
    const replaced = at('clips', 'more', 'vfr.mp4');
    fs.rmSync(replaced);
    fs.copyFileSync(fixturePath('faststart.mp4'), replaced);
    const changed = again();
    const made = changed.filter(({ event, reused }) => event === 'shard' && reused === false);
    expect(made).toEqual([{ event: 'shard', shard: 1, samples: 2, reused: false }]);
    const now = digests(out);
    expect(now['shard-000001.tar']).not.toBe(expected['shard-000001.tar']);
    expect(now['shard-000000.tar']).toBe(expected['shard-000000.tar']);
    fs.rmSync(replaced);
    fs.symlinkSync(fixturePath('vfr.mp4'), replaced);
    again();
    expect(digests(out)).toEqual(expected);
  });

  test.each([
    [['--input', 'videomae'], /--input was/],
    [
      ['--input', 'INPUT', '--members', 'safetensors'],
      /--members was "npy" and is "safetensors" now/,
    ],
    [['--input', 'INPUT', '--shard-videos', '3'], /--shard-videos was 2 and is 3 now/],
    [['--input', 'INPUT', '--frames', '5'], /recipe\.input\.sample\.count was 4 and is 5 now/],
    [
      ['--input', 'INPUT', '--damaged', 'skip'],
      /decoding\.damaged was not given and is "skip" now/,
    ],
  ])('other settings %j for the same folder are an error that names them', (args, message) => {
    const named = args.map((arg) => (arg === 'INPUT' ? input : arg));
    const size = args.includes('--shard-videos') ? [] : ['--shard-videos', '2'];
    const { status, stderr } = extract('clips', '--out', out, ...size, ...named);
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/take another --out/);
  });

  test('another list for the same folder is an error that says where it differs', () => {
    const list = at('other.txt');
    const good = [
      'h264_bpyramid.mp4',
      'h264_opengop.mp4',
      'more/rot90.mp4',
      'more/vfr.mp4',
      'small.mp4',
    ];
    const run = (lines: string[]): string => {
      fs.writeFileSync(list, lines.join('\n'));
      const args = [list, '--root', 'clips', '--input', input, '--out', out, '--shard-videos', '2'];
      const { status, stderr } = extract(...args);
      expect(status).toBe(1);
      return stderr;
    };
    expect(run(good.map((name, i) => (i === 3 ? 'small.mp4' : name)))).toMatch(
      /another one among videos 2 to 3/,
    );
    expect(run([...good, 'small.mp4'])).toMatch(
      /had 5 videos and has 6 now, and differs first among videos 4/,
    );
  });
});

test('bfloat16 in safetensors members, as safetensors describes itself', async () => {
  const out = at('bf16');
  const args = ['clips/small.mp4', '--input', input, '--dtype', 'bf16', '--out', out];
  const refused = extract(...args);
  expect(refused.status).toBe(1);
  expect(refused.stderr).toMatch(/Expected --members safetensors for bfloat16/);
  expect(fs.existsSync(out)).toBe(false);
  expect(extract(...args, '--members', 'safetensors').status).toBe(0);
  const [sample] = [...samplesOf(path.join(out, 'shard-000000.tar')).values()];
  expect([...(sample?.keys() ?? [])]).toEqual(['safetensors', 'json']);
  const bytes = sample?.get('safetensors') as Buffer;
  const length = Number(bytes.readBigUInt64LE());
  const head = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const own = structuredClone(SMALL_INPUT) as unknown as { tensors: Record<string, object> };
  own.tensors['pixel_values'] = { ...own.tensors['pixel_values'], dtype: 'bfloat16' };
  using inputs = await modelInputs(at('clips/small.mp4'), own as unknown as InputSpec);
  expect(Object.keys(head).sort()).toEqual(Object.keys(inputs.tensors).sort());
  expect(head['pixel_values']?.dtype).toBe('BF16');
  const ends = Object.values(head).map(({ data_offsets: [, end] }) => end);
  expect(8 + length + Math.max(...ends)).toBe(bytes.length);
  for (const [name, { shape, data_offsets }] of Object.entries(head)) {
    const tensor = inputs.tensors[name];
    expect(shape).toEqual(tensor?.shape);
    const { buffer, byteOffset, byteLength } = (await tensor?.toHost()) as Uint8Array;
    const [begin, end] = data_offsets.map((offset) => 8 + length + offset);
    const data = bytes.subarray(begin, end);
    expect(data.equals(Buffer.from(buffer, byteOffset, byteLength))).toBe(true);
  }
});

test('--patches are those of patchStream', async () => {
  const out = at('patches');
  const args = [
    '--patches',
    '--topk',
    '50',
    '--frames',
    '5',
    '--dtype',
    'fp16',
    '--layout',
    'nhwc',
  ];
  expect(extract('clips/more/vfr.mp4', ...args, '--out', out).status).toBe(0);
  const [sample] = [...samplesOf(path.join(out, 'shard-000000.tar')).values()];
  const config = { kKeep: 50, sequenceLength: 5, outputDtype: 'fp16', layout: 'nhwc' } as const;
  using stream = await patchStream({ ...config, videoPath: at('clips/more/vfr.mp4') });
  const tensors = {
    patches: stream.patches,
    positions: stream.positions,
    scores: stream.metadataTensors.scores,
  };
  for (const [name, tensor] of Object.entries(tensors)) {
    const { shape, data } = readNpy(sample?.get(`${name}.npy`) as Buffer);
    expect(shape).toEqual(tensor.shape);
    const { buffer, byteOffset, byteLength } = await tensor.toHost();
    expect(data.equals(Buffer.from(buffer, byteOffset, byteLength))).toBe(true);
  }
  expect(factsOf(sample).video).toMatchObject({
    ...{ frames: stream.sampledFrameIds, isI: stream.isI, tokens: 50 },
    seconds: [...stream.secondsFromStart],
  });
});

describe('videos that fail', () => {
  test('are reported once each; the others are there', () => {
    const out = at('failures');
    fs.copyFileSync(fixturePath('text.mp4'), at('text.mp4'));
    const list = ['clips/small.mp4', 'gone.mp4', 'text.mp4', 'clips/more/vfr.mp4'];
    const args = [...list, '--input', input, '--out', out, '--shard-videos', '2', '--json'];
    const { status, stdout } = extract(...args);
    expect(status).toBe(1);
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const failed = events.filter(({ event }) => event === 'failed');
    expect(failed).toHaveLength(2);
    const { failures, samples } = manifestOf(out) as { failures: object[]; samples: number };
    expect(samples).toBe(2);
    expect(failures).toEqual([
      {
        index: 1,
        path: 'gone.mp4',
        code: 'ERR_CPS_NOT_FOUND',
        message: expect.stringContaining('gone.mp4') as string,
      },
      {
        index: 2,
        path: 'text.mp4',
        code: 'ERR_CPS_NO_VIDEO',
        message: expect.stringContaining('text.mp4') as string,
      },
    ]);
    const lines = fs.readFileSync(path.join(out, 'failures.jsonl'), 'utf8').trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as object)).toEqual(failures);
    const keys = ['shard-000000.tar', 'shard-000001.tar'].flatMap((name) => [
      ...samplesOf(path.join(out, name)).keys(),
    ]);
    expect(keys).toEqual(['00000000', '00000003']);
    // So many are fine; told again, as they still are failures. One that is there now is taken.
    const again = extract(...args.slice(0, -1), '--max-failures', '2');
    expect([again.status, again.stderr]).toEqual([0, '']);
    fs.copyFileSync(fixturePath('small.mp4'), at('gone.mp4'));
    expect(extract(...args.slice(0, -1), '--max-failures', '1').status).toBe(0);
    expect(manifestOf(out)).toMatchObject({ samples: 3, failures: [{ index: 2 }] });
    fs.rmSync(at('gone.mp4'));
  });

  test('more of them than --max-failures end the run', () => {
    const list = ['a.mp4', 'b.mp4', 'c.mp4', 'clips/small.mp4'];
    const args = ['--input', input, '--out', at('most'), '--max-failures', '1', '--jobs', '1'];
    const { status, stderr } = extract(...list, ...args);
    expect(status).toBe(1);
    expect(stderr).toMatch(/at most 1 failed video \(--max-failures\)/);
    expect(fs.existsSync(at('most', 'manifest.json'))).toBe(false);
  });
});

test('random clips and crops are those of the video’s place, whatever runs beside it', () => {
  const spec = { ...SMALL_INPUT, sample: { clip: 4, start: 'random', seed: 3 } };
  fs.writeFileSync(at('random.json'), JSON.stringify(spec));
  const list = Array.from({ length: 6 }, () => 'clips/h264_bpyramid.mp4');
  const run = (out: string, jobs: string): string[] => {
    const ran = extract(...list, '--input', 'random.json', '--out', out, '--jobs', jobs);
    expect([ran.status, ran.stderr]).toEqual([0, '']);
    const samples = [...samplesOf(at(out, 'shard-000000.tar')).values()];
    return samples.map((sample) => JSON.stringify(factsOf(sample).video['frames']));
  };
  const frames = run('random-1', '1');
  expect(new Set(frames).size).toBeGreaterThan(3);
  expect(run('random-4', '4')).toEqual(frames);
});

describe('shares', () => {
  test('of three processes make the data set of one; merge says what is missing', () => {
    const one = at('one');
    const args = ['clips', '--input', input, '--shard-videos', '1'];
    expect(extract(...args, '--out', one).status).toBe(0);
    const out = at('three');
    const share = (env: object, ...more: string[]): Ran =>
      cli(['extract', ...args, '--out', out, ...more], {
        cwd: folder,
        env: { ...process.env, ...env },
      });
    const slurm = {
      SLURM_ARRAY_TASK_ID: '7',
      SLURM_ARRAY_TASK_MIN: '5',
      SLURM_ARRAY_TASK_COUNT: '3',
    };
    const ran = share(slurm, '--shard', 'auto');
    expect([ran.status, ran.stderr]).toEqual([0, '']);
    expect(ran.stdout).toMatch(/other shares are not finished/);
    const early = cli(['merge', out]);
    expect(early.status).toBe(1);
    expect(early.stderr).toMatch(/4 of 5 shards are not finished: 0-1, 3-4/);
    expect(share({}, '--shard', '0/3').status).toBe(0);
    const k8s = { JOB_COMPLETION_INDEX: '1', JOB_COMPLETIONS: '3' };
    expect(share(k8s, '--shard', 'auto').stdout).toMatch(/complete/);
    expect(digests(out)).toEqual(digests(one));
    const merged = cli(['merge', out, '--json']);
    expect(merged.status).toBe(0);
    expect(JSON.parse(merged.stdout)).toMatchObject({
      complete: true,
      missing: [],
      shards: 5,
      samples: 5,
    });
    expect(digests(out)).toEqual(digests(one));
    fs.truncateSync(path.join(out, 'shard-000003.tar'), 1000);
    expect(cli(['merge', out]).stderr).toMatch(/1 of 5 shards are not finished: 3/);
    expect(share({}, '--shard', '0/3').status).toBe(0);
    expect(digests(out)).toEqual(digests(one));
  });

  test('processes that do the same share at the same time', async () => {
    const out = at('same');
    const args = ['extract', 'clips', '--input', input, '--shard-videos', '2', '--out', out];
    const ran = await Promise.all([0, 1, 2].map(() => cliBeside(args, { cwd: folder })));
    expect(ran.map(({ status, stderr }) => [status, stderr])).toEqual(Array(3).fill([0, '']));
    expect(digests(out)).toEqual(digests(at('of-input')));
    expect(fs.readdirSync(path.join(out, '.extract')).sort()).toEqual([
      ...['settings.json', 'shard-000000.json', 'shard-000001.json', 'shard-000002.json'],
    ]);
  });
});

test('tar itself lists a shard', () => {
  const { status, stdout } = spawnSync('tar', ['-tvf', at('bf16', 'shard-000000.tar')], {
    encoding: 'utf8',
    env: { ...process.env, TZ: 'UTC' },
  });
  expect(status).toBe(0);
  expect(stdout.split('\n')[0]).toMatch(
    /^-rw-r--r-- 0\/0 +\d+ 1970-01-01 00:00 00000000\.safetensors$/,
  );
});
