/** Sessions of ONNX Runtime that run on the package's threads and take its tensors where they are. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { deviceSessions, Tensor } from 'codec-patch-stream';
import type { ElementType, ModelInput, ModelOutput, OpenSession } from 'codec-patch-stream';
import { checkInteger, failure, invalid, isUrl, messageOf } from '../common/errors.js';
import { ARRAYS, isInputType, loadOrt, makeOrtTensor } from './ort.js';
import type { Ort, OrtTensor, ValueMetadata } from './ort.js';

/** What ONNX Runtime computes with. */
export type ExecutionProvider = 'cuda' | 'tensorrt' | 'cpu';

/** Where outputs go: host memory, as tensors of onnxruntime-node, or left where they are made. */
export type OutputPlace = 'host' | 'device';

/** A value for an input of a model. */
export type DeviceFeeds = Readonly<Record<string, Tensor | OrtTensor>>;

/** What run() gives, by the names of the outputs. */
export type OutputsOf<P extends OutputPlace> = Record<
  string,
  P extends 'device' ? Tensor : OrtTensor
>;

/** How a model is opened. */
export interface DeviceSessionOptions<P extends OutputPlace = OutputPlace> {
  /** In the order in which they are asked for each node. Default: ['cpu']. */
  readonly executionProviders?: readonly ExecutionProvider[] | undefined;
  /** The GPU of 'cuda' and 'tensorrt'. Default: 0. */
  readonly deviceId?: number | undefined;
  /** Options by ONNX Runtime's names, such as { cuda: { gpu_mem_limit: 2 ** 31 } }. */
  readonly providerOptions?:
    | Readonly<
        Partial<Record<ExecutionProvider, Readonly<Record<string, string | number | boolean>>>>
      >
    | undefined;
  /** Threads within one run. Default: ONNX Runtime's choice, one per processor. */
  readonly intraOpNumThreads?: number | undefined;
  /** What run() gives unless it is told. Default: 'host'. */
  readonly outputs?: P | undefined;
  /** The module of ONNX Runtime. Default: onnxruntime-node, loaded at the first use. */
  readonly ort?: Ort | undefined;
  /** The file of the libonnxruntime that this module has loaded. Default: onnxruntime-node's. */
  readonly library?: string | undefined;
}

/** What is said per run. */
export interface DeviceRunOptions<P extends OutputPlace = OutputPlace> {
  /** Where the results are. Default: what create() was told. */
  readonly outputs?: P | undefined;
  /** Ends the run: it rejects with an AbortError once ONNX Runtime has stopped. */
  readonly signal?: AbortSignal | undefined;
}

const PROVIDERS: readonly ExecutionProvider[] = ['cuda', 'tensorrt', 'cpu'];
const KNOWN: readonly (keyof DeviceSessionOptions)[] = [
  'executionProviders',
  'deviceId',
  'providerOptions',
  'intraOpNumThreads',
  'outputs',
  'ort',
  'library',
];

/** The file that onnxruntime-node loads on this machine. */
function libraryOfOrt(): string {
  let folder: string;
  try {
    folder = path.dirname(require.resolve('onnxruntime-node'));
  } catch (cause) {
    const message = `onnxruntime-node is not installed (${messageOf(cause)}); install it, or pass library`;
    throw failure('ERR_CPS_BACKEND_UNAVAILABLE', message, cause);
  }
  while (!fs.existsSync(path.join(folder, 'bin')) && folder !== path.dirname(folder)) {
    folder = path.dirname(folder);
  }
  const bin = path.join(folder, 'bin');
  const builds = fs.existsSync(bin)
    ? fs.readdirSync(bin).filter((n) => n.startsWith('napi-v'))
    : [];
  for (const build of builds) {
    const place = path.join(bin, build, process.platform, process.arch);
    const names = fs.existsSync(place) ? fs.readdirSync(place) : [];
    const name = names.find((file) => /^libonnxruntime\.so(\.\d+)*$/.test(file));
    if (name !== undefined) return path.join(place, name);
  }
  throw failure(
    'ERR_CPS_BACKEND_UNAVAILABLE',
    `onnxruntime-node has no libonnxruntime.so for ${process.platform} ${process.arch} in ${bin}`,
  );
}

function place(value: unknown): OutputPlace {
  if (value === 'host' || value === 'device') return value;
  throw invalid('outputs', "'host' or 'device'", value);
}

