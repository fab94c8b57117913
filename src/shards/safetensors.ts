/** Tensors of a safetensors file: https://github.com/huggingface/safetensors, "Format". */
import type { DType, Tensor } from '../api/tensor.js';
import { corrupt, readBytes, unsupported } from './bytes.js';
import type { Bytes, Part } from './bytes.js';
import { byteLength, MAX_AXES, readTensor } from './elements.js';

const MAX_HEADER = 1 << 20;
const HEAD = 1024;

const DTYPES: Readonly<Record<string, DType>> = {
  U8: 'uint8',
  BOOL: 'bool',
  I32: 'int32',
  I64: 'int64',
  F16: 'float16',
  BF16: 'bfloat16',
  F32: 'float32',
};

interface Entry {
  readonly key: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) &&
  value.every((side) => Number.isSafeInteger(side) && (side as number) >= 0);

function parseEntry(where: string, key: string, value: unknown): Entry {
  const { dtype: type, shape, data_offsets: place } = isObject(value) ? value : {};
  if (typeof type !== 'string' || !isCounts(shape) || !isCounts(place) || place.length !== 2) {
    throw corrupt(where, `'${key}' has no dtype, shape and data_offsets`);
  }
  const dtype = Object.hasOwn(DTYPES, type) ? DTYPES[type] : undefined;
  if (dtype === undefined) {
    const known = Object.keys(DTYPES).join(', ');
    throw unsupported(where, `Expected elements of type ${known} but '${key}' has '${type}'`);
  }
  const [begin, end] = place as [number, number];
  if (shape.length > MAX_AXES || byteLength(dtype, shape) !== end - begin) {
    throw corrupt(
      where,
      `${end - begin} bytes of ${type} for '${key}' of shape [${shape.join(', ')}]`,
    );
  }
  return { key, dtype, shape, begin, end };
}

/** The tensors by their names. They fill what is behind the header: no gap, no overlap. */
function parseHeader(where: string, text: string, room: number): Entry[] {
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch {
    throw corrupt(where, 'its header is no JSON');
  }
  if (!isObject(header)) throw corrupt(where, 'its header is no object');
  const entries = Object.entries(header)
    .filter(([key]) => key !== '__metadata__')
    .map(([key, value]) => parseEntry(where, key, value))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const { key, begin, end } of entries) {
    if (begin !== at) throw corrupt(where, `'${key}' begins at byte ${begin}, not at ${at}`);
    at = end;
  }
  if (at !== room) throw corrupt(where, `its tensors are ${at} bytes of ${room}`);
  return entries;
}

/** The tensors in `part` of a file, by name. */
export async function readSafetensors(bytes: Bytes, part: Part): Promise<Map<string, Tensor>> {
  const { name, offset, size } = part;
  let head = await readBytes(bytes, offset, Math.min(size, HEAD));
  if (size < 8) throw corrupt(name, 'it is no safetensors file');
  const length = new DataView(head.buffer).getBigUint64(0, true);
  if (length > BigInt(Math.min(MAX_HEADER, size - 8))) {
    throw corrupt(name, `its header of ${length} bytes is longer than it may be`);
  }
  const start = 8 + Number(length);
  if (start > head.length) head = await readBytes(bytes, offset, start);
  const text = Buffer.from(head.subarray(8, start)).toString('utf8');
  const tensors = new Map<string, Tensor>();
  for (const { key, dtype, shape, begin, end } of parseHeader(name, text, size - start)) {
    const elements = {
      name: `${name}, '${key}'`,
      offset: offset + start + begin,
      size: end - begin,
    };
    const known = start + begin < head.length ? head.subarray(start + begin) : undefined;
    tensors.set(key, await readTensor(bytes, elements, dtype, shape, known));
  }
  return tensors;
}
