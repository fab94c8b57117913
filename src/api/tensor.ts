import { inspect } from 'node:util';
import type { NativeBuffer, NativeBytes } from '../native/binding.js';
import { closedError, CodecPatchStreamError } from '../support/errors.js';
import { toFloat32 } from '../support/floats.js';
import { checkInteger, invalid, isDetached } from '../support/is.js';
import { bindToThread } from '../support/thread-bound.js';

/** Element types and the typed array that holds each; half floats are raw bits, bool is 0 or 1. */
export interface TensorDataMap {
  /** 0..255. */
  uint8: Uint8Array;
  /** 0 or 1, a byte each. */
  bool: Uint8Array;
  /** Whole numbers of 32 bits. */
  int32: Int32Array;
  /** Whole numbers of 64 bits. */
  int64: BigInt64Array;
  /** IEEE 754 binary16, as its bits. */
  float16: Uint16Array;
  /** The upper half of a float32, as its bits. */
  bfloat16: Uint16Array;
  /** IEEE 754 binary32. */
  float32: Float32Array;
}

/** Names of element types. */
export type DType = keyof TensorDataMap;

/** What `data` of a tensor gives: the elements where they are known to be on the host. */
export type TensorData<D extends DType, H extends boolean> = H extends true
  ? TensorDataMap[D]
  : TensorDataMap[D] | undefined;

const ARRAYS: {
  readonly [D in DType]: {
    readonly BYTES_PER_ELEMENT: number;
    readonly name: string;
    new (buffer: ArrayBuffer, byteOffset: number, length: number): TensorDataMap[D];
  };
} = {
  uint8: Uint8Array,
  bool: Uint8Array,
  int32: Int32Array,
  int64: BigInt64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  float32: Float32Array,
};

/** The part of a NativeBuffer that a tensor needs; memory of JavaScript can stand in for it. */
export type TensorMemory = Pick<
  NativeBuffer,
  'device' | 'address' | 'arrayBuffer' | 'copyTo' | 'toHost' | 'release'
>;

/** Plain JavaScript memory as tensor memory. */
export function jsMemory(buffer: ArrayBuffer): TensorMemory {
  return {
    device: 'cpu',
    address: 0n, // the engine does not tell
    arrayBuffer: () => buffer,
    copyTo: (target, byteOffset) => {
      if (isDetached(buffer)) throw transferredError();
      target.set(new Uint8Array(buffer, byteOffset, target.byteLength));
    },
    toHost: () => Promise.resolve(buffer),
    release: () => undefined,
  };
}

// Note [Who holds native memory]
// One SharedMemory per native buffer, one reference per open tensor over it. The last close()
// releases the buffer: at once if no typed array was ever made from it, else when the garbage
// collector finds the last array (NativeBuffer.release). Tensors that are never closed go with the
// garbage collector as well, so a forgotten close() costs memory for a while, never for good.
class SharedMemory {
  #open = 0;
  #download: Promise<ArrayBuffer> | undefined;

  constructor(private readonly memory: TensorMemory) {}

  get device(): string {
    return this.memory.device;
  }

  get address(): bigint {
    return this.memory.address;
  }

  get onHost(): boolean {
    return this.memory.device === 'cpu';
  }

  retain(): this {
    this.#open++;
    return this;
  }

  release(): void {
    if (--this.#open === 0) {
      this.#download = undefined;
      this.memory.release();
    }
  }

  arrayBuffer(): ArrayBuffer {
    return this.memory.arrayBuffer();
  }

  /** The addon's memory as it knows it; undefined for JavaScript's. */
  get native(): NativeBuffer | undefined {
    return this.memory.address === 0n ? undefined : (this.memory as NativeBuffer);
  }

  copyTo(target: Uint8Array, byteOffset: number): void {
    this.memory.copyTo(target, byteOffset);
  }

