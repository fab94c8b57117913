/** Which objects of the package stand for a video that the addon holds open. */
import type { NativeInput, NativeVideo } from './video.js';
import { NativeSource } from './source.js';
import { closedError } from '../support/errors.js';
import { bindToThread } from '../support/thread-bound.js';

/** What can be given in place of a path: an open Video. */
export abstract class OpenVideo {
  /** Nothing else is one, whatever it looks like. */
  declare protected readonly isOpenVideo: true;
}

/** What a Video holds: undefined once it is closed. */
interface Held {
  readonly native: NativeVideo | undefined;
}

const handles = new WeakMap<object, () => Held>();
const names = new WeakMap<NativeVideo, string>();
const sources = new WeakMap<NativeVideo, NativeSource>();

/** `video` stands for what `held` gives; `name` is what it is called in messages. */
export function standsFor(video: object, held: () => Held): void {
  handles.set(video, held);
  bindToThread(video);
}

/** `native` is what was opened of `input`, or a part of that, and called so in messages and reports. */
export function openedFrom(native: NativeVideo, input: NativeInput): NativeVideo {
  names.set(native, describeInput(input));
  const source = sourceOf(input);
  if (source) sources.set(native, source);
  return native;
}

/** Where the bytes come from, if a caller's function reads them. */
export function sourceOf(input: NativeInput): NativeSource | undefined {
  if (typeof input === 'string' || input instanceof Uint8Array) return undefined;
  return input instanceof NativeSource ? input : sources.get(input);
}

/** The addon's video that `value` stands for; undefined where it is none. Throws ERR_CPS_CLOSED. */
export function nativeVideoOf(value: unknown): NativeVideo | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const held = handles.get(value);
  if (!held) return undefined;
  const { native } = held();
  if (!native) throw closedError('The video');
  return native;
}

export function describeInput(input: NativeInput): string {
  if (typeof input === 'string') return input;
  if (input instanceof Uint8Array) return `<memory, ${input.byteLength} bytes>`;
  return input instanceof NativeSource ? input.name : (names.get(input) ?? 'a video');
}
