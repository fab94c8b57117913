/** What the adapter needs of TensorFlow.js, whichever package it comes from. */
import type * as tfjs from '@tensorflow/tfjs';

/**
 * The module as imported by the caller: @tensorflow/tfjs, @tensorflow/tfjs-node or
 * @tensorflow/tfjs-node-gpu.
 */
export type Tf = Pick<
  typeof tfjs,
  'tensor' | 'tidy' | 'dispose' | 'transpose' | 'mul' | 'sub' | 'div' | 'cast' | 'data'
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
export type TfDataset<T extends tfjs.TensorContainer> = tfjs.data.Dataset<T>;
