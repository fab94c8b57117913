/** The border with JavaScript: what a process does to paths, memory and intrinsics around a call. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import * as vm from 'node:vm';
import { CodecPatchStreamError, decodeOnly, patchStream } from '../../src/index.js';
import { native } from '../../src/native/binding.js';
import { parseDecodeOnly } from '../../src/options/records.js';
import { fixturePath } from '../helpers/fixtures.js';

const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'cps-border-')));
const home = process.cwd();
afterEach(() => process.chdir(home));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
const at = (...parts: string[]): string => path.join(folder, ...parts);

const WIDTHS = { 'small.mp4': 48, 'h264_bpyramid.mp4': 320 };
for (const [sub, name] of [
  ['one', 'small.mp4'],
  ['two', 'h264_bpyramid.mp4'],
] as const) {
  fs.mkdirSync(at(sub));
  fs.copyFileSync(fixturePath(name), at(sub, 'v.mp4'));
}
fs.symlinkSync(at('two'), at('one', 'link'));

const cheap = { backend: 'cpu', sequenceLength: 1 } as const;
async function errorOf(videoPath: unknown): Promise<CodecPatchStreamError> {
  const call = decodeOnly({ ...cheap, videoPath: videoPath as string });
  const error: unknown = await call.then(
    (frames) => {
      frames.close();
      throw new Error(`${String(videoPath)} was accepted`);
    },
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(CodecPatchStreamError);
  return error as CodecPatchStreamError;
}

describe('the working directory', () => {
  test('is the one of the call, however long it waits', async () => {
    process.chdir(at('one'));
    // In latency mode calls run one after the other, so the second one starts in the other folder.
    const busy = decodeOnly({
      ...{ videoPath: fixturePath('h264_long_gop.mp4'), backend: 'cpu', sequenceLength: 300 },
      decodeMode: 'latency',
    });
    const waiting = decodeOnly({ ...cheap, videoPath: 'v.mp4', decodeMode: 'latency' });
    process.chdir(at('two'));
    (await busy).close();
    const frames = await waiting;
    expect(frames.width).toBe(WIDTHS['small.mp4']);
    frames.close();
  });

  test('that is gone leads to an error of ours', async () => {
    fs.mkdirSync(at('gone'));
    process.chdir(at('gone'));
    fs.rmdirSync(at('gone'));
    const error = await errorOf('v.mp4');
    expect(error).toMatchObject({ code: 'ERR_CPS_NOT_FOUND', stage: 'open' });
    expect(error.message).toMatch(/videoPath.*working directory is gone/);
  });

  test('readerCacheDir is of the call, too', () => {
    process.chdir(at('one'));
    const { records } = parseDecodeOnly({ videoPath: 'v.mp4', readerCacheDir: 'cache' });
    expect(records.source.readerCacheDir).toBe(at('one', 'cache'));
  });
});

describe('paths and URLs that fs refuses', () => {
  const url = (text: string): URL => new URL(text);
  const video = at('one', 'v.mp4');
  const there = pathToFileURL(video).href;
  test.each<[string, () => string | URL]>([
    ['a path', () => video],
    ['a relative path', () => 'v.mp4'],
    ['dots', () => '.././one/v.mp4'],
    ['dots behind a link', () => 'link/../v.mp4'],
    ['a folder of the link', () => 'link/v.mp4'],
    ['a slash behind a file', () => 'v.mp4/'],
    ['a path through a file', () => 'v.mp4/../v.mp4'],
    ['many slashes', () => `/${video.replaceAll('/', '///')}`],
    ['a URL', () => url(there)],
    ['a URL with a query', () => url(`${there}?a#b`)],
    ['NUL in a path', () => `${video}\0.png`],
    ['NUL in a relative path', () => 'v.mp4\0'],
    ['NUL in a URL', () => url(`${there}%00.png`)],
    ['NUL in a text URL', () => `${there}%00`],
    ['NUL in its middle', () => url(there.replace('v.mp4', 'v%00.mp4'))],
    ['a slash in a name', () => url(there.replace('/v.mp4', '%2Fv.mp4'))],
    ['another host', () => url('file://host/v.mp4')],
    ['another protocol', () => url('http://localhost/v.mp4')],
    ['an escape that is none', () => url(`${there}%FF%`)],
    ['half a surrogate pair', () => 'v\ud800.mp4'],
    ['a name that is too long', () => `${'x'.repeat(300)}.mp4`],
    ['a path that is too long', () => `${'x/'.repeat(4000)}v.mp4`],
    ['no name', () => ''],
  ])('%s', async (_, make) => {
    process.chdir(at('one'));
    const given = make();
    let refusal: { code?: string } | undefined;
    let opened = '';
    try {
      // fs does not know text URLs; everything else goes to it as it is.
      const isUrl = typeof given === 'string' && given.startsWith('file:');
      const fd = fs.openSync(isUrl ? new URL(given) : given, 'r');
      opened = fs.readlinkSync(`/proc/self/fd/${fd}`);
      fs.closeSync(fd);
    } catch (error) {
      refusal = error as { code?: string };
    }
    if (!refusal) {
      const frames = await decodeOnly({ ...cheap, videoPath: given });
      const inTwo = opened === at('two', 'v.mp4');
      expect(frames.width).toBe(WIDTHS[inTwo ? 'h264_bpyramid.mp4' : 'small.mp4']);
      frames.close();
      return;
    }
    const { code, message } = await errorOf(given);
    const missing = ['ENOENT', 'ENOTDIR'].includes(refusal.code ?? '') && given !== '';
    expect(code).toBe(missing ? 'ERR_CPS_NOT_FOUND' : 'ERR_CPS_INVALID_ARGUMENT');
    // What never reaches the system is refused with the name of the option.
    if (refusal.code?.startsWith('ERR_') || given === '') expect(message).toContain('videoPath');
  });

  test('the addon itself takes no NUL', () => {
    const { records } = parseDecodeOnly({ ...cheap, videoPath: video });
    const call = () => native().decodeOnly(`${video}\0.png`, records, native().createCancel());
    expect(call).toThrow(/videoPath.*NUL/);
  });

  test('a URL of another realm is one', async () => {
    const foreign: unknown = Object.assign(Object.create({ [Symbol.toStringTag]: 'URL' }), {
      href: there,
    });
    const frames = await decodeOnly({ ...cheap, videoPath: foreign as URL });
    frames.close();
  });
});

describe('memory', () => {
  const bytes = fs.readFileSync(fixturePath('small.mp4'));
  const copy = (): Uint8Array<ArrayBuffer> => Uint8Array.from(bytes);
  const detach = (array: Uint8Array<ArrayBuffer>): void => {
    structuredClone(array.buffer, { transfer: [array.buffer] });
  };

  test.each([
    ['an ArrayBuffer', (a: Uint8Array<ArrayBuffer>) => a.buffer],
    ['a Uint8Array', (a: Uint8Array<ArrayBuffer>) => a],
  ])('%s that was transferred', async (_, pick) => {
    const array = copy();
    detach(array);
    const { code, message } = await errorOf(pick(array));
    expect(code).toBe('ERR_CPS_INVALID_ARGUMENT');
    expect(message).toMatch(/for videoPath .*detached/);
  });

  test('shared memory and memory of another realm are videos', async () => {
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
    shared.set(bytes);
    const foreign = vm.runInNewContext('new Uint8Array(n)', { n: bytes.length }) as Uint8Array;
    foreign.set(bytes);
    for (const video of [shared, shared.buffer, foreign, foreign.buffer]) {
      const frames = await decodeOnly({ ...cheap, videoPath: video as Uint8Array });
      expect(frames.width).toBe(48);
      frames.close();
    }
  });

  test.each<[string, () => unknown, RegExp]>([
    ['a ReadableStream', () => new Blob([bytes]).stream(), /new Response\(value\)/],
    ['a Response', () => new Response(bytes), /arrayBuffer\(\)/],
    ['a stream of Node', () => Readable.from([bytes]), /stream\/consumers/],
    ['a promise', () => Promise.resolve(bytes), /await it first/],
    ['a DataView', () => new DataView(copy().buffer), /byteOffset/],
    ['another typed array', () => new Float32Array(4), /Uint8Array/],
  ])('%s is refused with what to do', async (_, make, hint) => {
    const { code, message } = await errorOf(make());
    expect(code).toBe('ERR_CPS_INVALID_ARGUMENT');
    expect(message).toMatch(/^Expected .* for videoPath but received/);
    expect(message).toMatch(hint);
  });

  test('copyTo into shared memory', async () => {
    const frames = await decodeOnly({ ...cheap, videoPath: bytes });
    const { length } = frames.frames;
    const target = new Uint8Array(new SharedArrayBuffer(length + 3), 3, length);
    frames.frames.copyTo(target);
    expect(Buffer.compare(Uint8Array.from(target), frames.frames.data)).toBe(0);
    frames.close();
  });

  // Node 21 and later.
  type Transfer = (this: ArrayBuffer) => ArrayBuffer;
  const transfer = (ArrayBuffer.prototype as unknown as Record<string, Transfer | undefined>)[
    'transfer'
  ];
  (transfer ? test : test.skip)('a result whose memory was given away says so', async () => {
    const stream = await patchStream({ videoPath: bytes, backend: 'cpu', outputDtype: 'fp32' });
    for (const tensor of [stream.patches, stream.positions]) {
      const kept = transfer?.call(tensor.data?.buffer as ArrayBuffer);
      const wanted: unknown = expect.objectContaining({
        code: 'ERR_CPS_CLOSED',
        message: expect.stringMatching(/transferred.*data\.slice\(\)\.buffer/) as string,
      });
      expect(() => tensor.data).toThrow(wanted as Error);
      await expect(tensor.toHost()).rejects.toThrow(wanted as Error);
      await expect(tensor.toFloat32()).rejects.toThrow(wanted as Error);
      expect(kept?.byteLength).toBe(tensor.length * 4);
    }
    stream.close();
  });
});

test('console.log and JSON show what there is, and no elements', async () => {
  const videoPath = fixturePath('small.mp4');
  const stream = await patchStream({ videoPath, backend: 'cpu', kKeep: 8, outputDtype: 'fp32' });
  const frames = await decodeOnly({ ...cheap, videoPath });
  expect(inspect(stream)).toMatch(/^PatchStream \{\s+length: 8,\s+patches: .*float32/s);
  expect(inspect(stream.patches)).toBe('Tensor float32 [8, 3, 14, 14] on cpu');
  expect(inspect(frames)).toMatch(/^DecodedFrames \{\s+frames: .*uint8.*width: 48/s);
  expect(JSON.parse(JSON.stringify({ frames, tensor: frames.frames }))).toMatchObject({
    frames: { width: 48, sampledFrameIds: [0], frames: { shape: [1, frames.height, 48, 3] } },
    tensor: { dtype: 'uint8', device: 'cpu' },
  });
  const { patches } = stream;
  stream.close();
  frames.close();
  expect(inspect(stream)).toBe('PatchStream { closed: true }');
  expect(inspect(patches)).toBe('Tensor (closed)');
  expect(JSON.stringify([frames, patches])).toBe('[{"closed":true},{"closed":true}]');
});

test.each([
  ['numFrames', 'sequenceLength'],
  ['num_frames', 'sequenceLength'],
  ['topK', 'kKeep'],
  ['path', 'videoPath'],
  ['dtype', 'outputDtype'],
  ['sequenceLenght', 'sequenceLength'],
  ['max_frames', 'maxFrames'],
])('%s: did you mean %s?', async (key, name) => {
  const call = patchStream({ videoPath: 'v.mp4', [key]: 1 });
  await expect(call).rejects.toThrow(`did you mean ${name}?`);
});
