/** What the types of results know of the options they were asked for with. */
import type { DecodeOnlyConfig, PatchStreamConfig } from '../options/config.js';

/** A caller's spelling of an element type. */
export type DTypeOption = PatchStreamConfig['outputDtype'];
export type LayoutOption = DecodeOnlyConfig['layout'];
export type BackendOption = PatchStreamConfig['backend'];

type Spelled<T> = T extends 'bf16'
  ? 'bfloat16'
  : T extends 'fp16'
    ? 'float16'
    : T extends 'fp32'
      ? 'float32'
      : T;

/** The element type of the result; `F` where none was given. */
export type DTypeOf<T extends DTypeOption, F> = T extends undefined
  ? F
  : Exclude<Spelled<T>, undefined | 'bf16' | 'fp16' | 'fp32'>;

/** Whether the result is known to be in host memory, by backend and processBackend. */
export type OnHost<B extends BackendOption, P extends BackendOption> = P extends undefined
  ? B extends 'cpu'
    ? true
    : boolean
  : P extends 'cpu'
    ? true
    : boolean;

/** Options that the type of a result follows. */
export interface Following<
  D extends DTypeOption,
  B extends BackendOption,
  P extends BackendOption,
> {
  readonly outputDtype?: D | undefined;
  readonly backend?: B | undefined;
  readonly processBackend?: P | undefined;
}
