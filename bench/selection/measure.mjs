/** One energy on one clip against the oracle: shares of what the oracle's own choice holds, ranks, time. */

/** Patches by value, the best first; of equal ones the lower index. */
export function best(values, count, from) {
  const order = Array.from({ length: values.length - from }, (_, i) => i + from);
  order.sort((a, b) => values[b] - values[a] || a - b);
  return order.slice(0, count);
}

const sumOver = (values, indices) => indices.reduce((sum, i) => sum + values[i], 0);

/** Ranks from `from` on, those of equal values averaged. */
function ranks(values, from) {
  const order = best(values, values.length, from);
  const out = new Float64Array(values.length - from);
  for (let i = 0; i < order.length;) {
    let end = i;
    while (end < order.length && values[order[end]] === values[order[i]]) end++;
    for (let j = i; j < end; j++) out[order[j] - from] = (i + end - 1) / 2;
    i = end;
  }
  return out;
}

/** Spearman's: the correlation of the ranks; null where all of a side are equal. */
function rankCorrelation(a, b, from) {
  const [x, y] = [ranks(a, from), ranks(b, from)];
  const mean = (x.length - 1) / 2;
  let [xy, xx, yy] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    xy += (x[i] - mean) * (y[i] - mean);
    xx += (x[i] - mean) ** 2;
    yy += (y[i] - mean) ** 2;
  }
  return xx > 0 && yy > 0 ? xy / Math.sqrt(xx * yy) : null;
}

/** Σ oracle over the chosen / Σ oracle over its own best K, the first frame left out; null where it is 0. */
export function captured(scores, oracle, k, perFrame) {
  const most = sumOver(oracle, best(oracle, k, perFrame));
  return most > 0 ? sumOver(oracle, best(scores, k, perFrame)) / most : null;
}

/** Of each form and share: what patches drawn at random capture in the mean. */
export function byChance(oracle, shares, perFrame) {
  const of = (values, share) => {
    const units = values.length - perFrame;
    const k = Math.floor(share * units);
    const most = sumOver(values, best(values, k, perFrame));
    return most > 0 ? ((k / units) * sumOver(values, best(values, units, perFrame))) / most : null;
  };
  return Object.fromEntries(
    Object.entries(oracle).map(([form, values]) => [
      form,
      shares.map((share) => of(values, share)),
    ]),
  );
}

/** Whether the middle of a patch lies in one of these parts of the frame. */
export const liesIn = (parts, place, { h, w }) => {
  const [x, y] = [((place % w) + 0.5) / w, (Math.floor(place / w) + 0.5) / h];
  return parts.some((p) => x > p.x && x < p.x + p.width && y > p.y && y < p.y + p.height);
};

/**
 * `sample`: scores [T, h, w] of an energy, what flatPatches says of each patch, the clip and its grid.
 */
export function compare({ scores, flat, throughout, grid, clip }, oracle, shares) {
  const perFrame = grid.h * grid.w;
  const units = scores.length - perFrame;
  const out = { captured: {}, ranks: {} };
  for (const [form, values] of Object.entries(oracle)) {
    out.ranks[form] = rankCorrelation(scores, values, perFrame);
    out.captured[form] = shares.map((share) =>
      captured(scores, values, Math.floor(share * units), perFrame),
    );
  }
  // Where an eighth of the patches goes.
  const chosen = best(scores, Math.floor(0.125 * units), perFrame);
  const shareOf = (test) => chosen.filter(test).length / chosen.length;
  const part = (parts) =>
    parts.length > 0 ? shareOf((i) => liesIn(parts, i % perFrame, grid)) : null;
  out.flat = clip.noisy ? null : shareOf((i) => flat[i]);
  out.throughout = clip.noisy ? null : shareOf((i) => throughout[i]);
  // Taken because nothing else is left, and of the others.
  out.without = shareOf((i) => scores[i] === 0);
  const scored = chosen.filter((i) => scores[i] > 0);
  out.flatScored =
    clip.noisy || scored.length === 0 ? null : scored.filter((i) => flat[i]).length / scored.length;
  out.bars = part(clip.bars);
  out.subtitles = part(clip.subtitles);
  return out;
}

/** Lowest and highest luma of every patch. `rgb`: uint8 [K, 3, P, P] of all patches. */
export function lumaRanges(rgb, patchSize) {
  const plane = patchSize ** 2;
  const count = rgb.length / (3 * plane);
  const ranges = { low: new Float32Array(count).fill(255), high: new Float32Array(count) };
  for (let k = 0; k < count; k++) {
    for (let i = 0; i < plane; i++) {
      const at = 3 * k * plane + i;
      const luma = 0.299 * rgb[at] + 0.587 * rgb[at + plane] + 0.114 * rgb[at + 2 * plane];
      ranges.low[k] = Math.min(ranges.low[k], luma);
      ranges.high[k] = Math.max(ranges.high[k], luma);
    }
  }
  return ranges;
}

const FLAT = 8;

/**
 * Of every patch of the sampled frames `ids`: whether its luma differs by at most 8 in that frame, and in all frames
 * since the sampled one before. `ranges`: those of every frame of the video, one after the other.
 */
export function flatPatches(ranges, ids, perFrame) {
  const flat = [];
  const throughout = [];
  ids.forEach((id, t) => {
    const from = t === 0 ? id : ids[t - 1];
    for (let place = 0; place < perFrame; place++) {
      let [low, high] = [255, 0];
      for (let frame = from; frame <= id; frame++) {
        low = Math.min(low, ranges.low[frame * perFrame + place]);
        high = Math.max(high, ranges.high[frame * perFrame + place]);
      }
      const i = id * perFrame + place;
      flat.push(ranges.high[i] - ranges.low[i] <= FLAT);
      throughout.push(high - low <= FLAT);
    }
  });
  return { flat, throughout };
}
