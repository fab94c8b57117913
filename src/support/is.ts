/** Argument checks and how they report: "Expected X for Y but received Z of type T". */
import { inspect } from 'node:util';
import { CodecPatchStreamError } from './errors.js';

const MAX_RECEIVED = 80;

/** A value for a message: short, on one line, never calling code of the value. */
export function show(value: unknown): string {
  if (typeof value === 'string') {
    const shortened = value.length > MAX_RECEIVED ? `${value.slice(0, MAX_RECEIVED)}…` : value;
    return `${JSON.stringify(shortened)} of type string`;
  }
  if (value === undefined || value === null) return String(value);
  if (typeof value === 'function') return 'a function';
  const text = inspect(value, {
    depth: 1,
    breakLength: Infinity,
    compact: true,
    maxArrayLength: 4,
    maxStringLength: 32,
    customInspect: false,
    getters: false,
  });
  const oneLine = text.replace(/\s+/g, ' ');
  const shortened = oneLine.length > MAX_RECEIVED ? `${oneLine.slice(0, MAX_RECEIVED)}…` : oneLine;
  return `${shortened} of type ${typeof value}`;
}

/** The error of every wrong argument. */
export function invalid(
  name: string,
  expected: string,
  received: unknown,
  hint = '',
  cause?: unknown,
): CodecPatchStreamError {
  return new CodecPatchStreamError(
    'ERR_CPS_INVALID_ARGUMENT',
    'options',
    `Expected ${expected} for ${name} but received ${show(received)}${hint}`,
    cause === undefined ? undefined : { cause },
  );
}

/** "integer between 1 and 10", "integer >= 1", ... */
export function rangeText(kind: 'integer' | 'number', min: number, max: number): string {
  if (min === Number.MIN_VALUE && max === Infinity) return `${kind} > 0`;
  const low = Number.isFinite(min);
  const high = Number.isFinite(max);
  if (low && high) return `${kind} between ${min} and ${max}`;
  if (low) return `${kind} >= ${min}`;
  if (high) return `${kind} <= ${max}`;
  return kind === 'number' ? 'finite number' : kind;
}

export function checkInteger(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw invalid(name, rangeText('integer', min, max), value);
  }
  return value;
}

export function checkNumber(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < min || value > max) {
    throw invalid(name, rangeText('number', min, max), value);
  }
  return value;
}

/** Whether the memory of an ArrayBuffer went elsewhere (transfer); Node 20 has no `detached`. */
export function isDetached(buffer: ArrayBufferLike): boolean {
  if (buffer.byteLength > 0) return false;
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}

/** Edits needed to turn `a` into `b` (Levenshtein), for "did you mean". */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** Names that others use for the same thing, without case and underscores. */
const SYNONYMS: Readonly<Record<string, readonly string[]>> = {
  videoPath: ['video', 'path', 'file', 'filename', 'filepath', 'input', 'source', 'src', 'url'],
  sequenceLength: [
    'numframes',
    'nframes',
    'frames',
    'framecount',
    'numsamples',
    'samples',
    'length',
  ],
  kKeep: ['k', 'topk', 'numpatches', 'maxpatches', 'patchcount', 'keep'],
  outputDtype: ['dtype', 'type', 'precision'],
  timeoutMs: ['timeout'],
  decodeThreads: ['threads', 'numthreads'],
  backend: ['device'],
  deviceId: ['gpu', 'gpuid', 'cuda'],
};

/** The known name that `unknown` most likely stands for, if any is close. */
export function nearestName(unknown: string, known: readonly string[]): string | undefined {
  // Case and underscores carry no meaning here: video_path is videoPath.
  const plain = (name: string): string => name.replace(/[_-]/g, '').toLowerCase();
  const wanted = plain(unknown.slice(0, 64));
  for (const name of known) {
    if (Object.hasOwn(SYNONYMS, name) && SYNONYMS[name]?.includes(wanted)) return name;
  }
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const name of known) {
    const distance = editDistance(wanted, plain(name));
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}
