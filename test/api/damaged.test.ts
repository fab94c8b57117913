/**
 * Option `damaged`: frames that cannot be decoded are replaced by the nearest that can, or left out.
 * What is delivered is compared with a sequential decode of the undamaged file by the ffmpeg CLI.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { NOTE_CODES, decodeOnly, patchStream } from '../../src/index.js';
import type { DecodeOnlyConfig } from '../../src/index.js';
import { fixture, fixturePath } from '../helpers/fixtures.js';
import { rawVideo, sampledIds } from '../helpers/ffmpeg.js';
import { failingFrom, sourceOf } from '../helpers/sources.js';

type Options = Partial<DecodeOnlyConfig>;

async function decoded(name: string, options: Options) {
  const result = await decodeOnly({ videoPath: fixturePath(name), backend: 'cpu', ...options });
  const { sampledFrameIds, replacedFrames, skippedFrameIds, notes, totalFrames } = result;
  const shape = result.frames.shape;
  const data = Buffer.from(result.frames.data!.slice());
  result.close();
  return { ids: sampledFrameIds, replacedFrames, skippedFrameIds, notes, totalFrames, shape, data };
}

/** The frames that the same file has where nothing happened to it. */
function soundFrames(name: string): (id: number) => Buffer {
  const clip = fixture(name);
  const scale = 'scale=in_color_matrix=bt601:in_range=limited:flags=bilinear';
  const raw = rawVideo(clip, 'rgb24', ['-vf', scale]);
  const size = clip.width * clip.height * 3;
  return (id) => raw.subarray(id * size, (id + 1) * size);
}

function expectFrames(got: Awaited<ReturnType<typeof decoded>>, sound: (id: number) => Buffer) {
  const size = got.data.length / got.ids.length;
  expect(got.shape[0]).toBe(got.ids.length);
  const others = got.ids.filter(
    (id, t) => !got.data.subarray(t * size, (t + 1) * size).equals(sound(id)),
  );
  expect(others).toEqual([]);
}

/** Of `good`, the nearest to `id`; of two the earlier. */
const nearestOf = (good: readonly number[], id: number): number =>
  good.reduce((best, g) => (Math.abs(g - id) < Math.abs(best - id) ? g : best));

