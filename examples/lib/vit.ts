/**
 * A small vision transformer over selected patches: patch embedding, position lookup (time, row,
 * column), one block of attention and MLP, mean over the patches. Once as an ONNX file, once in
 * TensorFlow.js, from the same weights.
 */
import type * as tfjs from '@tensorflow/tfjs';
import { randomNumbers } from './clips.ts';
import { GraphBuilder } from './onnx.ts';

export interface VitConfig {
  readonly patchSize: number;
  readonly width: number;
  readonly heads: number;
  /** Length of the position tables; positions are below it. */
  readonly positions: number;
}

export const VIT: VitConfig = { patchSize: 14, width: 64, heads: 4, positions: 64 };

interface Matrix {
  readonly data: Float32Array;
  readonly shape: readonly [number, number];
}

export interface VitWeights {
  readonly config: VitConfig;
  readonly matrices: Readonly<Record<MatrixName, Matrix>>;
  readonly vectors: Readonly<Record<VectorName, Float32Array>>;
}

type MatrixName = 'patch' | 'time' | 'row' | 'column' | 'q' | 'k' | 'v' | 'out' | 'up' | 'down';
type VectorName = 'patch' | 'q' | 'k' | 'v' | 'out' | 'up' | 'down' | NormName;
type NormName = `norm${1 | 2 | 3}${'Scale' | 'Bias'}`;

const EPSILON = 1e-5;
/** What a masked patch's attention score becomes; within the range of float16. */
const MASKED = -1e4;

/** Random weights, the same for the same seed. */
export function vitWeights(seed: number, config: VitConfig = VIT): VitWeights {
  const random = randomNumbers(seed);
  const normal = (): number =>
    Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const { patchSize, width: d, positions } = config;
  const matrix = (rows: number, columns: number, spread = 1 / Math.sqrt(rows)): Matrix => ({
    data: Float32Array.from({ length: rows * columns }, () => normal() * spread),
    shape: [rows, columns],
  });
  const vector = (length: number, around = 0): Float32Array =>
    Float32Array.from({ length }, () => around + normal() * 0.1);
  return {
    config,
    matrices: {
      patch: matrix(3 * patchSize * patchSize, d),
      time: matrix(positions, d, 0.3),
      row: matrix(positions, d, 0.3),
      column: matrix(positions, d, 0.3),
      q: matrix(d, d),
      k: matrix(d, d),
      v: matrix(d, d),
      out: matrix(d, d),
      up: matrix(d, 2 * d),
      down: matrix(2 * d, d),
    },
    vectors: {
      patch: vector(d),
      q: vector(d),
      k: vector(d),
      v: vector(d),
      out: vector(d),
      up: vector(2 * d),
      down: vector(d),
      norm1Scale: vector(d, 1),
      norm1Bias: vector(d),
      norm2Scale: vector(d, 1),
      norm2Bias: vector(d),
      norm3Scale: vector(d, 1),
      norm3Bias: vector(d),
    },
  };
}

export interface OnnxOptions {
  /** Type of the input 'patches'; 'float16' computes in float16 too. Default: 'float32'. */
  readonly input?: 'float32' | 'float16' | 'uint8';
  /** Fixed sizes; open by default. */
  readonly batch?: number;
  readonly count?: number;
}

/**
 * The model as an .onnx file. Inputs: patches [B, K, 3, P, P] with values 0..255, positions int64
 * [B, K, 3], mask bool [B, K]. Output: embedding float32 [B, width].
 */
