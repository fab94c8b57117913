/**
 * A Next.js program of `output: 'standalone'`: a route that selects patches, built where the package is installed and
 * run from a copy elsewhere, which has what Next.js traced and nothing else. Prints what the route answers: what
 * program.cjs says of patches.
 *
 *   node nextjs.mjs MODULES VIDEO      MODULES: a node_modules with next, react, react-dom and codec-patch-stream
 */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { must, runQuiet } from '../lib/shell.mjs';

const FILES = {
  'package.json': '{ "name": "program", "private": true }\n',
  'next.config.mjs': `export default {
  output: 'standalone',
  outputFileTracingRoot: import.meta.dirname,
  serverExternalPackages: ['codec-patch-stream'],
};
`,
  'app/layout.js': `export default ({ children }) => <html><body>{children}</body></html>;
`,
  // The same options as program.cjs, so that the answer can be compared with its line.
  'app/patches/route.js': `import { createHash } from 'node:crypto';
import { patchStream } from 'codec-patch-stream';
export const dynamic = 'force-dynamic';
export async function GET() {
  const options = { backend: 'cpu', sequenceLength: 8, kKeep: 256, outputDtype: 'fp32' };
  const stream = await patchStream({ videoPath: process.env.VIDEO, ...options });
  const { fields, scores } = stream.metadataTensors;
  const hash = createHash('sha256');
  for (const { data } of [stream.patches, stream.positions, fields, scores]) {
    hash.update(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  }
  const count = [...stream].length;
  stream.close();
  return new Response(count + ' ' + hash.digest('hex').slice(0, 16));
}
`,
};

const env = { ...process.env, NEXT_TELEMETRY_DISABLED: '1', NODE_ENV: 'production' };

/** Builds the program in `folder`; the folder that can be copied anywhere. */
async function build(folder, modules) {
  for (const [name, text] of Object.entries(FILES)) {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    fs.writeFileSync(path.join(folder, name), text);
  }
  fs.cpSync(modules, path.join(folder, 'node_modules'), {
    recursive: true,
    verbatimSymlinks: true,
  });
  const args = [path.join('node_modules', 'next', 'dist', 'bin', 'next'), 'build'];
  await must(runQuiet(process.execPath, args, { cwd: folder, env }), 'next build');
  return path.join(folder, '.next', 'standalone');
}

/** What the route answers, from a server that is started for it and ended. */
async function answer(server, video) {
  const port = 20_000 + (process.pid % 20_000);
  const child = spawn(process.execPath, ['server.js'], {
    cwd: server,
    env: { ...env, HOSTNAME: '127.0.0.1', PORT: String(port), VIDEO: video },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr += chunk));
  try {
    const until = Date.now() + 60_000;
    for (;;) {
      const response = await fetch(`http://127.0.0.1:${port}/patches`).catch(() => undefined);
      if (response?.ok) return await response.text();
      if (response || Date.now() > until || child.exitCode !== null) {
        throw new Error(`The server said ${response?.status ?? 'nothing'}: ${stderr}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  } finally {
    child.kill('SIGKILL');
  }
}

const [modules, video] = process.argv.slice(2);
const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'cps-nextjs-')));
try {
  const program = path.join(folder, 'program');
  const elsewhere = path.join(folder, 'elsewhere');
  const options = { recursive: true, verbatimSymlinks: true };
  fs.cpSync(await build(program, modules), elsewhere, options);
  // Nothing that the copy might fall back to.
  fs.rmSync(program, { recursive: true });
  console.log(await answer(elsewhere, video));
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