describe.each([
  // Groups of pictures: h264.ts has 25 frames in each.
  { name: 'hole.mp4', sound: 'faststart.mp4', end: false },
  { name: 'cut_end.ts', sound: 'h264.ts', end: true },
])('$name', ({ name, sound, end }) => {
  const total = 100;
  let good: readonly number[];
  let lost: number[];
  let frames: (id: number) => Buffer;

  beforeAll(async () => {
    frames = soundFrames(sound);
    const all = await decoded(name, { sequenceLength: total, damaged: 'skip' });
    good = all.ids;
    lost = sampledIds(total, total).filter((id) => !good.includes(id));
    expectFrames(all, frames);
    expect(all.skippedFrameIds).toEqual(lost);
    expect(all.replacedFrames).toEqual([]);
    expect(all.notes.map(({ code, frames: of }) => ({ code, of }))).toEqual([
      { code: 'skipped-frames', of: lost },
    ]);
  });

  test('only frames around the damage are lost', () => {
    expect(lost.length).toBeGreaterThan(0);
    expect(lost.length).toBeLessThan(30);
    expect(lost.at(-1)! - lost[0]!).toBeLessThan(30);
    if (end) expect(lost.at(-1)).toBe(total - 1);
  });

  test("'error' is the default", async () => {
    const options = { sequenceLength: total };
    await expect(decoded(name, options)).rejects.toMatchObject({ code: 'ERR_CPS_CORRUPT' });
  });

  test.each<Options>([
    { sequenceLength: total },
    { sequenceLength: 16 },
    { sequenceLength: 7, uniformStrategy: 'seek' },
    { sequenceLength: 7, uniformStrategy: 'stream' },
    { sequenceLength: total, decodeThreads: 1 },
    { sequenceLength: 33, decodeMode: 'latency' },
  ])("'nearest' with %j", async (options) => {
    const got = await decoded(name, { ...options, damaged: 'nearest' });
    const wanted = sampledIds(total, options.sequenceLength!);
    expect(got.ids).toEqual(wanted.map((id) => nearestOf(good, id)));
    const replaced = wanted.flatMap((id, seqPos) =>
      lost.includes(id) ? [{ seqPos, wantedId: id, givenId: nearestOf(good, id) }] : [],
    );
    expect(got.replacedFrames).toEqual(replaced);
    const of = replaced.map(({ wantedId }) => wantedId);
    const notes = got.notes.map((note) => ({ code: note.code, of: note.frames }));
    expect(notes).toEqual(of.length > 0 ? [{ code: 'replaced-frames', of }] : []);
    expectFrames(got, frames);
  });

  test.each<Options>([
    { uniformStrategy: 'seek', decodeThreads: 1 },
    { uniformStrategy: 'stream', decodeThreads: 2 },
    { decodeMode: 'latency', readerCacheSize: 0 },
  ])("'skip' with %j", async (options) => {
    const sequenceLength = 31;
    const got = await decoded(name, { ...options, sequenceLength, damaged: 'skip' });
    const wanted = sampledIds(total, sequenceLength);
    expect(got.ids).toEqual(wanted.filter((id) => good.includes(id)));
    expect(got.skippedFrameIds).toEqual(wanted.filter((id) => lost.includes(id)));
    expectFrames(got, frames);
  });

  // Each frame is compared with the one before it in the result.
  test.each(['block', 'reference'] as const)("energy '%s' of what is there", async (energy) => {
    const base = { sequenceLength: total, backend: 'cpu', kKeep: 64, energy } as const;
    const whole = await patchStream({ ...base, videoPath: fixturePath(sound) });
    const perFrame = whole.grid.h * whole.grid.w;
    const scores = (of: typeof whole, t: number) =>
      Buffer.from(of.frameScores.data!.slice(t * perFrame, (t + 1) * perFrame).buffer);
    for (const damaged of ['skip', 'nearest'] as const) {
      const stream = await patchStream({ ...base, videoPath: fixturePath(name), damaged });
      const ids =
        damaged === 'skip' ? good : sampledIds(total, total).map((id) => nearestOf(good, id));
      expect(stream.sampledFrameIds).toEqual(ids);
      expect(stream.grid.t).toBe(ids.length);
      expect(stream.frameScores.shape[0]).toBe(ids.length);
      expect(stream.isI).toHaveLength(ids.length);
      for (const { seqPos, frameId } of stream.metadata) expect(frameId).toBe(ids[seqPos]);
      // One that is sampled twice has no neighbour of its own.
      const other = ids.filter(
        (id, t) => id !== ids[t - 1] && !scores(stream, t).equals(scores(whole, id)),
      );
      // Only the one behind a gap has another neighbour.
      const gaps = ids.filter((id, t) => t > 0 && id > ids[t - 1]! + 1);
      expect(other).toEqual(gaps);
      stream.close();
    }
    whole.close();
  });
});

describe('a truncated MP4', () => {
  const name = 'truncated.mp4';

  test('is refused by default, also after another call has used it', async () => {
    const refusal = {
      code: 'ERR_CPS_CORRUPT',
      message: /truncated: its data ends in frame \d+ of 100/,
    };
    const refused = () =>
      decoded(name, { sequenceLength: 4 }).then(
        () => expect('accepted').toBe('refused'),
        (error: { code: string; message: string }) => {
          expect(error.code).toBe(refusal.code);
          expect(error.message).toMatch(refusal.message);
        },
      );
    await refused();
    await decoded(name, { sequenceLength: 4, damaged: 'skip' });
    await refused();
  });

  test.each(['skip', 'nearest'] as const)(
    "can be used with '%s', as far as it goes",
    async (damaged) => {
      for (const sequenceLength of [1, 5, 16]) {
        const got = await decoded(name, { sequenceLength, damaged });
        expect(got.totalFrames).toBeGreaterThan(30);
        expect(got.totalFrames).toBeLessThan(90);
        expect(got.ids.length).toBeLessThanOrEqual(sequenceLength);
        expect(got.notes.map((note) => note.code)).toContain('truncated-file');
        // Frames are in the order of the display; the last ones before the cut may lack a neighbour.
        const whole = got.ids.filter((id) => id < got.totalFrames - 8);
        const size = got.data.length / got.ids.length;
        const data = got.data.subarray(0, whole.length * size);
        expectFrames(
          { ...got, ids: whole, data, shape: [whole.length] },
          soundFrames('faststart.mp4'),
        );
      }
    },
  );
});

