#!/usr/bin/env node
/**
 * What npm would publish: publint's and arethetypeswrong's rules under every module resolution, a types
 * entry for node10 for each subpath, and links of all pages that lead somewhere, in the tarball and in
 * the repository. Needs dist/ (npm run build).
 */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { brokenLinks } from './lib/links.mjs';
import { root } from './lib/shell.mjs';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-pack-'));
const problems = [];

/** The tarball of a package as npm makes it: its bytes and the names of its files. */
function pack(cwd) {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const stdio = ['ignore', 'pipe', 'ignore'];
  const text = execFileSync('npm', args, { cwd, encoding: 'utf8', stdio });
  const [{ filename, files }] = JSON.parse(text.slice(text.indexOf('[')));
  const bytes = fs.readFileSync(path.join(folder, filename));
  return { bytes, files: files.map((file) => file.path) };
}

async function check(cwd, { types }) {
  const { bytes, files } = pack(cwd);
  const manifest = JSON.parse(fs.readFileSync(path.join(cwd, 'package.json'), 'utf8'));
  const named = (text) => `${manifest.name}: ${text}`;
  const tarball = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const { messages } = await publint({ pack: { tarball }, strict: true });
  problems.push(...messages.map((message) => named(formatMessage(message, manifest))));
  if (types) {
    const found = await checkPackage(createPackageFromTarballData(new Uint8Array(bytes)));
    const seen = found.types ? found.problems : [{ kind: 'no types' }];
    problems.push(...seen.map((problem) => named(`attw: ${JSON.stringify(problem)}`)));
  }
  problems.push(...brokenLinks(cwd, files).map((text) => named(`tarball, ${text}`)));
  return files.length;
}

try {
  const counts = [
    await check(root, { types: true }),
    await check(path.join(root, 'packages', 'cli'), { types: false }),
  ];
  for (const name of ['linux-x64', 'linux-arm64', 'linux-x64-cuda']) {
    const home = path.join(root, 'packages', name);
    // Built by scripts/prebuild.mjs, which not everybody does.
    if (fs.existsSync(path.join(home, 'codec_patch_stream.node'))) {
      counts.push(await check(home, { types: false }));
    }
  }
  const list = ['ls-files', '-co', '--exclude-standard'];
  const tracked = execFileSync('git', list, { cwd: root, encoding: 'utf8' }).trim().split('\n');
  const there = tracked.filter((file) => fs.existsSync(path.join(root, file)));
  problems.push(...brokenLinks(root, there).map((text) => `repository, ${text}`));
  for (const problem of problems) console.error(problem);
  console.log(`packages: ${counts.join(', ')} files, ${problems.length} problems`);
  process.exitCode = problems.length > 0 ? 1 : 0;
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
