/** Models of ONNX Runtime, run by the addon: what adapters/ort is built on. */
import { native } from '../native/binding.js';
import type {
  NativeBytes,
  NativeModelOutput,
  NativeModelValue,
  NativeSession,
} from '../native/binding.js';
import { onAbort } from '../support/abort.js';
import { AbortError, closedError, fromNativeError } from '../support/errors.js';
import { Tensor } from './tensor.js';
import type { DType } from './tensor.js';

/** ONNX's numbers of element types. */
const ELEMENT_TYPES = [
  'undefined',
  'float32',
  'uint8',
  'int8',
  'uint16',
  'int16',
  'int32',
  'int64',
  'string',
  'bool',
  'float16',
  'float64',
  'uint32',
  'uint64',
  'complex64',
  'complex128',
  'bfloat16',
] as const;

/** @internal */
export type ElementType = (typeof ELEMENT_TYPES)[number];

const nameOf = (type: number): ElementType => ELEMENT_TYPES[type] ?? 'undefined';

/** @internal An input or output as the model declares it; 'undefined' where it is no tensor. */
export interface ModelValue {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly (number | string)[];
}

/** @internal A value for an input: a tensor of this package, or the elements as they are in memory. */
export interface ModelInput {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly data: Tensor | ArrayBufferView;
}

/** @internal A value of an output, over ONNX Runtime's own memory. */
export class ModelOutput {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly #output: NativeModelOutput;

  constructor(output: NativeModelOutput) {
    this.name = output.name;
    this.type = nameOf(output.type);
    this.dims = output.dims;
    this.#output = output;
  }

  /** Host memory only. */
  arrayBuffer(): ArrayBuffer {
    return this.#output.memory.arrayBuffer();
  }

  /** Takes the memory over. */
  tensor(dtype: DType): Tensor {
    return Tensor.over(this.#output.memory, dtype, this.dims);
  }

  release(): void {
    this.#output.memory.release();
  }
}

/** @internal */
export interface SessionConfig {
  /** The file of the libonnxruntime that the process has loaded. */
  readonly library: string;
  readonly providers: readonly {
    readonly name: string;
    readonly options: Readonly<Record<string, string>>;
  }[];
  readonly deviceId: number;
  /** 0: ONNX Runtime's own choice. */
  readonly intraOpNumThreads: number;
}

/** @internal An open model. */
export class OpenSession {
  readonly inputs: readonly ModelValue[];
  readonly outputs: readonly ModelValue[];
  readonly device: string;
  readonly #session: NativeSession;
  readonly #running = new Set<Promise<unknown>>();
  #released: Promise<void> | undefined;

  constructor(session: NativeSession) {
    const describe = ({ name, type, shape }: NativeModelValue): ModelValue =>
      Object.freeze({ name, type: nameOf(type), shape: Object.freeze(shape) });
    this.#session = session;
    this.inputs = Object.freeze(session.inputs().map(describe));
    this.outputs = Object.freeze(session.outputs().map(describe));
    this.device = session.device();
  }

  get released(): boolean {
    return this.#released !== undefined;
  }

  /**
   * One run, on a thread of the package. Memory is taken before this returns: what belongs to the
   * addon is held, what belongs to JavaScript is copied. Tensors on another device than the
   * session's are fetched first, all of them at once.
   */
  run(
    inputs: readonly ModelInput[],
    onDevice: boolean,
    signal: AbortSignal | undefined,
  ): Promise<ModelOutput[]> {
    const run = this.#run(inputs, onDevice, signal);
    this.#running.add(run);
    const over = (): void => void this.#running.delete(run);
    run.then(over, over);
    return run;
  }

  async #run(
    inputs: readonly ModelInput[],
    onDevice: boolean,
    signal: AbortSignal | undefined,
  ): Promise<ModelOutput[]> {
    if (this.#released) throw closedError('The session');
    if (signal?.aborted) throw new AbortError(signal.reason);
    const held: Tensor[] = [];
    const cancel = native().createCancel();
    const listening = signal && onAbort(signal, () => cancel.cancel());
    try {
      const isFar = ({ data }: ModelInput): boolean => data instanceof Tensor && !this.#reads(data);
      const bytes = inputs.some(isFar)
        ? await this.#fetched(inputs, held)
        : inputs.map(({ data }) => bytesOf(data));
      const taken = inputs.map(({ name, type, dims }, i) => {
        return { name, type: ELEMENT_TYPES.indexOf(type), dims, ...(bytes[i] as NativeBytes) };
      });
      if (signal?.aborted) throw new AbortError(signal.reason);
      const run = this.#session.run(taken, onDevice, cancel); // takes the memory before it returns
      for (const tensor of held.splice(0)) tensor.close();
      const outputs = await run;
      const results = outputs.map((output) => new ModelOutput(output));
      if (!signal?.aborted) return results;
      for (const result of results) result.release();
      throw new AbortError(signal.reason);
    } catch (error) {
      throw fromNativeError(error, signal);
    } finally {
      for (const tensor of held) tensor.close();
      listening?.();
    }
  }

  /**
   * The elements of all inputs, those of another device brought to the host. The others wait meanwhile:
   * tensors are held by those in `held`, what JavaScript may change is copied.
   */
  #fetched(inputs: readonly ModelInput[], held: Tensor[]): Promise<NativeBytes[]> {
    const waiting = inputs.map(async ({ data }) => {
      if (!(data instanceof Tensor)) return copied(bytesOf(data));
      if (!this.#reads(data)) return bytesOf(await data.toHost());
      held.push(data.reshape(data.shape));
      return copied(Tensor.bytesOf(data));
    });
    return Promise.all(waiting);
  }

  #reads({ device }: Tensor): boolean {
    return device === 'cpu' || device === this.device;
  }

  /** Waits for the runs that are on their way. */
  release(): Promise<void> {
    this.#released ??= Promise.allSettled(this.#running).then(() => this.#session.release());
    return this.#released;
  }
}

/** JavaScript's memory as it is now; the addon's is only held. */
const copied = (bytes: NativeBytes): NativeBytes =>
  bytes.memory instanceof Uint8Array ? { ...bytes, memory: bytes.memory.slice() } : bytes;

const bytesOf = (data: Tensor | ArrayBufferView): NativeBytes =>
  data instanceof Tensor
    ? Tensor.bytesOf(data)
    : {
        memory: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
        byteOffset: 0,
        byteLength: data.byteLength,
      };

/** @internal */
export interface DeviceSessions {
  /** Opens a model (a file, or its bytes, which are copied) on a thread of the package. */
  open(model: string | Uint8Array, config: SessionConfig): Promise<OpenSession>;
}

/** @internal For adapters/ort: sessions of the ONNX Runtime that onnxruntime-node has loaded. */
export const deviceSessions = (): DeviceSessions => ({
  async open(model, { library, ...config }) {
    try {
      const cancel = native().createCancel();
      return new OpenSession(await native().openSession(library, model, config, cancel));
    } catch (error) {
      throw fromNativeError(error);
    }
  },
});