export function vitOnnx(weights: VitWeights, options: OnnxOptions = {}): Uint8Array {
  const { input = 'float32', batch = 'batch', count = 'count' } = options;
  const { patchSize: p, width: d, heads } = weights.config;
  const g = new GraphBuilder();
  const half = input === 'float16';
  // Cast to the type that is computed in; the runtime folds it into the constants.
  const cast = (value: string): string => g.node('Cast', [value], { to: half ? 10 : 1 });
  const scalar = (value: number): string => cast(g.constant(Float32Array.of(value), [1]));
  const matrix = (name: MatrixName): string => {
    const { data, shape } = weights.matrices[name];
    return cast(g.constant(data, shape));
  };
  const vector = (name: VectorName): string => {
    const data = weights.vectors[name];
    return cast(g.constant(data, [data.length]));
  };
  const linear = (x: string, name: MatrixName & VectorName): string =>
    g.node('Add', [g.node('MatMul', [x, matrix(name)]), vector(name)]);
  const norm = (x: string, n: 1 | 2 | 3): string =>
    g.node('LayerNormalization', [x, vector(`norm${n}Scale`), vector(`norm${n}Bias`)], {
      axis: -1,
      epsilon: EPSILON,
    });

  const patches = g.input('patches', input, [batch, count, 3, p, p]);
  const positions = g.input('positions', 'int64', [batch, count, 3]);
  const mask = g.input('mask', 'bool', [batch, count]);

  const flat = g.node('Reshape', [patches, g.ints(0, 0, 3 * p * p)]);
  let x = g.node('Sub', [g.node('Mul', [cast(flat), scalar(1 / 255)]), scalar(0.5)]);
  x = linear(x, 'patch');
  for (const [axis, table] of (['time', 'row', 'column'] as const).entries()) {
    const index = g.node('Gather', [positions, g.constant(BigInt64Array.of(BigInt(axis)), [])], {
      axis: 2,
    });
    x = g.node('Add', [x, g.node('Gather', [matrix(table), index], { axis: 0 })]);
  }

  const h = norm(x, 1);
  const split = (name: 'q' | 'k' | 'v', perm: readonly number[]): string =>
    g.node('Transpose', [g.node('Reshape', [linear(h, name), g.ints(0, 0, heads, d / heads)])], {
      perm,
    });
  const byKey = g.node('Unsqueeze', [mask, g.ints(1, 2)]);
  let scores = g.node('MatMul', [split('q', [0, 2, 1, 3]), split('k', [0, 2, 3, 1])]);
  scores = g.node('Mul', [scores, scalar(1 / Math.sqrt(d / heads))]);
  scores = g.node('Where', [byKey, scores, scalar(MASKED)]);
  const mixed = g.node('MatMul', [
    g.node('Softmax', [scores], { axis: -1 }),
    split('v', [0, 2, 1, 3]),
  ]);
  const joined = g.node('Reshape', [
    g.node('Transpose', [mixed], { perm: [0, 2, 1, 3] }),
    g.ints(0, 0, d),
  ]);
  x = g.node('Add', [x, linear(joined, 'out')]);

  const up = linear(norm(x, 2), 'up');
  const erf = g.node('Erf', [g.node('Mul', [up, scalar(Math.SQRT1_2)])]);
  const gelu = g.node('Mul', [g.node('Mul', [up, scalar(0.5)]), g.node('Add', [erf, scalar(1)])]);
  x = norm(g.node('Add', [x, linear(gelu, 'down')]), 3);

  const weight = g.node('Unsqueeze', [cast(mask), g.ints(2)]);
  const sum = g.node('ReduceSum', [g.node('Mul', [x, weight]), g.ints(1)], { keepdims: 0 });
  // A padded row of a batch has no patch at all.
  const patchesUsed = g.node('Max', [
    g.node('ReduceSum', [weight, g.ints(1)], { keepdims: 0 }),
    scalar(1),
  ]);
  g.node('Cast', [g.node('Div', [sum, patchesUsed])], { to: 1 }, 'embedding');
  g.output('embedding', 'float32', [batch, d]);
  return g.encode();
}

/** The same in TensorFlow.js: patches [B, K, 3, P, P] 0..255, positions [B, K, 3], mask [B, K]. */
export function vitTfjs(
  tf: typeof tfjs,
  weights: VitWeights,
  inputs: { patches: tfjs.Tensor5D; positions: tfjs.Tensor3D; mask: tfjs.Tensor2D },
): tfjs.Tensor2D {
  return tf.tidy(() => {
    const { width: d, heads } = weights.config;
    const [b, k] = inputs.mask.shape;
    const matrix = (name: MatrixName): tfjs.Tensor2D =>
      tf.tensor2d(weights.matrices[name].data, [...weights.matrices[name].shape]);
    const vector = (name: VectorName): tfjs.Tensor1D => tf.tensor1d(weights.vectors[name]);
    const linear = (x: tfjs.Tensor, name: MatrixName & VectorName): tfjs.Tensor3D => {
      const w = matrix(name);
      const rows = x.reshape<tfjs.Tensor2D>([b * k, w.shape[0]]);
      return rows.matMul(w).add(vector(name)).reshape([b, k, w.shape[1]]);
    };
    const norm = (x: tfjs.Tensor3D, n: 1 | 2 | 3): tfjs.Tensor3D => {
      const { mean, variance } = tf.moments(x, -1, true);
      const normal = x.sub(mean).div(variance.add(EPSILON).sqrt());
      return normal.mul(vector(`norm${n}Scale`)).add(vector(`norm${n}Bias`));
    };
    let x = linear(inputs.patches.div(255).sub(0.5), 'patch');
    (['time', 'row', 'column'] as const).forEach((table, axis) => {
      const index = inputs.positions.slice([0, 0, axis], [-1, -1, 1]).reshape([b, k]);
      x = x.add(tf.gather(matrix(table), index.toInt()));
    });
    const h = norm(x, 1);
    const split = (name: 'q' | 'k' | 'v'): tfjs.Tensor4D =>
      linear(h, name)
        .reshape([b, k, heads, d / heads])
        .transpose<tfjs.Tensor4D>([0, 2, 1, 3]);
    let scores: tfjs.Tensor = tf.matMul(split('q'), split('k'), false, true);
    scores = scores.div(Math.sqrt(d / heads));
    scores = tf.where(inputs.mask.toBool().reshape([b, 1, 1, k]), scores, tf.scalar(MASKED));
    const mixed = tf.matMul(tf.softmax(scores), split('v'));
    x = x.add(linear(mixed.transpose([0, 2, 1, 3]), 'out'));
    const up = linear(norm(x, 2), 'up');
    const gelu = up.mul(0.5).mul(tf.erf(up.mul(Math.SQRT1_2)).add(1));
    x = norm(x.add(linear(gelu, 'down')), 3);
    const weight = inputs.mask.expandDims(2);
    return x.mul(weight).sum(1).div(weight.sum(1).maximum(1));
  });
}
