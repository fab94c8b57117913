/** One native call from start to end: abort, errors, report. */
import { onAbort } from '../support/abort.js';
import { native } from '../native/binding.js';
import type { NativeBinding, NativeCancel, NativeReport } from '../native/binding.js';
import type { NativeInput } from '../native/video.js';
import { describeInput, sourceOf } from '../native/video-handles.js';
import { AbortError, fromNativeError } from '../support/errors.js';
import type { ResultNote } from './notes.js';
import { reportCall, wantedOnStderr } from './profile.js';
import type { CallReport } from './profile.js';

export interface Call<R> {
  readonly api: CallReport['api'];
  readonly input: NativeInput;
  readonly signal: AbortSignal | undefined;
  /** 0: none. The addon stops running work by it; the timer here, work that waits for a thread. */
  readonly timeoutMs: number;
  /** What is known before the work begins; the result's own come on top. */
  readonly notes: readonly ResultNote[];
  /** What the result is to say besides, once it is there. */
  readonly notesOn?: (result: R) => readonly ResultNote[];
  readonly start: (binding: NativeBinding, cancel: NativeCancel) => Promise<R>;
  /** Frees a result that nobody will get, because the abort came while it was on its way. */
  readonly discard: (result: R) => void;
}

async function run<R>({ input, signal, timeoutMs, start, discard }: Call<R>): Promise<R> {
  if (signal?.aborted) throw new AbortError(signal.reason);
  const binding = native();
  const cancel = binding.createCancel();
  const listening = signal && onAbort(signal, () => cancel.cancel());
  const timer = timeoutMs > 0 ? setTimeout(() => cancel.timeOut(), timeoutMs) : undefined;
  try {
    const result = await start(binding, cancel);
    if (signal?.aborted) {
      discard(result);
      throw new AbortError(signal.reason);
    }
    return result;
  } catch (error) {
    throw fromNativeError(error, signal, sourceOf(input)?.failure);
  } finally {
    clearTimeout(timer);
    listening?.();
  }
}

/**
 * Runs the call. It settles when the native work has ended, aborts included: whoever awaits the
 * rejection knows that the file is closed and the memory is back.
 */
export async function callNative<R extends NativeReport>(call: Call<R>): Promise<R> {
  const started = performance.now();
  const wanted = wantedOnStderr();
  const report = { api: call.api, input: describeInput(call.input) };
  try {
    const result = await run(call);
    const found = call.notesOn?.(result) ?? [];
    result.notes = [...call.notes, ...result.notes, ...found].sort((a, b) =>
      a.code < b.code ? -1 : 1,
    );
    const { timings, backend } = result;
    reportCall({ ...report, wallMs: performance.now() - started, timings, backend }, wanted);
    return result;
  } catch (error) {
    reportCall({ ...report, wallMs: performance.now() - started, error }, wanted);
    throw error;
  }
}