function providersOf({
  executionProviders = ['cpu'],
  providerOptions = {},
}: DeviceSessionOptions): { name: string; options: Record<string, string> }[] {
  const known = (name: unknown): boolean => PROVIDERS.includes(name as ExecutionProvider);
  if (!Array.isArray(executionProviders) || !executionProviders.every(known)) {
    throw invalid('executionProviders', `a list of ${PROVIDERS.join(', ')}`, executionProviders);
  }
  const list = executionProviders as readonly ExecutionProvider[];
  for (const name of Object.keys(providerOptions)) {
    if (!list.includes(name as ExecutionProvider)) {
      throw invalid('providerOptions', `options of ${list.join(', ')}`, name);
    }
  }
  return list.map((name) => {
    const options = Object.entries(providerOptions[name] ?? {});
    return { name, options: Object.fromEntries(options.map(([key, v]) => [key, String(v)])) };
  });
}

function modelOf(model: unknown): string | Uint8Array {
  if (typeof model === 'string') return model;
  if (isUrl(model) && model.protocol === 'file:') return decodeURIComponent(model.pathname);
  if (ArrayBuffer.isView(model)) {
    return new Uint8Array(model.buffer, model.byteOffset, model.byteLength);
  }
  if (Object.prototype.toString.call(model) === '[object ArrayBuffer]') {
    return new Uint8Array(model as ArrayBuffer);
  }
  throw invalid('model', 'a path, a file: URL, or the bytes of a model', model);
}

/** ONNX Runtime's C type names against those of its Node API, where they differ. */
const metadataOf = (value: OpenSession['inputs'][number]): ValueMetadata =>
  value.type === 'undefined'
    ? { name: value.name, isTensor: false }
    : { name: value.name, isTensor: true, type: value.type, shape: value.shape };

/**
 * A model, opened once more in the ONNX Runtime that onnxruntime-node has loaded.
 *
 * Unlike an InferenceSession it takes tensors of this package as they are, bfloat16 and memory of a
 * GPU included; it runs on the package's threads, so that the event loop stays free; and it leaves
 * outputs on the device on request. Any number of runs may be on their way.
 */
export class DeviceSession<P extends OutputPlace = OutputPlace> {
  readonly #session: OpenSession;
  readonly #ort: Ort;
  readonly #outputs: P;
  /** Names, types and shapes of the inputs, as an InferenceSession has them. */
  readonly inputMetadata: readonly ValueMetadata[];
  /** The same of the outputs. */
  readonly outputMetadata: readonly ValueMetadata[];

  private constructor(session: OpenSession, ort: Ort, outputs: P) {
    this.#session = session;
    this.#ort = ort;
    this.#outputs = outputs;
    this.inputMetadata = session.inputs.map(metadataOf);
    this.outputMetadata = session.outputs.map(metadataOf);
  }

  /**
   * Opens a model: a path, a file: URL or its bytes. Throws ERR_CPS_BACKEND_UNAVAILABLE where ONNX
   * Runtime or a provider cannot be used (the message says what to install), ERR_CPS_NOT_FOUND,
   * ERR_CPS_CORRUPT or ERR_CPS_UNSUPPORTED for models that do not open.
   */
  static async create<P extends OutputPlace = 'host'>(
    model: string | URL | ArrayBuffer | ArrayBufferView,
    options: DeviceSessionOptions<P> = {},
  ): Promise<DeviceSession<P>> {
    for (const key of Object.keys(options)) {
      if (!(KNOWN as readonly string[]).includes(key)) {
        throw invalid('options', `keys ${KNOWN.join(', ')}`, key);
      }
    }
    const source = modelOf(model);
    const providers = providersOf(options);
    const outputs = place(options.outputs ?? 'host') as P;
    const deviceId = checkInteger('deviceId', options.deviceId ?? 0, 0, 1023);
    const intraOpNumThreads = checkInteger(
      'intraOpNumThreads',
      options.intraOpNumThreads ?? 0,
      0,
      1024,
    );
    const ort = loadOrt(options.ort);
    const library = options.library ?? libraryOfOrt();
    const config = { library, providers, deviceId, intraOpNumThreads };
    return new DeviceSession(await deviceSessions().open(source, config), ort, outputs);
  }

  /** Names of the inputs, in the model's order. */
  get inputNames(): readonly string[] {
    return this.#session.inputs.map(({ name }) => name);
  }

  /** Names of the outputs, in the model's order. */
  get outputNames(): readonly string[] {
    return this.#session.outputs.map(({ name }) => name);
  }

  /** Where inputs are taken as they are and where outputs stay: 'cpu' or 'cuda:N'. */
  get device(): string {
    return this.#session.device;
  }

