/** What the adapter needs of TensorFlow.js, whichever package it comes from. */
import type * as tfjs from '@tensorflow/tfjs';
import { checkMembers } from '../common/errors.js';

/**
 * The module as imported by the caller: @tensorflow/tfjs, @tensorflow/tfjs-node or
 * @tensorflow/tfjs-node-gpu.
 */
export type Tf = Pick<
  typeof tfjs,
  | 'tensor'
  | 'tidy'
  | 'dispose'
  | 'transpose'
  | 'mul'
  | 'sub'
  | 'div'
  | 'cast'
  | 'data'
  | 'backend'
  | 'getBackend'
>;

export type {
  Rank,
  Tensor2D,
  Tensor3D,
  Tensor4D,
  Tensor5D,
  TensorContainer,
} from '@tensorflow/tfjs';
export type { Tensor as TfTensor } from '@tensorflow/tfjs';
/** Throws where `tf` is not the module. */
export function checkTf(tf: unknown): void {
  const expected = "the module of TensorFlow.js (import * as tf from '@tensorflow/tfjs')";
  checkMembers('tf', expected, tf, 'tensor', 'tidy', 'data');
}

export type TfDataset<T extends tfjs.TensorContainer> = tfjs.data.Dataset<T>;
