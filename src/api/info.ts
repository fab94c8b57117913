import { native } from '../native/binding.js';
import { fromNativeError } from '../support/errors.js';
import { checkInteger, invalid } from '../support/is.js';

/** What was built, and what it makes of the processor. */
export interface BuildInfo {
  /** Version of the native addon. */
  readonly version: string;
  /** Version of the FFmpeg libraries in use. */
  readonly ffmpeg: string;
  /** CUDA toolkit that the addon was built with; null without GPU support. */
  readonly cuda: string | null;
  /** Threads of the process-wide budget: `threads()`. */
  readonly threads: number;
  /** Widest SIMD variant in use, e.g. 'avx2'. */
  readonly simd: string;
}

/** What this build can do on this machine. */
export interface BackendInfo extends BuildInfo {
  /** Whether the GPU can decode (NVDEC) and process (CUDA) here. */
  readonly gpu: {
    readonly decode: boolean;
    readonly process: boolean;
    /** What is missing for each stage; empty where the GPU can be used. */
    readonly whyNot: { readonly decode: string; readonly process: string };
  };
}

/** What was built. Asks no device, so it takes no time. */
export function buildInfo(): BuildInfo {
  return { ...native().build, threads: threads() };
}

/**
 * What this build can do, and why the GPU `deviceId` is not used where it is not. The first call of a process
 * starts the driver, on a thread of the package's own.
 */
export async function backendInfo(deviceId = 0): Promise<BackendInfo> {
  return askDevice(checkInteger('deviceId', deviceId, 0, 1023), false);
}

/** Which device `warmUp` opens. */
export interface WarmUpOptions {
  /** CUDA device; 0 without it. */
  readonly deviceId?: number | undefined;
}

/**
 * Opens a GPU ahead of the first call that uses it: driver, context, memory pool, kernels. Says what there is, as
 * `backendInfo` does; where there is no GPU that is all it does. Not needed: the first call does the same.
 */
export async function warmUp(options: WarmUpOptions = {}): Promise<BackendInfo> {
  if (typeof options !== 'object' || (options as unknown) === null) {
    throw invalid('options of warmUp', 'object', options);
  }
  const unknown = Object.keys(options).find((key) => key !== 'deviceId');
  if (unknown !== undefined) throw invalid('options of warmUp', 'deviceId', unknown);
  return askDevice(checkInteger('deviceId', options.deviceId ?? 0, 0, 1023), true);
}

async function askDevice(deviceId: number, open: boolean): Promise<BackendInfo> {
  const binding = native();
  const build = buildInfo();
  let whyNot;
  try {
    whyNot = await binding.askDevice(deviceId, open, binding.createCancel());
  } catch (error) {
    throw fromNativeError(error);
  }
  const { decode, process } = whyNot;
  return { ...build, gpu: { decode: decode === '', process: process === '', whyNot } };
}

/**
 * Threads that decoding and processing may keep busy, all calls of the process together. Without
 * `setThreads` the processors that the process may use: those of its affinity mask (`taskset`), no
 * more than its control groups allow (`docker --cpus`), 64 at most.
 */
export function threads(): number {
  return native().stats().threads;
}

/**
 * Sets that number for the whole process, worker threads included, until the last thread that uses
 * the package ends; 0 brings the machine's back. Calls that begin later go by it. More threads than
 * the system lets the process have is no error: calls work with those that it gets.
 */
export function setThreads(count: number): void {
  native().setThreads(checkInteger('count', count, 0, 1024));
}

/** Live native memory and calls, for leak checks. */
export interface NativeStats {
  /** Buffers that results hold. */
  readonly liveBuffers: number;
  /** Their bytes. */
  readonly liveBytes: number;
  /** Calls that have begun and not ended. */
  readonly callsInFlight: number;
  /** Threads of the process-wide budget. */
  readonly threads: number;
}

/** Counters of the addon: what is alive at this moment. */
export function nativeStats(): NativeStats {
  return native().stats();
}
