/** What a run of a model takes when, against a stand-in for ONNX Runtime and for memory of a GPU. */
import { OpenSession } from '../../src/api/device-sessions.js';
import type { ModelInput } from '../../src/api/device-sessions.js';
import { jsMemory, Tensor } from '../../src/api/tensor.js';
import type { TensorMemory } from '../../src/api/tensor.js';
import type { NativeModelInput, NativeSession } from '../../src/native/binding.js';

/** Memory of another device; what is downloaded arrives with `arrive`. */
class Far implements TensorMemory {
  readonly device = 'cuda:0';
  readonly address = 64n;
  downloads = 0;
  arrive: () => void = () => undefined;
  fail: (error: Error) => void = () => undefined;

  constructor(readonly values: Float32Array<ArrayBuffer>) {}

  arrayBuffer(): never {
    throw new Error('not on the host');
  }

  copyTo(): never {
    throw new Error('not on the host');
  }

  toHost(): Promise<ArrayBuffer> {
    this.downloads++;
    return new Promise((resolve, reject) => {
      this.arrive = () => resolve(this.values.buffer);
      this.fail = reject;
    });
  }

  release(): void {
    // The addon holds the memory for a download.
  }
}

/** The addon's memory on the host: of no use once released. */
class Near implements TensorMemory {
  readonly device = 'cpu';
  readonly address = 128n;
  released = false;

  constructor(readonly values: Float32Array<ArrayBuffer>) {}

  arrayBuffer(): ArrayBuffer {
    return this.values.buffer;
  }

  copyTo(): void {
    throw new Error('not used');
  }

  toHost(): Promise<ArrayBuffer> {
    return Promise.resolve(this.values.buffer);
  }

  release(): void {
    this.released = true;
  }
}

function bytesOf({ memory, byteOffset, byteLength }: NativeModelInput): number[] {
  if (memory instanceof Uint8Array) {
    return [...new Float32Array(memory.slice(byteOffset, byteOffset + byteLength).buffer)];
  }
  const near = memory as unknown as Near;
  if (near.released) throw new Error('released memory');
  return [...near.values.subarray(byteOffset / 4, (byteOffset + byteLength) / 4)];
}

/** A session on the CPU that notes what it is run with. */
function sessionOf(seen: number[][][]): OpenSession {
  const native: NativeSession = {
    inputs: () => [],
    outputs: () => [],
    device: () => 'cpu',
    run: (inputs) => {
      seen.push(inputs.map(bytesOf));
      return Promise.resolve([]);
    },
    release: () => Promise.resolve(),
  };
  return new OpenSession(native);
}

const over = (memory: TensorMemory, length: number): Tensor =>
  Tensor.over(memory, 'float32', [length]);
const inputOf = (data: ModelInput['data']): ModelInput => ({
  ...{ name: 'x', type: 'float32', dims: [2] },
  data,
});

function everything() {
  const far = [new Far(Float32Array.of(1, 2)), new Far(Float32Array.of(3, 4))] as const;
  const near = new Near(Float32Array.of(0, 5, 6));
  const script = Float32Array.of(7, 8);
  const theirs = Float32Array.of(9, 10);
  const whole = over(near, 3);
  const part = whole.view(1, 2);
  whole.close();
  const tensors = [over(far[0], 2), over(far[1], 2), part, over(jsMemory(script.buffer), 2)];
  const inputs = [...tensors, theirs].map(inputOf);
  /** What feeds may go through once the run has been asked for. */
  const leave = (): void => {
    for (const tensor of tensors) tensor.close();
    script.fill(0);
    theirs.fill(0);
  };
  return { far, near, inputs, leave };
}

test('feeds may be closed and changed at once where some are fetched from another device', async () => {
  const seen: number[][][] = [];
  const { far, near, inputs, leave } = everything();
  const run = sessionOf(seen).run(inputs, false, undefined);
  leave();
  expect(far.map(({ downloads }) => downloads)).toEqual([1, 1]); // together
  expect(near.released).toBe(false);
  far[1].arrive();
  far[0].arrive();
  expect(await run).toEqual([]);
  expect(seen).toEqual([
    [
      [1, 2],
      [3, 4],
      [5, 6],
      [7, 8],
      [9, 10],
    ],
  ]);
  expect(near.released).toBe(true);
});

test('a download that fails, or an abort meanwhile, lets go of the others', async () => {
  for (const [end, says] of [
    [(far: Far) => far.fail(new Error('device lost')), 'device lost'],
    [(far: Far, abort: AbortController) => void (abort.abort(), far.arrive()), /abort/],
  ] as const) {
    const seen: number[][][] = [];
    const { far, near, inputs, leave } = everything();
    const abort = new AbortController();
    const run = sessionOf(seen).run(inputs, false, abort.signal);
    leave();
    far[1].arrive();
    end(far[0], abort);
    await expect(run).rejects.toThrow(says);
    expect([seen, near.released]).toEqual([[], true]);
  }
});
