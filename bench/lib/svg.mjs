/** A line chart as SVG text: linear or logarithmic axes, or named steps along x. */
const WIDTH = 640;
const HEIGHT = 320;
const BOX = { left: 64, right: 190, top: 34, bottom: 46 };
const COLOURS = ['#4c72b0', '#dd8452', '#55a868', '#8c8c8c', '#c44e52', '#8172b3'];

const escape = (text) => `${text}`.replace(/[<>&]/g, (c) => `&#${c.charCodeAt(0)};`);
const number = (x) => Number(x.toPrecision(3)).toString();

function ticks(low, high, log) {
  if (log) {
    const out = [];
    for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++) {
      for (const m of high / low > 300 ? [1] : [1, 2, 5]) out.push(m * 10 ** e);
    }
    return out.filter((t) => t >= low * 0.999 && t <= high * 1.001);
  }
  const rough = (high - low) / 5 || 1;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * unit).find((s) => s >= rough);
  const out = [];
  for (let t = Math.ceil(low / step) * step; t <= high * 1.0001; t += step) out.push(t);
  return out;
}

function scale(low, high, from, to, log) {
  const f = log ? Math.log : (x) => x;
  const span = f(high) - f(low) || 1;
  return (x) => from + ((f(x) - f(low)) / span) * (to - from);
}

export function lineChart({ title, x, xLabel, yLabel, series, logX = false, logY = false }) {
  const [x0, x1] = [BOX.left, WIDTH - BOX.right];
  const [y0, y1] = [HEIGHT - BOX.bottom, BOX.top];
  const named = x.some((value) => typeof value !== 'number');
  const places = named ? x.map((_, i) => i) : x;
  const values = series.flatMap((s) => s.values).filter((v) => v !== null && v > 0);
  const [most, least] = [Math.max(...values), Math.min(...values)];
  const [low, high] = logY ? [least * 0.8, most * 1.25] : [0, most * 1.1];
  const toX = scale(Math.min(...places), Math.max(...places), x0 + 8, x1 - 8, logX && !named);
  const toY = scale(low, high, y0, y1, logY);
  const out = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" ` +
      `viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#555">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    `<text x="${x0}" y="20" font-size="14" fill="#222">${escape(title)}</text>`,
  ];
  for (const t of ticks(low, high, logY)) {
    const y = toY(t).toFixed(1);
    out.push(`<path d="M${x0} ${y}H${x1}" stroke="#e5e5e5"/>`);
    out.push(`<text x="${x0 - 6}" y="${Number(y) + 4}" text-anchor="end">${number(t)}</text>`);
  }
  places.forEach((place, i) => {
    const at = toX(place).toFixed(1);
    out.push(`<text x="${at}" y="${y0 + 16}" text-anchor="middle">${escape(x[i])}</text>`);
  });
  out.push(`<path d="M${x0} ${y1}V${y0}H${x1}" stroke="#999" fill="none"/>`);
  out.push(
    `<text x="${(x0 + x1) / 2}" y="${HEIGHT - 10}" text-anchor="middle">${escape(xLabel)}</text>`,
  );
  out.push(
    `<text transform="translate(14 ${(y0 + y1) / 2}) rotate(-90)" text-anchor="middle">` +
      `${escape(yLabel)}</text>`,
  );
  series.forEach((s, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const dots = s.values
      .map((v, k) => (v === null ? null : [toX(places[k]).toFixed(1), toY(v).toFixed(1)]))
      .filter((dot) => dot);
    const path = dots.map(([px, py], k) => `${k === 0 ? 'M' : 'L'}${px} ${py}`).join('');
    out.push(`<path d="${path}" stroke="${colour}" stroke-width="2" fill="none"/>`);
    for (const [px, py] of dots) out.push(`<circle cx="${px}" cy="${py}" r="3" fill="${colour}"/>`);
    const y = y1 + 10 + i * 18;
    out.push(`<path d="M${x1 + 14} ${y}h18" stroke="${colour}" stroke-width="2"/>`);
    out.push(`<text x="${x1 + 38}" y="${y + 4}">${escape(s.label)}</text>`);
  });
  return `${out.join('\n')}\n</svg>\n`;
}
