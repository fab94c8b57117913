/** tar, npy and safetensors: read as others write them, and nothing else believed. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import fc from 'fast-check';
import { CodecPatchStreamError } from '../../src/support/errors.js';
import { FileBytes } from '../../src/shards/bytes.js';
import type { Bytes } from '../../src/shards/bytes.js';
import { concat } from '../../src/shards/concat.js';
import { readNpy } from '../../src/shards/npy.js';
import { readSafetensors } from '../../src/shards/safetensors.js';
import { ShardIndex } from '../../src/shards/shard-index.js';
import { readSample } from '../../src/shards/shards.js';
import type { ShardSample } from '../../src/shards/shards.js';
import { tarMembers } from '../../src/shards/tar.js';
import { longForm } from '../helpers/long-form.js';
import { npy, safetensors, sample, tar } from '../helpers/shards.js';
import type { Made } from '../helpers/shards.js';

interface Recorded {
  readonly good: { dtype: string; shape: number[]; values: string[]; npy: string }[];
  readonly refused: { what: string; npy: string }[];
}
/** Arrays as numpy 2.4.6 wrote them (numpy.lib.format.write_array, versions 1.0, 2.0 and 3.0). */
const numpy = JSON.parse(fs.readFileSync(path.join(__dirname, 'numpy.json'), 'utf8')) as Recorded;

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-readers-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Memory that refuses what no file of its size could be asked for. */
class Watched implements Bytes {
  readonly name = 'watched.tar';
  asked = 0;

  constructor(private readonly data: Uint8Array) {}

  get size(): number {
    return this.data.length;
  }

  readInto(target: Uint8Array, offset: number): Promise<void> {
    if (offset < 0 || offset + target.length > this.size) throw new RangeError('outside');
    this.asked += target.length;
    target.set(this.data.subarray(offset, offset + target.length));
    return Promise.resolve();
  }
}

const part = (data: Uint8Array) => ({ name: 'x.npy', offset: 0, size: data.length });
const samplesOf = async (bytes: Bytes): Promise<ShardSample[]> => {
  const index = await ShardIndex.of(bytes, '');
  const samples = [];
  for (let i = 0; i < index.length; i++) {
    samples.push(await readSample(bytes, index.keyOf(i), index.membersOf(i)));
  }
  return samples;
};

describe('tar', () => {
  const names = ['a.x.npy', `${'long/'.repeat(40)}b.json`, `${'n'.repeat(120)}.json`, 'ü/ñ.json'];
  const files = path.join(folder, 'files');
  beforeAll(() => {
    for (const name of names) {
      fs.mkdirSync(path.dirname(path.join(files, name)), { recursive: true });
      fs.writeFileSync(path.join(files, name), `${name}!`.repeat(97));
    }
    fs.symlinkSync('a.x.npy', path.join(files, 'link.json'));
  });

  test.each(['pax', 'gnu', 'posix', 'oldgnu'])('%s, as GNU tar writes it', async (format) => {
    const archive = path.join(folder, `${format}.tar`);
    const args = [`--format=${format}`, '-cf', archive, '-C', files, ...names, 'link.json', 'long'];
    execFileSync('tar', args);
    const bytes = await FileBytes.open(archive);
    const seen: string[] = [];
    for await (const { name, offset, size } of tarMembers(bytes)) {
      const data = Buffer.alloc(size);
      await bytes.readInto(data, offset);
      expect(data.toString()).toBe(`${name}!`.repeat(97));
      seen.push(name);
    }
    await bytes.close();
    // Folders and links (the folder's file is one, the second time) do not come at all.
    expect(seen).toEqual(names);
  });

  test('sizes beyond octal digits, and numbers of old programs', async () => {
    const archive = tar([['a.json', Buffer.from('{}')]]);
    archive.fill(0, 124, 136);
    archive[124] = 0x80;
    archive[135] = 2;
    const fixSum = (): void => {
      archive.write('        ', 148);
      const sum = archive.subarray(0, 512).reduce((all, byte) => all + byte, 0);
      archive.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    };
    fixSum();
    const found = [];
    for await (const member of tarMembers(new Watched(archive))) found.push(member);
    expect(found).toEqual([{ name: 'a.json', offset: 512, size: 2 }]);
    archive[128] = 1; // 2^56: more than any file has
    fixSum();
    await expect(samplesOf(new Watched(archive))).rejects.toMatchObject({
      code: 'ERR_CPS_CORRUPT',
    });
  });

  test('what it cannot be is said', async () => {
    const cases: [Buffer, RegExp][] = [
      [Buffer.from('no tar at all'), /ends here/],
      [Buffer.alloc(0), /without an end mark/],
      [Buffer.alloc(600, 'x'), /octal number/],
      [tar([['a.x.npy', Buffer.alloc(10)]]).subarray(0, 1024), /without an end mark/],
      [
        tar([
          ['a.json', Buffer.from('{}')],
          ['b.json', Buffer.from('{}')],
          ['a.x.npy', Buffer.alloc(0)],
        ]),
        /'a' are in two places/,
      ],
      [
        tar([
          ['a.json', Buffer.from('{}')],
          ['a.JSON', Buffer.from('{}')],
        ]),
        /two members/,
      ],
    ];
    for (const [data, message] of cases) {
      const error = await samplesOf(new Watched(data)).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(CodecPatchStreamError);
      expect(error).toMatchObject({
        code: 'ERR_CPS_CORRUPT',
        message: expect.stringMatching(message) as string,
      });
    }
  });
});

