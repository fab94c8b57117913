import { jsMemory, Tensor } from '../../src/api/tensor.js';
import type { DType } from '../../src/api/tensor.js';
import { FakeBuffer } from '../helpers/fake-native.js';

const CLOSED: unknown = expect.objectContaining({ code: 'ERR_CPS_CLOSED' });

const int32 = (...values: number[]) => jsMemory(new Int32Array(values).buffer);
const ramp = (n: number) => new FakeBuffer(new Int32Array(n).map((_, i) => i).buffer);

describe('shape and data', () => {
  test.each([
    ['uint8', Uint8Array, 1],
    ['bool', Uint8Array, 1],
    ['int32', Int32Array, 4],
    ['int64', BigInt64Array, 8],
    ['float16', Uint16Array, 2],
    ['bfloat16', Uint16Array, 2],
    ['float32', Float32Array, 4],
  ] as const)('%s', (dtype: DType, array, bytes) => {
    const memory = new ArrayBuffer(6 * bytes);
    const tensor = Tensor.over(jsMemory(memory), dtype, [2, 3]);
    expect(tensor).toMatchObject({ dtype, shape: [2, 3], length: 6, device: 'cpu' });
    expect(tensor.data).toBeInstanceOf(array);
    expect(tensor.data?.buffer).toBe(memory);
    expect(tensor.data).toHaveLength(6);
    expect(tensor.data).toBe(tensor.data);
  });

  test('the shape cannot be changed', () => {
    const tensor = Tensor.over(int32(1, 2), 'int32', [2]);
    expect(() => (tensor.shape as number[]).push(1)).toThrow(TypeError);
  });

  test('views share memory', () => {
    const tensor = Tensor.over(ramp(12), 'int32', [3, 2, 2]);
    const rows = tensor.view(1, 2);
    expect(rows.shape).toEqual([2, 2, 2]);
    expect([...(rows.data ?? [])]).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
    const one = rows.at(1);
    expect(one.shape).toEqual([2, 2]);
    expect([...(one.data ?? [])]).toEqual([8, 9, 10, 11]);
    expect(one.data?.buffer).toBe(tensor.data?.buffer);
    if (tensor.data) tensor.data[8] = -1;
    expect(one.data?.[0]).toBe(-1);
    expect(tensor.view(3, 0).data).toHaveLength(0);
    expect(tensor.at(2).at(1).at(1).shape).toEqual([]);
    expect(tensor.at(2).at(1).at(1).data).toEqual(new Int32Array([11]));
  });

  test.each([
    ['view', [-1, 1]],
    ['view', [0, 4]],
    ['view', [2, 2]],
    ['view', [0.5, 1]],
    ['at', [3]],
    ['at', [-1]],
    ['at', ['0']],
  ])('%s(%p) is out of range', (method, args) => {
    const tensor = Tensor.over(ramp(3), 'int32', [3]);
    const call = () =>
      (tensor as never as Record<string, (...a: unknown[]) => unknown>)[method]?.(...args);
    expect(call).toThrow(/^Expected integer between 0 and \d for (start|count|index) but received/);
  });
});

describe('reshape', () => {
  test('the same elements in another shape, as a view of its own', () => {
    const memory = ramp(12);
    const tensor = Tensor.over(memory, 'int32', [3, 2, 2]);
    const flat = tensor.view(1, 2).reshape([8]);
    expect(flat.shape).toEqual([8]);
    expect([...(flat.data ?? [])]).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
    expect(flat.data?.buffer).toBe(tensor.data?.buffer);
    expect(tensor.reshape([-1, 6]).shape).toEqual([2, 6]);
    expect(tensor.reshape([1, 3, -1]).shape).toEqual([1, 3, 4]);
    expect(tensor.view(0, 0).reshape([0, 5]).shape).toEqual([0, 5]);
    expect(tensor.at(0).at(0).at(0).reshape([1, 1]).data).toEqual(new Int32Array([0]));
    expect(tensor.at(0).at(0).at(0).reshape([]).shape).toEqual([]);
    tensor.close();
    expect([...(flat.data ?? [])]).toHaveLength(8);
    expect(() => tensor.reshape([12])).toThrow(CLOSED as Error);
  });

  test('another number of elements is refused', () => {
    const tensor = Tensor.over(ramp(12), 'int32', [12]);
    const wrong = [[5], [-1, 5], [-1, -1], [0, -1], [12, 0], [-2, -6], [1.5, 8], [NaN], 12, null];
    for (const shape of [...wrong, ['12']]) {
      expect(() => tensor.reshape(shape as number[])).toThrow(
        /^Expected a shape of 12 elements, with at most one -1 for shape but received/,
      );
    }
  });
});

