// Locals: jest looks a global up through an interceptor, which makes loops slow.
const { abs, floor, fround, max, min, PI, sign, sin, trunc } = Math;
/**
 * The antialiased resize once more, written from the text of docs/pixels.md: separable, along the width
 * first, rounded to 8 bits between the passes, weights in fixed point.
 */

/** 8-bit RGB, [height, width, 3]. */
export interface Picture {
  readonly height: number;
  readonly width: number;
  readonly data: Uint8Array;
}

export const picture = (height: number, width: number, data?: Uint8Array): Picture => ({
  height,
  width,
  data: data ?? new Uint8Array(height * width * 3),
});

const sinc = (x: number): number => (x === 0 ? 1 : sin(PI * x) / (PI * x));

const KERNELS = {
  bilinear: { radius: 1, weight: (x: number) => max(0, 1 - abs(x)) },
  bicubic: {
    radius: 2,
    weight: (x: number) => {
      const a = abs(x);
      if (a < 1) return (1.5 * a - 2.5) * a * a + 1;
      return a < 2 ? ((-0.5 * a + 2.5) * a - 4) * a + 2 : 0;
    },
  },
  lanczos: { radius: 3, weight: (x: number) => (abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) },
  area: { radius: 0.5, weight: (x: number) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
} as const;
export type Filter = keyof typeof KERNELS;
export const FILTERS = Object.keys(KERNELS) as Filter[];

interface Taps {
  readonly first: number;
  readonly weights: readonly number[];
}

function taps(from: number, to: number, filter: Filter): { bits: number; all: Taps[] } {
  const { radius, weight } = KERNELS[filter];
  const stretch = max(from / to, 1);
  const all = Array.from({ length: to }, (_, i): Taps => {
    const centre = ((i + 0.5) * from) / to;
    const first = max(0, trunc(centre - radius * stretch + 0.5));
    const end = min(from, trunc(centre + radius * stretch + 0.5));
    const weights = Array.from({ length: end - first }, (__, j) =>
      weight((first + j - centre + 0.5) / stretch),
    );
    const sum = weights.reduce((a, b) => a + b, 0);
    return { first, weights: weights.map((w) => w / sum) };
  });
  const greatest = max(...all.flatMap(({ weights }) => weights));
  let bits = 22;
  while (floor(0.5 + greatest * 2 ** bits) >= 2 ** 15) bits--;
  const fixed = (w: number): number => trunc(w * 2 ** bits + sign(w) * 0.5);
  return { bits, all: all.map((t) => ({ ...t, weights: t.weights.map(fixed) })) };
}

const clip8 = (v: number): number => min(255, max(0, v));

/** Lines of `count` samples, `step` apart, along one axis. */
function along(source: Picture, to: number, filter: Filter, axis: 'width' | 'height'): Picture {
  const from = source[axis];
  if (from === to) return source;
  const out = axis === 'width' ? picture(source.height, to) : picture(to, source.width);
  const { bits, all } = taps(from, to, filter);
  const [inStep, outStep] = axis === 'width' ? [3, 3] : [source.width * 3, out.width * 3];
  const lines = axis === 'width' ? source.height : source.width;
  const [inLine, outLine] = axis === 'width' ? [source.width * 3, out.width * 3] : [3, 3];
  for (let line = 0; line < lines; line++) {
    for (const [i, { first, weights }] of all.entries()) {
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (let j = 0; j < weights.length; j++) {
          const v = source.data[line * inLine + (first + j) * inStep + c] as number;
          sum += v * (weights[j] as number);
        }
        out.data[line * outLine + i * outStep + c] = clip8(
          floor((sum + 2 ** (bits - 1)) / 2 ** bits),
        );
      }
    }
  }
  return out;
}

export const resized = (source: Picture, height: number, width: number, filter: Filter): Picture =>
  along(along(source, width, filter, 'width'), height, filter, 'height');

/** The part from (top, left) on; black where there is no picture. */
export function part(
  source: Picture,
  top: number,
  left: number,
  height: number,
  width: number,
): Picture {
  const out = picture(height, width);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [v, u] = [y + top, x + left];
      if (v < 0 || u < 0 || v >= source.height || u >= source.width) continue;
      const at = (v * source.width + u) * 3;
      out.data.set(source.data.subarray(at, at + 3), (y * width + x) * 3);
    }
  }
  return out;
}

/** The middle of it, padded where it is smaller: half of what is over or missing, cut down. */
export const centre = (source: Picture, height: number, width: number): Picture =>
  part(
    source,
    trunc((source.height - height) / 2),
    trunc((source.width - width) / 2),
    height,
    width,
  );

export function mirrored(source: Picture): Picture {
  const out = picture(source.height, source.width);
  for (let y = 0; y < source.height; y++) {
    for (let x = 0; x < source.width; x++) {
      const at = (y * source.width + x) * 3;
      const to = (y * source.width + source.width - 1 - x) * 3;
      out.data.set(source.data.subarray(at, at + 3), to);
    }
  }
  return out;
}

/** What a value becomes: in one fused step, or with an offset in two. */
export function normalised(
  v: number,
  scale: number,
  mean: number,
  std: number,
  offset?: number,
): number {
  const f = fround;
  if (offset !== undefined) return f(f(f(f(v * f(scale)) - f(offset)) - f(mean)) / f(std));
  const by = f(1 / scale);
  return f(f(v - f(f(mean) * by)) / f(f(std) * by));
}
