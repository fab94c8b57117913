import * as threads from 'node:worker_threads';

// Node.js 22.10 and newer; not in the types of Node.js 20, the oldest that is supported.
const { markAsUncloneable } = threads as { markAsUncloneable?: (object: object) => void };

/**
 * Makes structuredClone and postMessage throw a DataCloneError for `object`, whose native memory stays in
 * this thread. Without it they give an empty object and no error, which nobody notices until it is used.
 */
export function bindToThread(object: object): void {
  markAsUncloneable?.(object);
}
