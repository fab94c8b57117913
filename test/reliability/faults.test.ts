import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';
import { AbortError, CodecPatchStreamError, decodeOnly, patchStream } from '../../src/index.js';
import { fixturePath } from '../helpers/fixtures.js';
import { longForm } from '../helpers/long-form.js';
import { expectNoNativeMemory } from '../helpers/native-memory.js';
import { seeded } from '../helpers/random.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-faults-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
afterAll(() => expectNoNativeMemory());

/** What a call came to: a hash of everything it decoded, or the code of its error. */
async function outcome(videoPath: string | Uint8Array, options: object = {}): Promise<string> {
  const common = { videoPath, backend: 'cpu', ...options } as const;
  try {
    const stream = await patchStream({ sequenceLength: 7, kKeep: 96, ...common });
    const hash = createHash('sha1').update(JSON.stringify(stream.sampledFrameIds));
    hash.update(new Uint8Array(stream.patches.data.buffer as ArrayBuffer));
    hash.update(new Uint8Array(stream.metadataTensors.fields.data?.buffer as ArrayBuffer));
    stream.close();
    return hash.digest('hex');
  } catch (error) {
    if (error instanceof AbortError) return error.name;
    if (!(error instanceof CodecPatchStreamError)) throw error;
    const named = typeof videoPath === 'string' ? videoPath : `<memory, ${videoPath.length} bytes>`;
    if (error.stage !== 'options') expect(error.message).toContain(named);
    return error.code;
  }
}

const A = fs.readFileSync(fixturePath('h264_bpyramid.mp4'));
const B = fs.readFileSync(fixturePath('h264_long_gop.mp4'));
const HASH = /^[0-9a-f]{40}$/;

describe('a file that changes between two calls', () => {
  const video = path.join(folder, 'changes.mp4');
  let ofA = '';
  let ofB = '';
  beforeAll(async () => {
    [ofA, ofB] = [await outcome(A), await outcome(B)];
    expect([ofA, ofB]).toEqual([expect.stringMatching(HASH), expect.stringMatching(HASH)]);
    expect(ofA).not.toBe(ofB);
  });
  beforeEach(async () => {
    fs.writeFileSync(video, A);
    expect(await outcome(video)).toBe(ofA); // Its index is in the cache now.
  });

  test('written anew', async () => {
    fs.writeFileSync(video, B);
    expect(await outcome(video)).toBe(ofB);
  });

  test('replaced by another of the same modification time', async () => {
    const { atime, mtime } = fs.statSync(video);
    const other = path.join(folder, 'other.mp4');
    fs.writeFileSync(other, B);
    fs.utimesSync(other, atime, mtime);
    fs.renameSync(other, video);
    expect(await outcome(video)).toBe(ofB);
  });

  test('of the same size, with other content', async () => {
    // Bytes after the last box are no box: both files are the same video at the same size.
    const size = Math.max(A.length, B.length) + 8;
    const padded = (bytes: Buffer): Buffer => {
      const free = Buffer.alloc(size - bytes.length);
      free.writeUInt32BE(free.length, 0);
      free.write('free', 4);
      return Buffer.concat([bytes, free]);
    };
    fs.writeFileSync(video, padded(A));
    expect(await outcome(video)).toBe(ofA);
    await new Promise((resolve) => setTimeout(resolve, 20)); // The clock of modification times.
    fs.writeFileSync(video, padded(B));
    expect(fs.statSync(video).size).toBe(size);
    expect(await outcome(video)).toBe(ofB);
  });

  test('cut short, then whole again', async () => {
    fs.truncateSync(video, Math.floor(A.length / 2));
    expect(await outcome(video)).toMatch(/^ERR_CPS_(CORRUPT|NO_VIDEO)$/);
    fs.truncateSync(video, 0);
    expect(await outcome(video)).toBe('ERR_CPS_NO_VIDEO');
    fs.writeFileSync(video, A);
    expect(await outcome(video)).toBe(ofA);
  });

  test('deleted, then there again', async () => {
    fs.rmSync(video);
    expect(await outcome(video)).toBe('ERR_CPS_NOT_FOUND');
    fs.mkdirSync(video);
    expect(await outcome(video)).toBe('ERR_CPS_INVALID_ARGUMENT');
    fs.rmdirSync(video);
    fs.writeFileSync(video, B);
    expect(await outcome(video)).toBe(ofB);
  });
});