  /**
   * Runs the model. Feeds are tensors of this package, in host memory or on the session's device
   * (elsewhere they are fetched first), or of onnxruntime-node, whose memory is copied before this
   * returns. They may be closed as soon as it has returned.
   *
   * With outputs 'host' the results are tensors of onnxruntime-node (float32 for bfloat16, which it
   * does not know); with 'device' tensors of this package, yours to close. Throws
   * ERR_CPS_INVALID_ARGUMENT for feeds that the model does not take, ERR_CPS_CLOSED after release().
   */
  async run<Q extends OutputPlace = P>(
    feeds: DeviceFeeds,
    options: DeviceRunOptions<Q> = {},
  ): Promise<OutputsOf<Q>> {
    const outputs = place(options.outputs ?? this.#outputs);
    const onDevice = outputs === 'device';
    if (onDevice) this.#session.outputs.forEach(checkStays);
    const results = await this.#session.run(this.#inputs(feeds), onDevice, options.signal);
    const named = results.map(
      async (result) =>
        [
          result.name,
          onDevice ? result.tensor(dtypeOf(result)) : await this.#toOrt(result),
        ] as const,
    );
    return Object.fromEntries(await Promise.all(named)) as OutputsOf<Q>;
  }

  #inputs(feeds: DeviceFeeds): ModelInput[] {
    const { inputs } = this.#session;
    const names = inputs.map(({ name }) => name);
    if (typeof feeds !== 'object' || (feeds as unknown) === null) {
      throw invalid('feeds', `an object with ${names.join(', ')}`, feeds);
    }
    const unknown = Object.keys(feeds).find((name) => !names.includes(name));
    if (unknown !== undefined) throw invalid('feeds', `inputs ${names.join(', ')}`, unknown);
    return inputs.map(({ name, type }) => {
      const value = Object.hasOwn(feeds, name) ? feeds[name] : undefined;
      if (value === undefined) throw invalid(`feeds.${name}`, 'a tensor', value);
      const input = value instanceof Tensor ? ofTensor(name, value) : ofOrt(name, value);
      if (input.type === type) return input;
      throw invalid(`feeds.${name}`, `a ${type} tensor, the model's type,`, input.type);
    });
  }

  async #toOrt(output: ModelOutput): Promise<OrtTensor> {
    const { type, dims } = output;
    if (type === 'bfloat16') {
      const tensor = output.tensor('bfloat16');
      const values = await tensor.toFloat32();
      tensor.close();
      return makeOrtTensor(this.#ort, 'float32', values, dims);
    }
    const buffer = output.arrayBuffer();
    if (isInputType(type)) {
      const count = dims.reduce((product, side) => product * side, 1);
      return makeOrtTensor(this.#ort, type, new ARRAYS[type](buffer, 0, count), dims);
    }
    const array = OTHER_ARRAYS[type];
    if (!array) throw unsupported(output.name, type);
    return new this.#ort.Tensor(type as never, new array(buffer) as never, [...dims]);
  }

  /** Waits for the runs on their way, then frees the model. Also `close()` and `await using`. */
  release(): Promise<void> {
    return this.#session.release();
  }

  /** The same as release(). */
  close(): Promise<void> {
    return this.release();
  }

  /** The same as release(), for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }
}

/** Types that tensors of this package do not have. */
const OTHER_ARRAYS: Partial<Record<ElementType, new (buffer: ArrayBuffer) => ArrayBufferView>> = {
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  float64: Float64Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
};

const unsupported = (name: string, type: ElementType, hint = '') =>
  failure('ERR_CPS_UNSUPPORTED', `The output '${name}' of the model is ${type}${hint}`);

const dtypeOf = ({ name, type }: { name: string; type: ElementType }) => {
  if (isInputType(type)) return type;
  throw unsupported(name, type, ", which no tensor of this package is; run with outputs: 'host'");
};

const checkStays = (output: { name: string; type: ElementType }): void => void dtypeOf(output);

const ofTensor = (name: string, data: Tensor): ModelInput => ({
  name,
  type: data.dtype,
  dims: data.shape,
  data,
});

function ofOrt(name: string, value: OrtTensor): ModelInput {
  const { type, dims, location } = value as Partial<OrtTensor>;
  const isTensor = typeof type === 'string' && Array.isArray(dims);
  if (!isTensor || (location !== undefined && location !== 'cpu' && location !== 'cpu-pinned')) {
    throw invalid(`feeds.${name}`, 'a tensor in host memory or of this package', value);
  }
  const { data } = value;
  if (!ArrayBuffer.isView(data)) {
    throw invalid(`feeds.${name}`, 'a tensor of numbers', type);
  }
  return { name, type: type as ElementType, dims, data };
}
