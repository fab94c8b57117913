import { nativeStats } from '../../src/index.js';

/** Collects garbage; needs node --expose-gc or v8.setFlagsFromString, which this sets by itself. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** Waits until no native buffer and no call is left, collecting garbage meanwhile. */
export async function expectNoNativeMemory(timeoutMs = 5000): Promise<void> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    gc();
    await new Promise((resolve) => setImmediate(resolve));
    const { liveBuffers, liveBytes, callsInFlight } = nativeStats();
    if (liveBuffers === 0 && liveBytes === 0 && callsInFlight === 0) return;
    if (performance.now() > end) {
      throw new Error(`still alive: ${JSON.stringify({ liveBuffers, liveBytes, callsInFlight })}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Native buffers alive once what earlier tests dropped has been collected. */
export async function buffersInUse(): Promise<number> {
  for (let last = -1; ;) {
    gc();
    await new Promise((resolve) => setImmediate(resolve));
    const { liveBuffers } = nativeStats();
    if (liveBuffers === last) return liveBuffers;
    last = liveBuffers;
  }
}

export { gc };
