/**
 * Option `damaged`: frames that cannot be decoded are replaced by the nearest that can, or left out.
 * What is delivered is compared with a sequential decode of the undamaged file by the ffmpeg CLI.
 */
import { NOTE_CODES, decodeOnly, patchStream } from '../src/index.js';
import type { DecodeOnlyConfig } from '../src/index.js';
import { fixture, fixturePath } from './helpers/fixtures.js';
import { rawVideo, sampledIds } from './helpers/ffmpeg.js';

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
  got.ids.forEach((id, t) => {
    const ours = got.data.subarray(t * size, (t + 1) * size);
    const expected = sound(id);
    let worst = 0;
    for (let i = 0; i < size; i++) worst = Math.max(worst, Math.abs(expected[i]! - ours[i]!));
    expect({ t, id, close: worst <= 2 }).toEqual({ t, id, close: true });
  });
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

  test('patches and scores are those of the frames that are there', async () => {
    const options = {
      videoPath: fixturePath(name),
      sequenceLength: total,
      backend: 'cpu',
    } as const;
    const stream = await patchStream({ ...options, damaged: 'skip', kKeep: 64 });
    expect(stream.sampledFrameIds).toEqual(good);
    expect(stream.grid.t).toBe(good.length);
    expect(stream.frameScores.shape[0]).toBe(good.length);
    expect(stream.isI).toHaveLength(good.length);
    for (const { seqPos, frameId } of stream.metadata) expect(frameId).toBe(good[seqPos]);
    // Up to the damage every score is that of the sound file.
    const whole = await patchStream({ ...options, videoPath: fixturePath(sound), kKeep: 64 });
    const upTo = lost[0]! * stream.grid.h * stream.grid.w;
    const scores = stream.frameScores.data!.subarray(0, upTo);
    expect(scores).toEqual(whole.frameScores.data!.subarray(0, upTo));
    stream.close();
    whole.close();
    const near = await patchStream({ ...options, damaged: 'nearest', kKeep: 64 });
    expect(near.grid.t).toBe(total);
    expect(near.sampledFrameIds).toEqual(sampledIds(total, total).map((id) => nearestOf(good, id)));
    near.close();
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
    });
  }
});

test('docs/notes.md has every code', async () => {
  const { readFileSync } = await import('node:fs');
  const text = readFileSync('docs/notes.md', 'utf8');
  for (const code of Object.keys(NOTE_CODES)) expect(text).toContain(`| \`${code}\` |`);
});
