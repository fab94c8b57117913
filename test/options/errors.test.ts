import { native } from '../../src/native/binding.js';
import type { DecodeConfig } from '../../src/index.js';
import {
  ABORT_CODE,
  AbortError,
  CodecPatchStreamError,
  ERROR_CODES,
  fromNativeError,
} from '../../src/support/errors.js';
import { backendInfo, decodeOnly, NOTE_CODES, patchStream } from '../../src/index.js';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { badFixtures, fixture, fixturePath } from '../helpers/fixtures.js';

describe('the error types', () => {
  test('the addon knows the same codes', () => {
    expect([...native().errorCodes].sort()).toEqual([...ERROR_CODES, ABORT_CODE].sort());
  });

  test('the addon knows the same codes of notes', () => {
    const ofOptions = ['patch-above-frame', 'repeated-frames']; // made in TypeScript
    expect([...native().noteCodes, ...ofOptions].sort()).toEqual(Object.keys(NOTE_CODES).sort());
  });

  test('a native error becomes one of ours, with its cause', () => {
    const raw = { code: 'ERR_CPS_CORRUPT', stage: 'decode', message: 'frame 7 of a.mp4 is broken' };
    const error = fromNativeError(raw);
    expect(error).toBeInstanceOf(CodecPatchStreamError);
    expect(error).toMatchObject({ ...raw, name: 'CodecPatchStreamError', cause: raw });
  });

  test('a native abort becomes an AbortError with the reason of the signal', () => {
    const raw = { code: 'ABORT_ERR', stage: 'decode', message: 'aborted' };
    const reason = new Error('enough');
    const error = fromNativeError(raw, AbortSignal.abort(reason));
    expect(error).toBeInstanceOf(AbortError);
    expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: reason });
  });

  test('anything else passes unchanged', () => {
    const bug = new TypeError('x is not a function');
    expect(fromNativeError(bug)).toBe(bug);
    expect(fromNativeError(undefined)).toBe(undefined);
    const unknown = { code: 'ERR_CPS_NEWER', stage: 'decode', message: 'm' };
    expect(fromNativeError(unknown)).toBe(unknown);
  });
});

/** Both functions must refuse the input with `code` and a message that names `named`. */
async function expectRefusal(videoPath: string | Uint8Array, code: RegExp, named: string) {
  const apis: readonly ((config: DecodeConfig) => Promise<{ close(): void }>)[] = [
    decodeOnly,
    patchStream,
  ];
  for (const api of apis) {
    const error: unknown = await api({ videoPath, sequenceLength: 4 }).then(
      (result) => {
        result.close();
        throw new Error(`${named} was accepted`);
      },
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(CodecPatchStreamError);
    const { code: actual, message } = error as CodecPatchStreamError;
    expect(`${actual}: ${message}`).toMatch(code);
    expect(message).toContain(named);
  }
}

/** The next call must not notice what the last one went through. */
async function expectValidCall() {
  const frames = await decodeOnly({
    videoPath: fixturePath('h264_bpyramid.mp4'),
    sequenceLength: 3,
  });
  expect(frames.sampledFrameIds).toEqual([0, 49, 99]);
  frames.close();
}

describe('bad input, then a valid call', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'cps-errors-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  afterEach(expectValidCall);

  test('a missing file', async () => {
    await expectRefusal(join(folder, 'no such.mp4'), /^ERR_CPS_NOT_FOUND/, 'no such.mp4');
  });

  test('a missing folder', async () => {
    await expectRefusal(join(folder, 'no/such.mp4'), /^ERR_CPS_NOT_FOUND/, 'such.mp4');
  });

  test('a dangling link', async () => {
    const link = join(folder, 'dangling.mp4');
    symlinkSync(join(folder, 'gone.mp4'), link);
    await expectRefusal(link, /^ERR_CPS_NOT_FOUND/, 'dangling.mp4');
  });

  test('a folder', async () => {
    await expectRefusal(
      folder,
      /^ERR_CPS_(NOT_FOUND|NO_VIDEO|INVALID_ARGUMENT|UNSUPPORTED)/,
      folder,
    );
  });

  test('a device', async () => {
    await expectRefusal('/dev/zero', /^ERR_CPS_INVALID_ARGUMENT/, '/dev/zero');
  });

  test.each([
    ['text.mp4', /^ERR_CPS_(NO_VIDEO|CORRUPT)/],
    ['empty.mp4', /^ERR_CPS_(NO_VIDEO|CORRUPT)/],
    ['noise.mp4', /^ERR_CPS_(NO_VIDEO|CORRUPT)/],
    ['audio_only.m4a', /^ERR_CPS_NO_VIDEO/],
    ['no_moov.mp4', /^ERR_CPS_(NO_VIDEO|CORRUPT)/],
    ['header_only.mp4', /^ERR_CPS_CORRUPT/],
  ])('%s', async (name, code) => {
    await expectRefusal(fixturePath(name), code, name);
  });

  test('no bytes, and bytes that are no video', async () => {
    await expectRefusal(
      new Uint8Array(0),
      /^ERR_CPS_(INVALID_ARGUMENT|NO_VIDEO|CORRUPT)/,
      '0 bytes',
    );
    await expectRefusal(Buffer.from('no video'), /^ERR_CPS_(NO_VIDEO|CORRUPT)/, 'memory');
  });

  // Where part of the file is readable: the right number of frames in order, or a clear refusal.
  test.each(badFixtures('partly').map((f) => f.name))(
    '%s: what is readable, or a reason',
    async (name) => {
      const outcome: unknown = await decodeOnly({ videoPath: fixturePath(name) }).catch(
        (error: unknown) => error,
      );
      if (outcome instanceof CodecPatchStreamError) {
        expect(outcome.code).toMatch(/^ERR_CPS_(CORRUPT|NO_VIDEO)$/);
        expect(outcome.message).toContain(name);
      } else {
        const frames = outcome as Awaited<ReturnType<typeof decodeOnly>>;
        expect(frames.length).toBe(16);
        expect(frames.totalFrames).toBeLessThanOrEqual(fixture('h264_bpyramid.mp4').frames);
        frames.close();
      }
    },
  );

  test('limits', async () => {
    const videoPath = fixturePath('h264_bpyramid.mp4');
    const refuse = (options: object, code: string, option: string) =>
      expect(decodeOnly({ videoPath, ...options })).rejects.toMatchObject({
        code,
        message: expect.stringContaining(option) as string,
      });
    await refuse({ maxFramePixels: 320 * 240 - 1 }, 'ERR_CPS_UNSUPPORTED', 'maxFramePixels');
    await refuse({ maxFrames: 99 }, 'ERR_CPS_UNSUPPORTED', 'maxFrames');
    const memory = { sequenceLength: 100, maxMemoryBytes: 2 ** 20 };
    await refuse(memory, 'ERR_CPS_OUT_OF_MEMORY', 'maxMemoryBytes');
    const exact = { maxFramePixels: 320 * 240, maxFrames: 100 };
    (await decodeOnly({ videoPath, ...exact })).close();
  });

  test('a GPU that is not there', async () => {
    const { gpu } = await backendInfo(1023);
    expect(gpu.process).toBe(false);
    expect(gpu.whyNot.process).not.toBe('');
    const call = patchStream({
      videoPath: fixturePath('h264_bpyramid.mp4'),
      processBackend: 'gpu',
      processDeviceId: 1023,
    });
    await expect(call).rejects.toMatchObject({ code: 'ERR_CPS_BACKEND_UNAVAILABLE' });
  });
});