// The call sees the state before or the state after, whole, or says that it cannot.
describe('a file that changes in mid-call', () => {
  const long = { sequenceLength: 24 };
  const changes: Record<string, (video: string) => void> = {
    'is cut short': (video) => fs.truncateSync(video, Math.floor(B.length / 3)),
    'is overwritten by another video': (video) => fs.writeFileSync(video, A),
    'is overwritten in the middle': (video) => {
      const file = fs.openSync(video, 'r+');
      fs.writeSync(file, Buffer.alloc(4096, 0x5a), 0, 4096, Math.floor(B.length / 2));
      fs.closeSync(file);
    },
    'is replaced': (video) => {
      fs.writeFileSync(`${video}.new`, A);
      fs.renameSync(`${video}.new`, video);
    },
    'is deleted': (video) => fs.rmSync(video),
  };
  test.each(Object.keys(changes))('it %s', async (name) => {
    const before = await outcome(B, long);
    const after = await outcome(A, long);
    const random = seeded(name);
    const seen = new Set<string>();
    for (let round = 0; round < (longForm ? 16 : 10); round++) {
      const video = path.join(folder, `round-${round % 4}.mp4`);
      fs.writeFileSync(video, B);
      if (round % 2) expect(await outcome(video, long)).toBe(before); // Indexed already.
      const call = outcome(video, { ...long, decodeThreads: 1 });
      await new Promise((resolve) => setTimeout(resolve, random() * 25));
      changes[name]?.(video);
      const what = await call;
      seen.add(what);
      expect([before, after, 'ERR_CPS_CORRUPT', 'ERR_CPS_NO_VIDEO', 'ERR_CPS_NOT_FOUND']).toContain(
        what,
      );
      expect(await outcome(B, long)).toBe(before);
    }
    // What is renamed or deleted stays readable for whoever has it open. What is written to is two
    // states at once.
    const inPlace = /short|overwritten/.test(name);
    expect(seen).toContain(inPlace ? 'ERR_CPS_CORRUPT' : before);
  });
});