describe('npy', () => {
  test.each(numpy.good.map((one, i) => [`${i}: ${one.dtype} [${one.shape.join()}]`, one] as const))(
    '%s, as numpy wrote it',
    async (_, { dtype, shape, values, npy: text }) => {
      const data = Buffer.from(text, 'base64');
      const tensor = await readNpy(new Watched(data), part(data));
      expect([tensor.dtype, tensor.shape]).toEqual([dtype, shape]);
      expect(Array.from(await tensor.toHost(), String)).toEqual(values);
    },
  );

  test.each(numpy.refused.map((one) => [one.what, one] as const))(
    '%s is refused',
    async (_, one) => {
      const data = Buffer.from(one.npy, 'base64');
      const reading = readNpy(new Watched(data), part(data));
      await expect(reading).rejects.toMatchObject({ code: 'ERR_CPS_UNSUPPORTED' });
    },
  );

  test('headers that contradict the file are not believed', async () => {
    const array = npy({ dtype: 'float32', shape: [2, 3], data: new Float32Array(6) });
    const changed = (from: string, to: string): Buffer =>
      Buffer.from(array.toString('latin1').replace(from, to.padEnd(from.length)), 'latin1');
    const corrupt = [
      changed('(2, 3)', '(2, 4)'),
      changed('(2, 3)', '(6)'),
      changed('(2, 3)', '(2,-3)'),
      changed("'shape': (2, 3)", "'shape': (9999999999, 0)"),
      changed("'descr'", "'shape'"),
      changed('False', 'Falsy'),
      array.subarray(0, array.length - 1),
      Buffer.concat([array, Buffer.alloc(4)]),
      array.subarray(0, 9),
      npy({ dtype: 'bool', shape: [2], data: Uint8Array.of(1, 2) }),
    ];
    for (const data of corrupt) {
      const reading = readNpy(new Watched(data), part(data));
      await expect(reading).rejects.toMatchObject({ code: 'ERR_CPS_CORRUPT' });
    }
  });
});

describe('safetensors', () => {
  const made: Record<string, Made> = {
    pixels: { dtype: 'bfloat16', shape: [2, 2], data: Uint16Array.of(0x3f80, 0, 0xbf80, 0x4000) },
    ids: { dtype: 'int64', shape: [1], data: BigInt64Array.of(-7n) },
    none: { dtype: 'float32', shape: [0, 4], data: new Float32Array() },
  };

  test('tensors by name', async () => {
    const data = safetensors(made);
    const tensors = await readSafetensors(new Watched(data), part(data));
    expect([...tensors.keys()].sort()).toEqual(['ids', 'none', 'pixels']);
    for (const [name, { dtype, shape, data: values }] of Object.entries(made)) {
      const tensor = tensors.get(name);
      expect([tensor?.dtype, tensor?.shape]).toEqual([dtype, shape]);
      expect(await tensor?.toHost()).toEqual(values);
    }
    expect([...((await tensors.get('pixels')?.toFloat32()) ?? [])]).toEqual([1, 0, -1, 2]);
  });

  const withHeader = (header: unknown, bytes: number): Buffer => {
    const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    return Buffer.concat([length, json, Buffer.alloc(bytes)]);
  };
  const entry = (begin: number, end: number, shape = [(end - begin) / 4], dtype = 'F32') => ({
    ...{ dtype, shape },
    data_offsets: [begin, end],
  });

  test.each([
    ['a hole', { a: entry(0, 4), b: entry(8, 12) }, 12],
    ['an overlap', { a: entry(0, 8), b: entry(4, 12) }, 12],
    ['bytes behind the last', { a: entry(0, 4) }, 8],
    ['outside', { a: entry(0, 16) }, 8],
    ['another shape', { a: entry(0, 8, [3]) }, 8],
    ['backwards', { a: { dtype: 'F32', shape: [1], data_offsets: [8, 4] } }, 8],
    ['absurd sides', { a: entry(0, 0, [2 ** 52, 2 ** 52, 0]) }, 0],
    ['no entry', { a: 5 }, 0],
    ['no object', [1], 0],
    ['no JSON', '{"a":', 0],
  ])('%s', async (_, header, bytes) => {
    const data = withHeader(header, bytes);
    const reading = readSafetensors(new Watched(data), part(data));
    await expect(reading).rejects.toMatchObject({ code: 'ERR_CPS_CORRUPT' });
  });

  test('other types, and headers as long as the file or longer', async () => {
    const other = withHeader({ a: entry(0, 8, [1], 'F64') }, 8);
    await expect(readSafetensors(new Watched(other), part(other))).rejects.toMatchObject({
      code: 'ERR_CPS_UNSUPPORTED',
    });
    const long = Buffer.alloc(16, 0xff);
    await expect(readSafetensors(new Watched(long), part(long))).rejects.toMatchObject({
      code: 'ERR_CPS_CORRUPT',
    });
  });
});

