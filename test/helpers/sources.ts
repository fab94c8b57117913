/** Sources for tests: a file's bytes read on demand, counted, slow or wrong in some way. */
import * as fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { VideoSource } from '../../src/index.js';

export interface Reads {
  /** [offset, end) of each read, in order. */
  readonly ranges: [number, number][];
  /** The most that were outstanding at once. */
  atOnce: number;
  readonly bytes: number;
}

/** The file as a source; `delayMs` for each read. */
export function sourceOf(file: string, delayMs = 0): VideoSource & { readonly reads: Reads } {
  const { size } = fs.statSync(file);
  let outstanding = 0;
  const reads = {
    ranges: [] as [number, number][],
    atOnce: 0,
    get bytes(): number {
      return this.ranges.reduce((sum, [begin, end]) => sum + end - begin, 0);
    },
  };
  return {
    size,
    name: file,
    reads,
    async read(offset, length) {
      reads.ranges.push([offset, offset + length]);
      reads.atOnce = Math.max(reads.atOnce, ++outstanding);
      if (delayMs > 0) await sleep(delayMs);
      const handle = await fs.promises.open(file);
      try {
        const bytes = new Uint8Array(length);
        const { bytesRead } = await handle.read(bytes, 0, length, offset);
        return bytes.subarray(0, bytesRead);
      } finally {
        await handle.close();
        outstanding--;
      }
    },
  };
}

/** Gives what `read` says from the n-th read on, and what `source` says before. */
export function failingFrom(
  n: number,
  source: VideoSource,
  read: VideoSource['read'],
): VideoSource & { count: number } {
  const failing = {
    size: source.size,
    name: source.name,
    count: 0,
    read: (...args: Parameters<VideoSource['read']>): Promise<Uint8Array | ArrayBuffer> =>
      failing.count++ < n ? source.read(...args) : read(...args),
  };
  return failing;
}