describe('a failing call does not affect the next one', () => {
  const good = [
    ...['h264_bpyramid.mp4', 'hevc.mp4', 'vp9.webm', 'mpeg4.avi'],
    ...['rgb_ffv1.mkv', 'gray_ffv1.mkv', 'h264_interlaced.ts', 'mjpeg.avi'],
  ].map((name) => () => outcome(fixturePath(name)));
  const cut = (name: string, share: number): Buffer => {
    const bytes = fs.readFileSync(fixturePath(name));
    return bytes.subarray(0, Math.floor(bytes.length * share));
  };
  const flipped = (name: string): Buffer => {
    const bytes = fs.readFileSync(fixturePath(name));
    for (let i = bytes.length >> 2; i < bytes.length; i += 997) bytes[i] = (bytes[i] ?? 0) ^ 0x55;
    return bytes;
  };
  const bytes = { cutTs: cut('h264_cut.ts', 0.7), cutHevc: cut('hevc.ts', 0.7) };
  const damaged = { h264: flipped('h264.ts'), hevc: flipped('hevc.ts'), vp9: flipped('vp9.webm') };
  const bad = [
    ...['noise.mp4', 'truncated.mp4', 'header_only.mp4', 'bitrot.mp4', 'no_moov.mp4'].map(
      (name) => () => outcome(fixturePath(name)),
    ),
    ...[...Object.values(bytes), ...Object.values(damaged)].map((video) => () => outcome(video)),
    () => outcome('/none.mp4'),
    () => outcome(fixturePath('hevc.mp4'), { maxFrames: 1 }),
    () => outcome(fixturePath('h264_long_gop.mp4'), { timeoutMs: 1, readerCacheSize: 0 }),
    () => outcome(fixturePath('hevc.mp4'), { signal: AbortSignal.timeout(3), readerCacheSize: 0 }),
    () => outcome(fixturePath('hevc.mp4'), { kKeep: -1 }),
  ];
  const calls = [...good, ...bad];
  // Whether it is in time is open for these two; everything else always comes to the same.
  const open = [calls.length - 3, calls.length - 2];
  const check = (before: string, now: string, which: number): void => {
    if (!open.includes(which)) expect([which, now]).toEqual([which, before]);
    else expect(now).toMatch(/^(ERR_CPS_TIMEOUT|AbortError|[0-9a-f]{40})$/);
  };
  const first: string[] = [];
  const again = async (which: number): Promise<string> => (await calls[which]?.()) ?? '';
  beforeAll(async () => {
    for (const call of calls) first.push(await call());
    for (const what of first.slice(0, good.length)) expect(what).toMatch(HASH);
    expect(first.filter((what) => what.startsWith('ERR_CPS_')).length).toBeGreaterThan(10);
  });

  test('every fault before every valid call, one after the other', async () => {
    for (let b = good.length; b < calls.length; b++) {
      for (let g = 0; g < good.length; g++) {
        if (!longForm && (b + g) % 3 !== 0) continue;
        for (const which of [b, g]) check(first[which] ?? '', await again(which), which);
      }
    }
  });

  test('in random orders, eight at once', async () => {
    const random = seeded('orders');
    for (let round = 0; round < 20; round++) {
      const picks = Array.from({ length: 8 }, () => Math.floor(random() * calls.length));
      const outcomes = await Promise.all(picks.map(again));
      picks.forEach((which, i) => check(first[which] ?? '', outcomes[i] ?? '', which));
    }
  });
});

describe('names and kinds of file', () => {
  test.each([
    'a b.mp4',
    'ü-視頻-🎬.mp4',
    '%d.mp4',
    '100%.mp4',
    'a#b.mp4',
    'a?b=c&d.mp4',
    '\'"\\.mp4',
  ])('%s, as a path and as a URL', async (name) => {
    const video = path.join(folder, name);
    fs.writeFileSync(video, A);
    for (const videoPath of [video, pathToFileURL(video)]) {
      const frames = await decodeOnly({ videoPath, backend: 'cpu', sequenceLength: 1 });
      expect(frames.totalFrames).toBe(100);
      frames.close();
    }
    fs.rmSync(video);
    const error = await decodeOnly({ videoPath: pathToFileURL(video) }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'ERR_CPS_NOT_FOUND' });
    expect((error as Error).message).toContain(video);
  });

  test('pipes, devices, sockets and loops are refused at once', async () => {
    const at = (name: string): string => path.join(folder, name);
    execFileSync('mkfifo', [at('pipe')]);
    fs.symlinkSync('loop', at('loop'));
    fs.symlinkSync('/dev/zero', at('zero'));
    const server = createServer().listen(at('socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    const kinds = ['pipe', 'loop', 'zero', 'socket'].map(at);
    for (const video of [...kinds, folder, '/dev/null', '/dev/zero', '/dev/tty', '/dev/stdin']) {
      const started = performance.now();
      expect([video, await outcome(video)]).toEqual([
        video,
        expect.stringMatching(/^ERR_CPS_(INVALID_ARGUMENT|NO_VIDEO)$/) as string,
      ]);
      expect(performance.now() - started).toBeLessThan(1000);
    }
    server.close();
    // Somebody writes into the pipe: it is no file all the same.
    const writer = fs.openSync(at('pipe'), fs.constants.O_RDWR);
    fs.writeSync(writer, A, 0, 4096);
    expect(await outcome(at('pipe'))).toBe('ERR_CPS_INVALID_ARGUMENT');
    fs.closeSync(writer);
    expect(await outcome(at('pipe/x.mp4'))).toBe('ERR_CPS_NOT_FOUND');
  });
});
