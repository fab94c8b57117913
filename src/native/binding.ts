/** The addon, loaded on first use. Nothing else in the package talks to it. */
import type { NativeBinding } from './contract.js';
import { loadBinding } from './load-binding.js';

export type * from './contract.js';

let binding: NativeBinding | undefined;

/** The loaded addon (loaded on first use). */
export function native(): NativeBinding {
  binding ??= loadBinding();
  return binding;
}
