/**
 * A driver that takes its time to start, for test/reliability/gpu-emulated.test.ts: how long the event loop stood
 * still meanwhile, and what is open afterwards. Prints one line of JSON.
 */
'use strict';
const path = require('node:path');
const { backendInfo, buildInfo, warmUp } = require(
  path.join(process.env.CPS_PACKAGE, 'dist', 'src', 'index.js'),
);

async function longestPause(work) {
  let last = performance.now();
  let longest = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }, 5);
  const begin = performance.now();
  const result = await work();
  const took = performance.now() - begin;
  longest = Math.max(longest, performance.now() - last);
  clearInterval(timer);
  return { result, took, longest };
}

async function main() {
  buildInfo(); // The addon is loaded.
  const first = await longestPause(() => backendInfo());
  const warm = await longestPause(() => warmUp({ deviceId: 0 }));
  const refused = await warmUp({ device: 1 }).catch((error) => error.message);
  const none = await warmUp({ deviceId: 99 });
  console.log(
    JSON.stringify({
      took: first.took,
      longest: Math.max(first.longest, warm.longest),
      gpu: [first.result.gpu.decode, warm.result.gpu.process],
      refused,
      none: none.gpu.whyNot.process,
    }),
  );
}

main();
