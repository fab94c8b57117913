/** The bytes of one sample: members of a tar archive, tensors as npy or safetensors files. */
import type { DType, Tensor } from 'codec-patch-stream';
import { Header } from 'tar';
import type { Settings } from './shards.js';

const BLOCK = 512;
const rounded = (bytes: number, to: number): number => Math.ceil(bytes / to) * to;

/** NumPy's names; it has none for bfloat16. */
const DESCR: Readonly<Record<Exclude<DType, 'bfloat16'>, string>> = {
  uint8: '|u1',
  bool: '|b1',
  int32: '<i4',
  int64: '<i8',
  float16: '<f2',
  float32: '<f4',
};
const SAFE: Readonly<Record<DType, string>> = {
  uint8: 'U8',
  bool: 'BOOL',
  int32: 'I32',
  int64: 'I64',
  float16: 'F16',
  bfloat16: 'BF16',
  float32: 'F32',
};
const BYTES: Readonly<Record<DType, number>> = {
  uint8: 1,
  bool: 1,
  int32: 4,
  int64: 8,
  float16: 2,
  bfloat16: 2,
  float32: 4,
};

/** The end of an archive: two blocks of zeros. */
export const TAR_END = Buffer.alloc(2 * BLOCK);

/** A file of an archive: what is known beforehand, and tensors behind it in order. */
interface Member {
  readonly name: string;
  readonly head: Buffer;
  readonly tensors: readonly Tensor[];
}

export const byteLength = ({ dtype, length }: Pick<Tensor, 'dtype' | 'length'>): number =>
  length * BYTES[dtype];

/** What stands in front of the elements in a .npy file, format 1.0. */
export function npyHead(dtype: DType, shape: readonly number[]): Buffer {
  if (dtype === 'bfloat16') throw new TypeError('NumPy has no bfloat16');
  const sides = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${DESCR[dtype]}', 'fortran_order': False, 'shape': (${sides}), }`;
  const total = rounded(10 + text.length + 1, 64);
  const head = Buffer.alloc(total, ' ');
  head.write('\x93NUMPY\x01\x00', 'latin1');
  head.writeUInt16LE(total - 10, 8);
  head.write(text, 10, 'latin1');
  head.write('\n', total - 1, 'latin1');
  return head;
}

/** What stands in front of the elements of all tensors in a .safetensors file. */
export function safetensorsHead(tensors: readonly (readonly [string, Tensor])[]): Buffer {
  let at = 0;
  const entries = tensors.map(([name, tensor]) => {
    const begin = at;
    at += byteLength(tensor);
    const { dtype, shape } = tensor;
    return [name, { dtype: SAFE[dtype], shape, data_offsets: [begin, at] }] as const;
  });
  const text = JSON.stringify(Object.fromEntries(entries));
  const head = Buffer.alloc(8 + rounded(text.length, 8), ' ');
  head.writeBigUInt64LE(BigInt(head.length - 8));
  head.write(text, 8, 'latin1');
  return head;
}

/** The widest elements first, so that each tensor begins at a multiple of its element. */
const byWidth = (tensors: readonly (readonly [string, Tensor])[]): [string, Tensor][] =>
  tensors
    .map(([name, tensor]): [string, Tensor] => [name, tensor])
    .sort(([, a], [, b]) => BYTES[b.dtype] - BYTES[a.dtype]);

function membersOf(
  key: string,
  tensors: readonly (readonly [string, Tensor])[],
  json: string,
  kind: Settings['members'],
): Member[] {
  const facts = { name: `${key}.json`, head: Buffer.from(json), tensors: [] };
  if (kind === 'safetensors') {
    const ordered = byWidth(tensors);
    const head = safetensorsHead(ordered);
    const all = ordered.map(([, tensor]) => tensor);
    return [{ name: `${key}.safetensors`, head, tensors: all }, facts];
  }
  const own = tensors.map(([name, tensor]) => ({
    name: `${key}.${name}.npy`,
    head: npyHead(tensor.dtype, tensor.shape),
    tensors: [tensor],
  }));
  return [...own, facts];
}

function tarHead(name: string, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const header = new Header({ path: name, size, type: 'File', mode: 0o644, uid: 0, gid: 0 });
  header.mtime = new Date(0);
  if (header.encode(block, 0)) throw new RangeError(`A member's name is too long: ${name}`);
  return block;
}

/** Copies the elements to `at`; memory of the package goes back at once, where a view would wait for the GC. */
async function copyElements(tensor: Tensor, target: Buffer, at: number): Promise<void> {
  if (tensor.device === 'cpu') {
    const [buffer, begin, count] = [target.buffer, target.byteOffset + at, tensor.length] as const;
    switch (tensor.dtype) {
      case 'uint8':
      case 'bool':
        return tensor.copyTo(new Uint8Array(buffer, begin, count));
      case 'int32':
        return tensor.copyTo(new Int32Array(buffer, begin, count));
      case 'int64':
        return tensor.copyTo(new BigInt64Array(buffer, begin, count));
      case 'float16':
      case 'bfloat16':
        return tensor.copyTo(new Uint16Array(buffer, begin, count));
      case 'float32':
        return tensor.copyTo(new Float32Array(buffer, begin, count));
    }
  }
  const { buffer, byteOffset, byteLength } = await tensor.toHost();
  target.set(new Uint8Array(buffer, byteOffset, byteLength), at);
}

/**
 * The members of one sample as they stand in the archive. Nothing in them depends on when, where and by
 * whom they are made.
 */
export async function sampleBytes(
  key: string,
  tensors: Readonly<Record<string, Tensor>>,
  json: string,
  kind: Settings['members'],
): Promise<Buffer> {
  const ordered = Object.keys(tensors)
    .sort()
    .map((name) => [name, tensors[name] as Tensor] as const);
  const members = membersOf(key, ordered, json, kind).map((member) => {
    const elements = member.tensors.reduce((sum, tensor) => sum + byteLength(tensor), 0);
    return { ...member, size: member.head.length + elements };
  });
  const total = members.reduce((sum, { size }) => sum + BLOCK + rounded(size, BLOCK), 0);
  // Memory of its own: typed arrays over it must begin at multiples of their elements.
  const bytes = Buffer.from(new ArrayBuffer(total));
  let at = 0;
  for (const { name, head, tensors: own, size } of members) {
    tarHead(name, size).copy(bytes, at);
    at += BLOCK;
    head.copy(bytes, at);
    let inside = at + head.length;
    for (const tensor of own) {
      await copyElements(tensor, bytes, inside);
      inside += byteLength(tensor);
    }
    at += rounded(size, BLOCK);
  }
  return bytes;
}
