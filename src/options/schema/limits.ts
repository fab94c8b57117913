/** Options of what a call may take. */
import { BOTH, INT32_MAX, integer } from '../kinds.js';

export const LIMITS = {
  maxFramePixels: integer({
    apis: BOTH,
    record: 'source',
    default: 16384 * 16384,
    min: 1,
    max: INT32_MAX,
    doc: 'Videos with more pixels per frame are refused with ERR_CPS_UNSUPPORTED.',
  }),
  maxFrames: integer({
    apis: BOTH,
    record: 'source',
    default: 10_000_000,
    min: 1,
    max: INT32_MAX,
    doc: 'Videos with more frames are refused with ERR_CPS_UNSUPPORTED.',
  }),
  maxMemoryBytes: integer({
    apis: BOTH,
    record: 'source',
    default: 4 * 1024 ** 3,
    min: 1024 ** 2,
    max: Number.MAX_SAFE_INTEGER,
    defaultText: '4 GiB',
    doc:
      'Memory that one call may take: for the frames it keeps, its result, and what the frame index ' +
      'takes beyond 16 MiB (some 200,000 frames). Checked before allocation; a call that needs more ' +
      'fails with ERR_CPS_OUT_OF_MEMORY.',
  }),
  timeoutMs: integer({
    apis: BOTH,
    record: 'call',
    default: 0,
    min: 0,
    max: INT32_MAX,
    doc:
      'Milliseconds that a call may take, the wait for a thread included. Then it is stopped and ' +
      'rejects with ERR_CPS_TIMEOUT. 0: no limit.',
  }),
} as const;
