/** Figures as text. */
const digits = (x) => (x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(2));

export const ms = (result) => {
  if (!result) return '–';
  if (result.error) return 'failed';
  const { median, low, high } = result.ms;
  return `${digits(median)} ±${digits((high - low) / 2)}`;
};
export const times = (r) => (r ? r.median.toFixed(2) : '–');
export const range = (r) =>
  r ? `${r.median.toFixed(2)} (${r.low.toFixed(2)}–${r.high.toFixed(2)})` : '–';
export const mb = (bytes) => (bytes === undefined ? '–' : (bytes / 2 ** 20).toFixed(0));
export { digits };
