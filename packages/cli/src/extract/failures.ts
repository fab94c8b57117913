/** What is said of a video that has no sample, and what is no video's fault. */
import { CodecPatchStreamError } from 'codec-patch-stream';
import { inFlags } from '../flags.js';
import type { Failure, VideoRow } from './shards.js';
import { SourceError } from './sources.js';

/** The command was told to stop: by a signal, or by a queue. */
export class Stopped extends Error {
  constructor() {
    super('stopped');
  }
}

/** A sample that is not what the others are. */
export class SampleError extends Error {
  constructor(
    readonly code: 'ERR_CPS_UNSUPPORTED',
    message: string,
  ) {
    super(message);
  }
}

/** The same video may be fine when less is going on. */
export const isPressure = (error: unknown): boolean =>
  error instanceof CodecPatchStreamError &&
  (error.code === 'ERR_CPS_OUT_OF_MEMORY' || error.code === 'ERR_CPS_LIMIT');

/** What becomes of the next video just as well: not of one video. */
const OF_THE_MACHINE: readonly string[] = ['ERR_CPS_BACKEND_UNAVAILABLE', 'ERR_CPS_DEVICE'];

/** The failure of this video; undefined for an error that is not about it. */
export function failureOf({ index, path }: VideoRow, error: unknown): Failure | undefined {
  const ofVideo =
    error instanceof SourceError ||
    error instanceof SampleError ||
    (error instanceof CodecPatchStreamError && !OF_THE_MACHINE.includes(error.code));
  return ofVideo ? { index, path, code: error.code, message: inFlags(error.message) } : undefined;
}
