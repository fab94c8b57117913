/** An RGB picture in memory, and what is done to any. */

/** An RGB picture, rows from the top, 3 bytes per pixel. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

export type Rgb = readonly [number, number, number];

export function blank(width: number, height: number, [r, g, b]: Rgb = [0, 0, 0]): Picture {
  const data = new Uint8Array(width * height * 3);
  if (r || g || b) for (let i = 0; i < data.length; i += 3) data.set([r, g, b], i);
  return { width, height, data };
}

/** Copies `source` into `target` with its top left corner at (x, y); it must fit. */
export function paste(target: Picture, source: Picture, x: number, y: number): void {
  for (let row = 0; row < source.height; row++) {
    const from = row * source.width * 3;
    const line = source.data.subarray(from, from + source.width * 3);
    target.data.set(line, ((y + row) * target.width + x) * 3);
  }
}

/** Every pixel `factor` × `factor` times. */
export function enlarge(picture: Picture, factor: number): Picture {
  const out = blank(picture.width * factor, picture.height * factor);
  for (let y = 0; y < out.height; y++) {
    const row = Math.floor(y / factor) * picture.width;
    for (let x = 0; x < out.width; x++) {
      const from = (row + Math.floor(x / factor)) * 3;
      const to = (y * out.width + x) * 3;
      out.data[to] = picture.data[from] ?? 0;
      out.data[to + 1] = picture.data[from + 1] ?? 0;
      out.data[to + 2] = picture.data[from + 2] ?? 0;
    }
  }
  return out;
}