test('an error all the same when no frame can be had', async () => {
  for (const damaged of ['skip', 'nearest'] as const) {
    await expect(decoded('bitrot.mp4', { sequenceLength: 8, damaged })).rejects.toMatchObject({
      code: 'ERR_CPS_CORRUPT',
      message: expect.stringContaining(
        damaged === 'skip' ? 'None of the sampled frames can be' : 'No frame can be decoded',
      ) as string,
    });
  }
});

describe('bytes within a packet', () => {
  const file = readFileSync(fixturePath('faststart.mp4'));
  const packets = execFileSync('ffprobe', [
    ...['-v', 'error', '-select_streams', 'v', '-show_entries', 'packet=pos,size'],
    ...['-of', 'csv=p=0', fixturePath('faststart.mp4')],
  ]);
  const [first, ...rest] = packets
    .toString()
    .trim()
    .split('\n')
    .map((line) => line.split(',').map(Number) as [number, number]);

  test('a first frame that is lost, alone and with others', async () => {
    const [size, pos] = first!;
    const videoPath = Uint8Array.from(file).fill(0xff, pos + (size >> 1), pos + size - 60);
    const open = (sequenceLength: number, damaged: 'skip' | 'nearest') =>
      decodeOnly({ videoPath, backend: 'cpu', sequenceLength, damaged });
    await expect(open(1, 'skip')).rejects.toMatchObject({ code: 'ERR_CPS_CORRUPT' });
    const near = await open(1, 'nearest');
    const given = near.sampledFrameIds[0]!;
    expect(given).toBeGreaterThan(0);
    expect(near.replacedFrames).toEqual([{ seqPos: 0, wantedId: 0, givenId: given }]);
    near.close();
    const left = await open(100, 'skip');
    expect(left.sampledFrameIds[0]).toBe(given);
    expect(left.skippedFrameIds[0]).toBe(0);
    left.close();
  });

  // Most bytes of an H.264 slice decode to something: then it is the picture that FFmpeg gives.
  test('damage that FFmpeg does not notice gives what FFmpeg gives', async () => {
    const [size, pos] = rest[10]!;
    const bytes = Uint8Array.from(file).fill(0xb5, pos + (size >> 1), pos + (size >> 1) + 64);
    const scale = ['-vf', 'scale=flags=bilinear', '-pix_fmt', 'rgb24', '-f', 'rawvideo'];
    const plain = execFileSync(
      'ffmpeg',
      [
        '-v',
        'error',
        '-xerror',
        '-threads',
        '1',
        '-i',
        '-',
        '-fps_mode',
        'passthrough',
        ...scale,
        '-',
      ],
      { input: bytes, maxBuffer: 2 ** 30 },
    );
    expect(plain.equals(rawVideo(fixture('faststart.mp4'), 'rgb24', scale.slice(0, 2)))).toBe(
      false,
    );
    for (const damaged of ['error', 'skip', 'nearest'] as const) {
      const got = await decodeOnly({
        ...{ videoPath: bytes, backend: 'cpu', sequenceLength: 100, damaged },
      });
      expect(got.notes).toEqual([]);
      expect(Buffer.from(got.frames.data).equals(plain)).toBe(true);
      got.close();
    }
  });
});

// What cannot be read is no damage: it may be there a moment later.
test.each(['skip', 'nearest'] as const)(
  "'%s': a source that fails in mid-file is an error all the same",
  async (damaged) => {
    // Large enough for several reads.
    for (const name of ['packed_422.mov', 'yuv440.mkv', 'joined_mpeg2.ts']) {
      const file = fixturePath(name);
      const whole = await decoded(name, { sequenceLength: 9 });
      let failed = 0;
      for (let reads = 1; ; reads++) {
        const cause = new Error('gone');
        const source = failingFrom(reads, sourceOf(file), () => Promise.reject(cause));
        const call = decodeOnly({ videoPath: source, backend: 'cpu', sequenceLength: 9, damaged });
        const result = await call.catch((error: unknown) => error as Error & { cause?: unknown });
        if (result instanceof Error) {
          failed++;
          expect(result).toMatchObject({ code: 'ERR_CPS_SOURCE', cause });
          continue;
        }
        expect(result.skippedFrameIds).toEqual([]);
        expect(Buffer.from(result.frames.data).equals(whole.data)).toBe(true);
        result.close();
        break;
      }
      expect(failed).toBeGreaterThan(0);
    }
  },
);

test('docs/notes.md has every code', () => {
  const text = readFileSync('docs/notes.md', 'utf8');
  for (const code of Object.keys(NOTE_CODES)) expect(text).toContain(`| \`${code}\` |`);
});
