/** Which GPUs an addon has kernels for, read from the file itself: what nvcc embeds is a fat binary for each source. */
import * as fs from 'node:fs';
import { Stop } from './shell.mjs';

const MAGIC = 0xba55ed50;
const KINDS = { 1: 'ptx', 2: 'code' };

/** The bytes of a section of a 64-bit little-endian ELF file; empty where there is none of that name. */
function section(bytes, wanted) {
  const table = Number(bytes.readBigUInt64LE(40));
  const [size, count, names] = [58, 60, 62].map((at) => bytes.readUInt16LE(at));
  const header = (index) => {
    const at = table + index * size;
    const [offset, length] = [24, 32].map((field) => Number(bytes.readBigUInt64LE(at + field)));
    return { name: bytes.readUInt32LE(at), content: bytes.subarray(offset, offset + length) };
  };
  const strings = header(names).content;
  for (let index = 0; index < count; index++) {
    const { name, content } = header(index);
    if (strings.toString('latin1', name, strings.indexOf(0, name)) === wanted) return content;
  }
  return bytes.subarray(0, 0);
}

/** `{ code, ptx, count }`: architectures (75, 80, …) with machine code and with PTX, and how many sources have them. */
export function kernelArchitectures(file) {
  const bytes = section(fs.readFileSync(file), '.nv_fatbin');
  const found = [];
  for (let at = 0; at + 16 <= bytes.length; at += 8) {
    if (bytes.readUInt32LE(at) !== MAGIC) continue;
    const end = at + 16 + Number(bytes.readBigUInt64LE(at + 8));
    const one = { code: [], ptx: [] };
    // Of each entry: kind, the size of its header and of what follows, the architecture.
    for (let entry = at + 16; entry < end;) {
      one[KINDS[bytes.readUInt16LE(entry)]]?.push(bytes.readUInt32LE(entry + 28));
      entry += bytes.readUInt32LE(entry + 4) + Number(bytes.readBigUInt64LE(entry + 8));
    }
    for (const list of Object.values(one)) list.sort((a, b) => a - b);
    found.push(one);
    at = end - 8;
  }
  const [first] = found;
  if (!first) throw new Stop(`${file} has no kernels`);
  if (found.some((one) => JSON.stringify(one) !== JSON.stringify(first))) {
    throw new Stop(`Not every kernel of ${file} is there for every architecture`);
  }
  return { ...first, count: found.length };
}