describe('copyTo', () => {
  test('copies a view into the beginning of the target, without looking at the memory', () => {
    const memory = ramp(12);
    const tensor = Tensor.over(memory, 'int32', [3, 2, 2]);
    const target = new Int32Array(6).fill(-1);
    tensor.at(1).copyTo(target);
    expect([...target]).toEqual([4, 5, 6, 7, -1, -1]);
    tensor.view(1, 1).copyTo(target.subarray(2));
    expect([...target]).toEqual([4, 5, 4, 5, 6, 7]);
    expect(memory.looks).toBe(0);
  });

  test('takes the type of data only, and enough of it', () => {
    const tensor = Tensor.over(ramp(4), 'int32', [4]);
    for (const target of [new Int32Array(3), new Float32Array(4), new ArrayBuffer(16), [1], null]) {
      const copy = (): void => tensor.copyTo(target as Int32Array);
      expect(copy).toThrow(/^Expected Int32Array of at least 4 elements for target but received /);
    }
    tensor.close();
    expect(() => tensor.copyTo(new Int32Array(4))).toThrow(CLOSED as Error);
  });

  test('is not for memory of a GPU', () => {
    const tensor = Tensor.over(new FakeBuffer(new ArrayBuffer(4), 'cuda:0'), 'int32', [1]);
    const message = /^Expected a tensor in host memory for copyTo\(\) .*cuda:0.*; use toHost\(\)$/;
    expect(() => tensor.copyTo(new Int32Array(1))).toThrow(message);
  });
});

describe('close', () => {
  test('every access throws afterwards, closing again does not', async () => {
    const tensor = Tensor.over(ramp(4), 'int32', [4]);
    tensor.close();
    tensor.close();
    tensor[Symbol.dispose]();
    expect(tensor.closed).toBe(true);
    for (const key of ['dtype', 'shape', 'length', 'device', 'data'] as const) {
      expect(() => tensor[key]).toThrow(CLOSED as Error);
    }
    expect(() => tensor.view(0, 1)).toThrow(CLOSED as Error);
    expect(() => tensor.at(0)).toThrow(CLOSED as Error);
    await expect(tensor.toHost()).rejects.toEqual(CLOSED);
    await expect(tensor.toFloat32()).rejects.toEqual(CLOSED);
  });

  test('the last of all views releases the memory, once', () => {
    const memory = ramp(4);
    const tensor = Tensor.over(memory, 'int32', [4]);
    const view = tensor.view(1, 2);
    const deeper = view.at(0);
    tensor.close();
    view.close();
    view.close();
    expect(memory.released).toBe(0);
    expect(deeper.data).toEqual(new Int32Array([1]));
    deeper.close();
    expect(memory.released).toBe(1);
  });

  test('no ArrayBuffer is made before someone looks', () => {
    const memory = ramp(4);
    const tensor = Tensor.over(memory, 'int32', [4]);
    void tensor.view(0, 2).shape;
    expect(memory.looks).toBe(0);
    void tensor.data;
    expect(memory.looks).toBe(1);
  });

  test('an array taken before close() stays valid', () => {
    const tensor = Tensor.over(ramp(4), 'int32', [4]);
    const { data } = tensor;
    tensor.close();
    expect(data).toEqual(new Int32Array([0, 1, 2, 3]));
  });
});

