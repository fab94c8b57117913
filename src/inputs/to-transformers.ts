/** Inputs as the tensors of transformers.js. */
import type { Tensor } from '../api/tensor.js';
import type { Inputs } from './model-inputs.js';

/** The Tensor class of @huggingface/transformers, or another one that is made of type, data and shape. */
export type TensorClass<T> = new (type: never, data: never, dims: number[]) => T;

async function valuesOf(tensor: Tensor): Promise<[type: string, data: unknown]> {
  // Its runtime knows no bfloat16.
  if (tensor.dtype === 'bfloat16') return ['float32', await tensor.toFloat32()];
  return [tensor.dtype, await tensor.toHost()];
}

/**
 * The tensors of `inputs` by name as those of transformers.js, over the same memory where the type is one
 * of its own (all but bfloat16, which becomes float32); valid after the inputs are closed.
 *
 *     const { image_embeds } = await model(await toTransformers(Tensor, inputs));
 */
export async function toTransformers<T>(
  Tensor: TensorClass<T>,
  { tensors }: Pick<Inputs, 'tensors'>,
): Promise<Record<string, T>> {
  const result: Record<string, T> = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    const [type, data] = await valuesOf(tensor);
    result[name] = new Tensor(type as never, data as never, [...tensor.shape]);
  }
  return result;
}