test('concat joins along the first axis and refuses what does not fit', async () => {
  const read = async (shape: number[], dtype: 'int32' | 'float32' = 'int32') => {
    const length = shape.reduce((product, side) => product * side, 1);
    const values = Array.from({ length }, (_, i) => i);
    const data = npy({
      ...{ dtype, shape },
      data: dtype === 'int32' ? Int32Array.from(values) : Float32Array.from(values),
    });
    return readNpy(new Watched(data), part(data));
  };
  const joined = await concat([await read([1, 2]), await read([2, 2])]);
  expect([joined.shape, [...((await joined.toHost()) as Int32Array)]]).toEqual([
    [3, 2],
    [0, 1, 0, 1, 2, 3],
  ]);
  for (const other of [await read([1, 3]), await read([2]), await read([1, 2], 'float32')]) {
    await expect(concat([await read([1, 2]), other])).rejects.toMatchObject({
      code: 'ERR_CPS_INVALID_ARGUMENT',
    });
  }
  await expect(concat([])).rejects.toMatchObject({ code: 'ERR_CPS_INVALID_ARGUMENT' });
});

describe('whatever stands in a file', () => {
  const f32 = (length: number): Made => ({
    ...{ dtype: 'float32', shape: [length] },
    data: Float32Array.from({ length }, (_, i) => i / 3),
  });
  const json = { index: 0, path: 'a.mp4', video: { frames: [1, 2] } };
  const whole = tar([
    ...sample(
      '00000000',
      { pixels: f32(300), ids: { dtype: 'int32', shape: [1, 3], data: Int32Array.of(1, 2, 3) } },
      json,
    ),
    ...sample(
      '00000001',
      { pixels: f32(7), mask: { dtype: 'bool', shape: [2], data: Uint8Array.of(0, 1) } },
      json,
      'safetensors',
    ),
  ]);
  const end = whole.length - 1024;
  /** Reads all; an error of the package is fine, any other is not. */
  const outcome = async (data: Uint8Array): Promise<ShardSample[] | CodecPatchStreamError> => {
    const bytes = new Watched(data);
    try {
      const samples = await samplesOf(bytes);
      for (const { tensors } of samples) {
        for (const tensor of Object.values(tensors)) {
          expect((await tensor.toHost()).length).toBe(
            tensor.shape.reduce((product, side) => product * side, 1),
          );
        }
      }
      return samples;
    } catch (error) {
      if (!(error instanceof CodecPatchStreamError)) throw error;
      expect(['ERR_CPS_CORRUPT', 'ERR_CPS_UNSUPPORTED']).toContain(error.code);
      return error;
    } finally {
      // Members twice at most (a header, then the whole), headers of the archive once.
      expect(bytes.asked).toBeLessThan(3 * data.length + 8192);
    }
  };

  test('the file as it is', async () => {
    const samples = (await outcome(whole)) as ShardSample[];
    expect(samples.map(({ key, json: { path: video } }) => [key, video])).toEqual([
      ['00000000', 'a.mp4'],
      ['00000001', 'a.mp4'],
    ]);
    expect(samples[0]?.tensors['pixels']?.data).toEqual(f32(300).data);
    expect(samples[1]?.tensors['mask']?.data).toEqual(Uint8Array.of(0, 1));
  });

  const numRuns = longForm ? 20_000 : 600;

  test('cut off anywhere it is an error', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: end + 511 }), async (length) => {
        expect(await outcome(whole.subarray(0, length))).toBeInstanceOf(CodecPatchStreamError);
      }),
      { numRuns },
    );
  });

  test('changed anywhere it is an error or tensors that are as long as they say', async () => {
    const change = fc.record({
      at: fc.integer({ min: 0, max: end - 1 }),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const data = Buffer.from(whole);
        for (const { at, bytes } of changes) data.set(bytes.subarray(0, end - at), at);
        await outcome(data);
      }),
      { numRuns },
    );
  });

  test('headers that are mutated as texts', async () => {
    const word = fc.constantFrom(
      ...["'descr'", "'<f4'", "'shape'", '(300,)', 'False', 'True', '{', '}', ',', ':', '(', ')'],
      ...[
        '"dtype"',
        '"F32"',
        '"shape"',
        '[7]',
        '[0,28]',
        '99999999999999',
        '1e3',
        '-1',
        'null',
        ' ',
      ],
    );
    const places = [...whole.toString('latin1').matchAll(/'descr'|\(300,\)|False|"shape":|\[7\]/g)];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...places), word, fc.nat(8), async (place, text, shift) => {
        const data = Buffer.from(whole);
        data.write(text, place.index + shift, 'latin1');
        await outcome(data);
      }),
      { numRuns: numRuns / 2 },
    );
  });
});