describe('device memory', () => {
  test('has no data, downloads once for all views', async () => {
    const memory = new FakeBuffer(new Int32Array([1, 2, 3, 4]).buffer, 'cuda:0');
    const tensor = Tensor.over(memory, 'int32', [2, 2]);
    const row = tensor.at(1);
    expect(tensor.data).toBeUndefined();
    expect(tensor.device).toBe('cuda:0');
    expect(await row.toHost()).toEqual(new Int32Array([3, 4]));
    expect(await tensor.toHost()).toEqual(new Int32Array([1, 2, 3, 4]));
    expect(await row.toFloat32()).toEqual(new Float32Array([3, 4]));
    expect(memory.downloads).toBe(1);
    tensor.close();
    row.close();
    expect(memory.released).toBe(1);
  });

  test('a download that failed is tried again', async () => {
    const memory = new FakeBuffer(new Int32Array([7]).buffer, 'cuda:0');
    const tensor = Tensor.over(memory, 'int32', [1]);
    jest.spyOn(memory, 'toHost').mockRejectedValueOnce(new Error('no memory'));
    await expect(Promise.all([tensor.toHost(), tensor.toHost()])).rejects.toThrow('no memory');
    expect(await tensor.toHost()).toEqual(new Int32Array([7]));
    expect(memory.downloads).toBe(1);
  });
});

describe('toFloat32', () => {
  test('host memory is not copied by toHost, nor float32 by toFloat32', async () => {
    const tensor = Tensor.over(jsMemory(new Float32Array([1, 2]).buffer), 'float32', [2]);
    expect(await tensor.toHost()).toBe(tensor.data);
    expect(await tensor.toFloat32()).toBe(tensor.data);
  });

  test('int64 and bool', async () => {
    const values = BigInt64Array.of(-5n, 0n, 2n ** 40n);
    const tensor = Tensor.over(jsMemory(values.buffer), 'int64', [3]);
    expect(tensor.data).toEqual(values);
    expect([...(await tensor.toFloat32())]).toEqual([-5, 0, 2 ** 40]);
    const flags = Tensor.over(jsMemory(Uint8Array.of(1, 0).buffer), 'bool', [2]);
    expect([...(await flags.toFloat32())]).toEqual([1, 0]);
  });

  test('uint8 and int32', async () => {
    const bytes = Tensor.over(jsMemory(new Uint8Array([0, 7, 255]).buffer), 'uint8', [3]);
    expect(await bytes.toFloat32()).toEqual(new Float32Array([0, 7, 255]));
    expect(await Tensor.over(int32(-5, 9), 'int32', [2]).toFloat32()).toEqual(
      new Float32Array([-5, 9]),
    );
  });

  test('large ones let the event loop go on', async () => {
    const n = 3_500_000;
    const bits = new Uint16Array(n).fill(0x3f80);
    bits[n - 1] = 0x4000;
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const values = await Tensor.over(jsMemory(bits.buffer), 'bfloat16', [n]).toFloat32();
    clearInterval(timer);
    expect(turns).toBeGreaterThanOrEqual(2);
    expect(values).toHaveLength(n);
    expect(values.subarray(0, -1).every((value) => value === 1)).toBe(true);
    expect(values[n - 1]).toBe(2);
  });

  const everyPattern = new Uint16Array(65536).map((_, i) => i);

  test('bfloat16: all 65536 patterns', async () => {
    const view = new DataView(new ArrayBuffer(4));
    const expected = Array.from(everyPattern, (bits) => {
      view.setUint32(0, bits * 65536);
      return view.getFloat32(0);
    });
    const tensor = Tensor.over(jsMemory(everyPattern.buffer), 'bfloat16', [65536]);
    expect(await tensor.toFloat32()).toEqual(Float32Array.from(expected));
  });

  test('float16: all 65536 patterns, by the definition of binary16', async () => {
    const expected = Array.from(everyPattern, (bits) => {
      const sign = bits & 0x8000 ? -1 : 1;
      const exponent = (bits >> 10) & 31;
      const fraction = bits & 1023;
      if (exponent === 31) return fraction ? NaN : sign * Infinity;
      return exponent === 0
        ? sign * fraction * 2 ** -24
        : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
    });
    const tensor = Tensor.over(jsMemory(everyPattern.buffer), 'float16', [65536]);
    const actual = await tensor.toFloat32();
    expect(actual).toEqual(Float32Array.from(expected));
    expect(Object.is(actual[0x8000], -0)).toBe(true);
  });
});
