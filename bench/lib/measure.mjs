/** Interleaved repetitions: A B C A B C …, so that a slow moment of the machine hits all alike. */

export function summary(samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (q) => {
    const x = q * (sorted.length - 1);
    const low = Math.floor(x);
    const high = Math.min(low + 1, sorted.length - 1);
    return sorted[low] + (sorted[high] - sorted[low]) * (x - low);
  };
  const round = (x) => Number(x.toFixed(3));
  const [median, low, high] = [at(0.5), at(0.25), at(0.75)].map(round);
  return { median, low, high, min: round(sorted[0]), n: sorted.length };
}

/**
 * Runs every subject once unmeasured, then `repetitions` rounds of all of them, fewer when
 * `budgetMs` is used up (at least `least`). A subject is an async function that resolves to
 * { ms, cpuMs?, … }, or to { error }, after which it is left out. Resolves to, per subject,
 * { ms, cpuMs, last } with summaries, or { error }.
 */
export async function interleave(subjects, { repetitions = 5, least = 3, budgetMs = 30_000 } = {}) {
  const names = Object.keys(subjects);
  const samples = Object.fromEntries(names.map((name) => [name, []]));
  const errors = {};
  const once = async (name) => {
    if (errors[name]) return undefined;
    const reply = await subjects[name]();
    if (reply.error) {
      errors[name] = reply.error;
      process.stderr.write(`    ${name} is left out: ${reply.error}\n`);
    }
    return reply.error ? undefined : reply;
  };
  for (const name of names) await once(name);
  const started = performance.now();
  for (let round = 0; round < repetitions; round++) {
    if (round >= least && performance.now() - started > budgetMs) break;
    // Each round begins with another one, every other goes backwards: none has a fixed neighbour.
    const from = round % names.length;
    const order = [...names.slice(from), ...names.slice(0, from)];
    for (const name of round % 2 === 0 ? order : order.reverse()) {
      const reply = await once(name);
      if (reply) samples[name].push(reply);
    }
  }
  return Object.fromEntries(
    names.map((name) => {
      if (errors[name]) return [name, { error: errors[name] }];
      const all = samples[name];
      const cpu = all.map((r) => r.cpuMs).filter((x) => x !== undefined);
      return [
        name,
        {
          ms: summary(all.map((r) => r.ms)),
          ...(cpu.length > 0 ? { cpuMs: summary(cpu) } : {}),
          rounds: all.map(({ ms, cpuMs }) => ({ ms, cpuMs })),
          last: all[all.length - 1],
        },
      ];
    }),
  );
}

/**
 * The ratio of two subjects of one interleaved run: the median over rounds of a/b, b being the sum
 * of `below` in the same round. Less noise than a ratio of medians. With 'cpuMs' it is one of
 * processor time, which other programs on the machine disturb less.
 */
export function ratio(results, above, below, key = 'ms') {
  const a = results[above]?.rounds;
  const b = [below].flat().map((name) => results[name]?.rounds);
  if (!a || b.some((rounds) => !rounds)) return undefined;
  const n = Math.min(a.length, ...b.map((rounds) => rounds.length));
  const each = Array.from(
    { length: n },
    (_, i) => a[i][key] / b.reduce((sum, rounds) => sum + rounds[i][key], 0),
  );
  return n > 0 && each.every(Number.isFinite) ? summary(each) : undefined;
}
