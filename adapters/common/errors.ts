/** Errors of the adapters: the package's own, with the video they are about. */
import { inspect } from 'node:util';
import { AbortError, CodecPatchStreamError } from 'codec-patch-stream';
import type { ErrorCode } from 'codec-patch-stream';

/** A value for a message, short and on one line. */
export function show(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  const text = inspect(value, { depth: 1, breakLength: Infinity, maxArrayLength: 4 });
  const oneLine = text.replace(/\s+/g, ' ');
  const short = oneLine.length > 80 ? `${oneLine.slice(0, 80)}…` : oneLine;
  return value === undefined || value === null ? short : `${short} of type ${typeof value}`;
}

/** The error of every wrong argument. */
export function invalid(
  name: string,
  expected: string,
  received: unknown,
  hint = '',
): CodecPatchStreamError {
  return failure(
    'ERR_CPS_INVALID_ARGUMENT',
    `Expected ${expected} for ${name} but received ${show(received)}${hint}`,
  );
}

/** What to do about a value that is not yet, or nearly, what is wanted. */
function hintFor(value: unknown): string {
  if (typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function') {
    return '; await it first';
  }
  if (ArrayBuffer.isView(value)) return '; it is a typed array and no tensor of codec-patch-stream';
  return Array.isArray(value) ? '; pass its elements one by one' : '';
}

/** Whether `value` has these members: things of other copies of the package count, too. */
export const hasMembers = (value: unknown, ...names: readonly string[]): boolean =>
  typeof value === 'object' && value !== null && names.every((name) => name in value);

/** Throws what is wrong with an argument that has to have certain members. */
export function checkMembers(
  name: string,
  expected: string,
  value: unknown,
  ...members: readonly string[]
): void {
  const isModule = typeof value === 'function' && members.every((member) => member in value);
  if (!isModule && !hasMembers(value, ...members))
    throw invalid(name, expected, value, hintFor(value));
}

export function failure(code: ErrorCode, message: string, cause?: unknown): CodecPatchStreamError {
  return new CodecPatchStreamError(
    code,
    'options',
    message,
    cause === undefined ? undefined : { cause },
  );
}

/** The text of whatever was thrown, errors of other realms (vm contexts) included. */
export function messageOf(thrown: unknown): string {
  const message = (thrown as { message?: unknown } | null | undefined)?.message;
  return typeof message === 'string' ? message : String(thrown);
}

export function checkInteger(name: string, value: unknown, min: number, max = Infinity): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    const range = max === Infinity ? `>= ${min}` : `between ${min} and ${max}`;
    throw invalid(name, `integer ${range}`, value);
  }
  return value;
}

/** URL objects of any realm. */
export const isUrl = (value: unknown): value is URL =>
  value instanceof URL || Object.prototype.toString.call(value) === '[object URL]';

/** What a video is called in messages: its path, or how many bytes it has. */
export function describeVideo(video: unknown): string {
  if (typeof video === 'string') return video;
  if (isUrl(video)) return video.href;
  const bytes = (video as { byteLength?: unknown } | null)?.byteLength;
  return typeof bytes === 'number' ? `<memory, ${bytes} bytes>` : show(video);
}

/** An error that says which video it is about. */
export interface VideoError extends Error {
  /** The video as it was given: a path, URL or bytes. */
  readonly video: unknown;
  /** Its position among the videos, before any shuffling. */
  readonly index: number;
}

/** `error` as an error whose message names the video; `cause` is the original. */
export function videoError(error: unknown, video: unknown, index: number): Error {
  const name = describeVideo(video);
  const message = messageOf(error);
  const text = message.includes(name) ? message : `${name}: ${message}`;
  let named: Error;
  if (error instanceof CodecPatchStreamError) {
    named = new CodecPatchStreamError(error.code, error.stage, text, { cause: error });
  } else if (error instanceof AbortError) {
    named = error;
  } else {
    named = new Error(text, { cause: error });
  }
  return Object.assign(named, { video, index });
}
