/** Shards written from the text of the formats, for readers to be held against. */
import * as fs from 'node:fs';

export type Elements = Uint8Array | Int32Array | BigInt64Array | Uint16Array | Float32Array;
export interface Made {
  readonly dtype: 'uint8' | 'bool' | 'int32' | 'int64' | 'float16' | 'bfloat16' | 'float32';
  readonly shape: readonly number[];
  readonly data: Elements;
}

const NPY = {
  uint8: '|u1',
  bool: '|b1',
  int32: '<i4',
  int64: '<i8',
  float16: '<f2',
  float32: '<f4',
};
const SAFE = { uint8: 'U8', bool: 'BOOL', int32: 'I32', int64: 'I64', float16: 'F16' };
const SAFE_MORE = { bfloat16: 'BF16', float32: 'F32' };

const bytesOf = ({ buffer, byteOffset, byteLength }: Elements): Buffer =>
  Buffer.from(new Uint8Array(buffer, byteOffset, byteLength));

/** A .npy file, version 1.0. */
export function npy({ dtype, shape, data }: Made): Buffer {
  const sides = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const descr = NPY[dtype as keyof typeof NPY];
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${sides}), }`;
  const header = `${text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11)}\n`;
  const length = Buffer.from([header.length & 255, header.length >> 8]);
  return Buffer.concat([
    Buffer.from('\x93NUMPY\x01\x00', 'latin1'),
    length,
    Buffer.from(header, 'latin1'),
    bytesOf(data),
  ]);
}

/** A .safetensors file. */
export function safetensors(tensors: Readonly<Record<string, Made>>): Buffer {
  let at = 0;
  const header = Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, shape, data }]) => {
      const types: Record<string, string> = { ...SAFE, ...SAFE_MORE };
      const begin = at;
      at += data.byteLength;
      return [name, { dtype: types[dtype], shape, data_offsets: [begin, at] }];
    }),
  );
  const json = Buffer.from(JSON.stringify({ __metadata__: { format: 'pt' }, ...header }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, ...Object.values(tensors).map(({ data }) => bytesOf(data))]);
}

/** A ustar header. */
function header(name: string, size: number, type = '0'): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0, 100);
  block.write('0000644\0', 100);
  block.write('0000000\x000000000\0', 108);
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  block.write('00000000000\0', 136);
  block.write(`        ${type}`, 148);
  block.write('ustar\x0000', 257);
  const sum = block.reduce((all, byte) => all + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

export type Files = readonly (readonly [name: string, data: Buffer])[];

/** An archive of files. */
export function tar(files: Files): Buffer {
  const parts = files.flatMap(([name, data]) => [
    header(name, data.length),
    data,
    Buffer.alloc((512 - (data.length % 512)) % 512),
  ]);
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

/** The members of one sample. */
export function sample(
  key: string,
  tensors: Readonly<Record<string, Made>>,
  json?: object,
  members: 'npy' | 'safetensors' = 'npy',
): Files {
  const own: Files =
    members === 'npy'
      ? Object.entries(tensors).map(([name, made]) => [`${key}.${name}.npy`, npy(made)])
      : [[`${key}.safetensors`, safetensors(tensors)]];
  return json ? [...own, [`${key}.json`, Buffer.from(JSON.stringify(json))]] : own;
}

export function writeShard(file: string, samples: readonly Files[]): void {
  fs.writeFileSync(file, tar(samples.flat()));
}