  /** One download for all views of the buffer; after one that failed the next call tries again. */
  toHost(): Promise<ArrayBuffer> {
    if (this.onHost) return Promise.resolve(this.memory.arrayBuffer());
    if (this.#download) return this.#download;
    const download = this.memory.toHost();
    this.#download = download;
    download.catch(() => {
      if (this.#download === download) this.#download = undefined;
    });
    return download;
  }
}

/**
 * A dense tensor in row-major order over native memory.
 *
 * On the CPU `data` is that memory itself, without a copy. Views (`view`, `at`, what streams hand
 * out) share it; each has its own close(), and the memory lives until the last one is closed. A
 * typed array taken from `data` stays valid as long as it is referenced, closed tensor or not.
 *
 * The second parameter is true where the types know that the elements are in host memory: results of
 * calls with backend (or processBackend) 'cpu'.
 */
export class Tensor<D extends DType = DType, H extends boolean = boolean> {
  /** Undefined once closed: a closed tensor that is still referenced keeps no memory alive. */
  #shared: SharedMemory | undefined;
  readonly #dtype: D;
  readonly #shape: readonly number[];
  readonly #offset: number;
  readonly #length: number;
  #data: TensorDataMap[D] | undefined;

  private constructor(shared: SharedMemory, dtype: D, shape: readonly number[], offset: number) {
    this.#shared = shared.retain();
    this.#dtype = dtype;
    this.#shape = Object.freeze([...shape]);
    this.#offset = offset;
    this.#length = shape.reduce((product, side) => product * side, 1);
    bindToThread(this);
  }

  /** @internal Takes over `memory`: closing the tensor and its views releases it. */
  static over<D extends DType, H extends boolean = boolean>(
    memory: TensorMemory,
    dtype: D,
    shape: readonly number[],
  ): Tensor<D, H> {
    return new Tensor(new SharedMemory(memory), dtype, shape, 0);
  }

  /** @internal */
  static bytesPerElement(dtype: DType): number {
    return ARRAYS[dtype].BYTES_PER_ELEMENT;
  }

  /** @internal The elements for a native call: the addon's memory where they are in it. */
  static bytesOf(tensor: Tensor): NativeBytes {
    const size = ARRAYS[tensor.#dtype].BYTES_PER_ELEMENT;
    const byteLength = tensor.#length * size;
    const { native } = tensor.#memory();
    if (native) return { memory: native, byteOffset: tensor.#offset * size, byteLength };
    const { buffer, byteOffset } = tensor.data as Uint8Array<ArrayBuffer>;
    return { memory: new Uint8Array(buffer, byteOffset, byteLength), byteOffset: 0, byteLength };
  }

  /** Type of the elements. */
  get dtype(): D {
    this.#memory();
    return this.#dtype;
  }

  /** Length of each axis, the slowest first. */
  get shape(): readonly number[] {
    this.#memory();
    return this.#shape;
  }

  /** Number of elements. */
  get length(): number {
    this.#memory();
    return this.#length;
  }

  /** 'cpu' or 'cuda:N'. */
  get device(): string {
    return this.#memory().device;
  }

  /**
   * Where the first element is in the memory of `device`, for native code that shares it: opaque,
   * valid until close(), 0n for memory that JavaScript owns.
   */
  get handle(): bigint {
    const { address } = this.#memory();
    return address === 0n
      ? 0n
      : address + BigInt(this.#offset * ARRAYS[this.#dtype].BYTES_PER_ELEMENT);
  }

  /** Whether close() was called. This alone never throws. */
  get closed(): boolean {
    return this.#shared === undefined;
  }

  /** The elements, without a copy; undefined while they are on a GPU (see toHost). */
  get data(): TensorData<D, H> {
    return this.#onHost() as TensorData<D, H>;
  }

  /**
   * Copies the elements, in row-major order, into the first `length` of `target`. Unlike with
   * `data`, the last close() then frees the memory at once instead of leaving it to the garbage
   * collector. Throws for a tensor on a GPU (use toHost) and ERR_CPS_INVALID_ARGUMENT for a target
   * of another type or shorter than that.
   */
  copyTo(target: TensorDataMap[D]): void {
    const memory = this.#memory();
    const { name, BYTES_PER_ELEMENT } = ARRAYS[this.#dtype];
    const isTyped = ArrayBuffer.isView(target) && target[Symbol.toStringTag] === name;
    if (!isTyped || target.length < this.#length) {
      throw invalid('target', `${name} of at least ${this.#length} elements`, target);
    }
    if (!memory.onHost) {
      throw invalid('copyTo()', 'a tensor in host memory', memory.device, '; use toHost()');
    }
    const bytes = this.#length * BYTES_PER_ELEMENT;
    const place = new Uint8Array(target.buffer, target.byteOffset, bytes);
    memory.copyTo(place, this.#offset * BYTES_PER_ELEMENT);
  }

  /** The elements in host memory: `data` itself on the CPU, a download from a GPU. */
  async toHost(): Promise<TensorDataMap[D]> {
    const data = this.#onHost();
    if (data) return data;
    const buffer = await this.#memory().toHost();
    if (this.#length > 0 && isDetached(buffer)) throw transferredError();
    return this.#typed(buffer);
  }

  /**
   * The values as float32, in memory of its own (float32 on the CPU: `data` itself), made piece by
   * piece, between which the event loop goes on. Exact for every dtype but int32 and int64 values
   * beyond ±2^24.
   */
  async toFloat32(): Promise<Float32Array> {
    const data = await this.toHost();
    const dtype: DType = this.#dtype;
    if (dtype === 'float32') return data as Float32Array;
    return toFloat32(dtype, data as Exclude<TensorDataMap[DType], Float32Array>);
  }

  /** Entries [start, start + count) of the first axis, sharing the memory. Close it like any tensor. */
  view(start: number, count: number): Tensor<D, H> {
    this.#memory();
    const rows = this.#shape[0] ?? 0;
    checkInteger('start', start, 0, rows);
    checkInteger('count', count, 0, rows - start);
    return this.#sub(start, [count, ...this.#shape.slice(1)]);
  }

  /** Entry `index` of the first axis, without that axis, sharing the memory. */
  at(index: number): Tensor<D, H> {
    this.#memory();
    checkInteger('index', index, 0, (this.#shape[0] ?? 0) - 1);
    return this.#sub(index, this.#shape.slice(1));
  }

  /**
   * The same elements, in the same order, in another shape, sharing the memory; close it like any
   * tensor. One side may be -1: what the others leave. Throws ERR_CPS_INVALID_ARGUMENT for a shape of
   * another number of elements.
   */
  reshape(shape: readonly number[]): Tensor<D> {
    this.#memory();
    return new Tensor(this.#memory(), this.#dtype, resolved(shape, this.#length), this.#offset);
  }

  /** Drops the hold on the memory. Every access but `closed` then throws ERR_CPS_CLOSED. */
  close(): void {
    const shared = this.#shared;
    this.#shared = undefined;
    this.#data = undefined;
    shared?.release();
  }

  /** close(), for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** What JSON.stringify shows: type and shape, never elements. */
  toJSON(): { dtype: DType; shape: readonly number[]; device: string } | { closed: true } {
    return this.closed
      ? { closed: true }
      : { dtype: this.#dtype, shape: this.#shape, device: this.device };
  }

  /** What console.log shows. */
  [inspect.custom](): string {
    return this.closed
      ? 'Tensor (closed)'
      : `Tensor ${this.#dtype} [${this.#shape.join(', ')}] on ${this.device}`;
  }

  #onHost(): TensorDataMap[D] | undefined {
    const memory = this.#memory();
    if (!memory.onHost) return undefined;
    const buffer = memory.arrayBuffer();
    if (this.#length > 0 && isDetached(buffer)) throw transferredError();
    this.#data ??= this.#typed(buffer);
    return this.#data;
  }

  #sub(row: number, shape: readonly number[]): Tensor<D, H> {
    const rowLength = this.#shape.slice(1).reduce((product, side) => product * side, 1);
    return new Tensor(this.#memory(), this.#dtype, shape, this.#offset + row * rowLength);
  }

  #typed(buffer: ArrayBuffer): TensorDataMap[D] {
    const array = ARRAYS[this.#dtype];
    return new array(buffer, this.#offset * array.BYTES_PER_ELEMENT, this.#length);
  }

  #memory(): SharedMemory {
    if (!this.#shared) throw closedError('The tensor');
    return this.#shared;
  }
}

/** A shape of `length` elements with its -1 filled in. */
function resolved(shape: unknown, length: number): readonly number[] {
  const isSide = (side: unknown): boolean => Number.isSafeInteger(side) && Number(side) >= -1;
  if (Array.isArray(shape) && shape.every(isSide)) {
    const sides = [...(shape as number[])];
    const open = sides.indexOf(-1);
    const rest = sides.reduce((product, side, i) => (i === open ? product : product * side), 1);
    if (open >= 0 && rest > 0) sides[open] = length / rest;
    if (sides.every((side) => side >= 0 && Number.isInteger(side))) {
      if (sides.reduce((product, side) => product * side, 1) === length) return sides;
    }
  }
  throw invalid('shape', `a shape of ${length} elements, with at most one -1`, shape);
}

/** Use of elements whose ArrayBuffer was given away. */
const transferredError = (): CodecPatchStreamError =>
  new CodecPatchStreamError(
    'ERR_CPS_CLOSED',
    'result',
    "The memory of the tensor was transferred: 'data.buffer' is detached. To send the elements " +
      'elsewhere and keep the tensor, transfer a copy: data.slice().buffer',
  );
