import { native } from '../native/binding.js';
import { checkInteger } from '../support/is.js';

/** What this build can do on this machine. */
export interface BackendInfo {
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
  /** Whether the GPU can decode (NVDEC) and process (CUDA) here. */
  readonly gpu: {
    readonly decode: boolean;
    readonly process: boolean;
    /** What is missing for each stage; empty where the GPU can be used. */
    readonly whyNot: { readonly decode: string; readonly process: string };
  };
}

/** What this build can do, and why the GPU `deviceId` is not used where it is not. */
export function backendInfo(deviceId = 0): BackendInfo {
  checkInteger('deviceId', deviceId, 0, 1023);
  const binding = native();
  const decode = binding.whyNotGpu('decode', deviceId);
  const process = binding.whyNotGpu('process', deviceId);
  return {
    ...binding.build,
    threads: threads(),
    gpu: { decode: decode === '', process: process === '', whyNot: { decode, process } },
  };
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
