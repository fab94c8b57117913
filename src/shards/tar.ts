/**
 * The members of a tar archive: ustar, with the long names of pax and of GNU tar. POSIX.1-2017, pax,
 * "ustar Interchange Format" and "pax Header Block". Headers alone are read, never what is in a member.
 */
import { corrupt, readBytes, unsupported } from './bytes.js';
import type { Bytes, Part } from './bytes.js';

const BLOCK = 512;
/** Headers often lie close together (a KEY.json is small), so more is read at once. */
const WINDOW = 8 * BLOCK;
/** Of a long name or a pax header. */
const MAX_EXTENSION = 1 << 20;

const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** What a header says of the member behind it. */
interface Header {
  readonly name: string;
  readonly size: number;
  readonly type: string;
}

class TarScanner {
  #window = new Uint8Array();
  #windowAt = 0;

  constructor(private readonly bytes: Bytes) {}

  fail(at: number, what: string): never {
    throw corrupt(this.bytes.name, `no tar archive at byte ${at}: ${what}`);
  }

  async block(at: number): Promise<Uint8Array> {
    const inside = at - this.#windowAt;
    if (inside < 0 || inside + BLOCK > this.#window.length) {
      const left = this.bytes.size - at;
      if (left < BLOCK) {
        this.fail(
          at,
          left <= 0 ? 'it ends without an end mark, so it was cut off' : 'it ends here',
        );
      }
      this.#window = await readBytes(this.bytes, at, Math.min(WINDOW, left));
      this.#windowAt = at;
      return this.#window.subarray(0, BLOCK);
    }
    return this.#window.subarray(inside, inside + BLOCK);
  }

  #string(at: number, block: Uint8Array, from: number, length: number): string {
    const field = block.subarray(from, from + length);
    const end = field.indexOf(0);
    return this.decode(at, end < 0 ? field : field.subarray(0, end));
  }

  decode(at: number, bytes: Uint8Array): string {
    try {
      return text.decode(bytes);
    } catch {
      return this.fail(at, 'a name is not UTF-8');
    }
  }

  /** Octal digits, or with the first bit set the number itself, the highest byte first. */
  #number(at: number, block: Uint8Array, from: number, length: number, what: string): number {
    const field = block.subarray(from, from + length);
    const first = field[0] ?? 0;
    let value = 0;
    if (first & 0x80) {
      if (first !== 0x80) this.fail(at, `${what} is negative or too large`);
      for (const byte of field.subarray(1)) value = value * 256 + byte;
    } else {
      const [, digits] = /^ *([0-7]+)[ \0]*$/.exec(String.fromCharCode(...field)) ?? [];
      if (digits === undefined) this.fail(at, `${what} is no octal number`);
      value = parseInt(digits, 8);
    }
    if (!Number.isSafeInteger(value)) this.fail(at, `${what} is too large`);
    return value;
  }

  header(at: number, block: Uint8Array): Header {
    let unsigned = 0;
    let signed = 0;
    for (let i = 0; i < BLOCK; i++) {
      const byte = i >= 148 && i < 156 ? 0x20 : (block[i] ?? 0);
      unsigned += byte;
      signed += (byte << 24) >> 24;
    }
    // Old programs added signed bytes up.
    const sum = this.#number(at, block, 148, 8, 'the checksum');
    if (sum !== unsigned && sum !== signed) this.fail(at, 'the checksum of the header is wrong');
    const size = this.#number(at, block, 124, 12, 'the size');
    const type = String.fromCharCode(block[156] ?? 0);
    const name = this.#string(at, block, 0, 100);
    const isPosix = this.#string(at, block, 257, 6) === 'ustar' && block[262] === 0;
    const prefix = isPosix ? this.#string(at, block, 345, 155) : '';
    return { name: prefix === '' ? name : `${prefix}/${name}`, size, type };
  }

  /** The text of a long name or a pax header. */
  async extension(at: number, size: number): Promise<Uint8Array> {
    if (size > MAX_EXTENSION) this.fail(at, `a name or a pax header of ${size} bytes`);
    if (size > this.bytes.size - at) this.fail(at, 'it ends within a name or a pax header');
    return readBytes(this.bytes, at, size);
  }

  /** "LENGTH KEY=VALUE\n", the length in decimal and of the whole record; values are bytes. */
  pax(at: number, data: Uint8Array): Map<string, string> {
    const records = new Map<string, string>();
    for (let from = 0; from < data.length;) {
      const space = data.indexOf(0x20, from);
      const digits =
        space < 0 ? '' : String.fromCharCode(...data.subarray(from, Math.min(space, from + 9)));
      const length = /^[1-9][0-9]{0,7}$/.test(digits) ? Number(digits) : 0;
      const end = from + length;
      if (end <= space || end > data.length || data[end - 1] !== 0x0a) {
        this.fail(at, 'a pax header that contradicts itself');
      }
      const record = this.decode(at, data.subarray(space + 1, end - 1));
      const equals = record.indexOf('=');
      if (equals < 1) this.fail(at, 'a pax header without a key');
      records.set(record.slice(0, equals), record.slice(equals + 1));
      from = end;
    }
    return records;
  }
}

const padded = (size: number): number => Math.ceil(size / BLOCK) * BLOCK;

/** The files of an archive, in its order; folders and links are left out, as `webdataset` does. */
export async function* tarMembers(bytes: Bytes): AsyncGenerator<Part, void> {
  const scanner = new TarScanner(bytes);
  let longName: string | undefined;
  let pax = new Map<string, string>();
  for (let at = 0; ;) {
    const block = await scanner.block(at);
    if (block.every((byte) => byte === 0)) {
      if (longName !== undefined || pax.size > 0) scanner.fail(at, 'a name without a member');
      return;
    }
    const header = scanner.header(at, block);
    const offset = at + BLOCK;
    const { type } = header;
    if (type === 'L' || type === 'K' || type === 'x' || type === 'g') {
      const data = await scanner.extension(offset, header.size);
      if (type === 'L') {
        const end = data.indexOf(0);
        longName = scanner.decode(at, end < 0 ? data : data.subarray(0, end));
      } else if (type === 'x') {
        pax = scanner.pax(at, data);
      } else if (type === 'g') {
        const global = [...scanner.pax(at, data).keys()];
        if (global.some((key) => /^(path|size|GNU\.sparse.*)$/.test(key))) {
          throw unsupported(bytes.name, 'a pax header that is to count for all members');
        }
      }
      at = offset + padded(header.size);
      continue;
    }
    const isSparse = [...pax.keys()].some((key) => key.startsWith('GNU.sparse'));
    if (isSparse || type === 'S' || type === 'M') {
      throw unsupported(
        bytes.name,
        `sparse or split members (at byte ${at}); write it with plain tar`,
      );
    }
    const name = pax.get('path') ?? longName ?? header.name;
    const said = pax.get('size');
    if (said !== undefined && !/^[0-9]{1,16}$/.test(said)) scanner.fail(at, 'a size that is none');
    const isFile = type === '0' || type === '\0' || type === '7';
    // Links and devices have no data, whatever their size says.
    const size = isFile || !/[1-6]/.test(type) ? Number(said ?? header.size) : 0;
    if (!Number.isSafeInteger(size) || size > bytes.size - offset) {
      scanner.fail(at, `'${name}' is longer than the file, which was cut off`);
    }
    if (isFile) yield { name, offset, size };
    longName = undefined;
    pax = new Map();
    at = offset + padded(size);
  }
}
