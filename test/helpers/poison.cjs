/** Preloaded: a video called poison.mp4 ends the process, as a crash of a decoder would. */
const Module = require('node:module');

const load = Module._load;
Module._load = function (request, ...rest) {
  const loaded = load.call(this, request, ...rest);
  if (request !== 'codec-patch-stream/inputs') return loaded;
  return {
    ...loaded,
    modelInputs: (video, ...others) => {
      if (String(video).includes('poison')) process.kill(process.pid, 'SIGKILL');
      return loaded.modelInputs(video, ...others);
    },
  };
};
