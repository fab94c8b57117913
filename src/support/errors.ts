/**
 * What this package throws. A test compares ERROR_CODES with the names of native/core/error.h.
 */
/**
 * Every value of `CodecPatchStreamError.code`. OUT_OF_MEMORY and LIMIT (threads, open files) are
 * about the process or the machine and say nothing about the video: the same call may work later.
 */
export const ERROR_CODES = [
  'ERR_CPS_INVALID_ARGUMENT',
  'ERR_CPS_NOT_FOUND',
  'ERR_CPS_NO_VIDEO',
  'ERR_CPS_UNSUPPORTED',
  'ERR_CPS_CORRUPT',
  'ERR_CPS_BACKEND_UNAVAILABLE',
  'ERR_CPS_OUT_OF_MEMORY',
  'ERR_CPS_LIMIT',
  'ERR_CPS_DEVICE',
  'ERR_CPS_SOURCE',
  'ERR_CPS_CLOSED',
  'ERR_CPS_TIMEOUT',
] as const;

/** One of ERROR_CODES. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** The code of an AbortError, as in Node's own APIs. */
export const ABORT_CODE = 'ABORT_ERR';

/** Where in the pipeline it went wrong; 'load' is the native addon itself, 'result' its output. */
export const STAGES = [
  'load',
  'options',
  'open',
  'index',
  'decode',
  'process',
  'transfer',
  'result',
] as const;

/** One of STAGES: where in the pipeline it went wrong. */
export type Stage = (typeof STAGES)[number];

// Fields, never assignments: a field is defined on the error itself, while an assignment to a name
// that a frozen Error.prototype has (--frozen-intrinsics) would throw a TypeError instead.

/** Everything that goes wrong but an abort. The message says what, where and what to do. */
export class CodecPatchStreamError extends Error {
  /** Always 'CodecPatchStreamError'. */
  override readonly name = 'CodecPatchStreamError';
  /** What kind of error it is; docs/errors.md says what each means and what to do. */
  readonly code: ErrorCode;
  /** Where it went wrong. */
  readonly stage: Stage;

  /** @internal */
  constructor(code: ErrorCode, stage: Stage, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.stage = stage;
  }
}

/** The call was stopped by its AbortSignal; `cause` is the signal's reason. */
export class AbortError extends Error {
  /** Always 'AbortError', as in Node's own APIs. */
  override readonly name = 'AbortError';
  /** Always 'ABORT_ERR'. */
  readonly code = ABORT_CODE;

  /** @internal */
  constructor(reason?: unknown) {
    super('The operation was aborted', { cause: reason });
  }
}

/** The text of whatever was thrown, errors of other realms (vm contexts) included. */
export function messageOf(thrown: unknown): string {
  const message = (thrown as { message?: unknown } | null | undefined)?.message;
  return typeof message === 'string' ? message : String(thrown);
}

/** Use of something after its close(). */
export function closedError(what: string): CodecPatchStreamError {
  return new CodecPatchStreamError(
    'ERR_CPS_CLOSED',
    'result',
    `${what} ${what.endsWith('s') ? 'are' : 'is'} closed; read what you need before close()`,
  );
}

/** What a rejected native call carries. */
interface NativeErrorShape {
  code: string;
  stage: string;
  message: string;
}

function isNativeError(error: unknown): error is NativeErrorShape {
  // By shape: the addon's errors may come from another realm (worker, vm context).
  if (typeof error !== 'object' || error === null) return false;
  const { code, stage, message } = error as Partial<Record<keyof NativeErrorShape, unknown>>;
  return typeof code === 'string' && typeof stage === 'string' && typeof message === 'string';
}

/** What a rejected native call becomes for the caller; `failure`: of the caller's own source. */
export function fromNativeError(error: unknown, signal?: AbortSignal, failure?: unknown): unknown {
  if (!isNativeError(error)) return error;
  if (error.code === ABORT_CODE) return new AbortError(signal?.reason);
  const code = ERROR_CODES.find((known) => known === error.code);
  const stage = STAGES.find((known) => known === error.stage);
  if (code === undefined || stage === undefined) return error;
  return new CodecPatchStreamError(code, stage, error.message, {
    cause: (code === 'ERR_CPS_SOURCE' ? failure : undefined) ?? error,
  });
}
