#!/usr/bin/env node
/**
 * NVIDIA's libnvcuvid for the tests of its parser (test/native/cuda/nvdec/real_parser_test.cpp), which
 * runs without a GPU and without a driver. It is no part of this project and is never handed on: this
 * takes Debian's package libnvcuvid1 of the section non-free, with lists and a cache of its own, and
 * unpacks it into the user's cache.
 *
 *   CPS_NVCUVID=$(node scripts/nvcuvid.mjs) ctest --test-dir build -R RealParser
 *
 * Prints the library's path. Where it cannot be had it says why, and exits with 1.
 */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';
import { has, Stop } from './lib/shell.mjs';

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
const mirror = 'http://deb.debian.org/debian';

/** The library's path: what CPS_NVCUVID says, else one that is fetched once. */
export function ensureNvcuvid() {
  const given = process.env.CPS_NVCUVID;
  if (given) {
    if (fs.existsSync(given)) return given;
    throw new Stop(`CPS_NVCUVID is ${given}, which does not exist`);
  }
  if (!has('apt-get') || !fs.existsSync(keyring)) throw new Stop('this is no Debian');
  if (process.arch !== 'x64') throw new Stop(`${process.arch} is not looked for`);
  const codename = /^VERSION_CODENAME=(\w+)/m.exec(fs.readFileSync('/etc/os-release', 'utf8'))?.[1];
  const home = process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache');
  const cache = path.join(home, 'codec-patch-stream', `nvcuvid-${codename}`);
  const find = () =>
    fs.existsSync(cache) &&
    fs
      .readdirSync(cache, { recursive: true })
      .map((name) => path.join(cache, name))
      .find((name) => /libnvcuvid\.so\.\d+\.\d/.test(name));
  const there = find();
  if (there) return there;

  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'nvcuvid-'));
  try {
    for (const folder of ['parts', 'lists/partial', 'archives/partial']) {
      fs.mkdirSync(path.join(work, folder), { recursive: true });
    }
    const source = `Types: deb\nURIs: ${mirror}\nSuites: ${codename}\nComponents: non-free\nSigned-By: ${keyring}\n`;
    fs.writeFileSync(path.join(work, 'parts', 'non-free.sources'), source);
    const settings = {
      'Dir::Etc::SourceList': '/dev/null',
      'Dir::Etc::SourceParts': path.join(work, 'parts'),
      'Dir::State::Lists': path.join(work, 'lists'),
      'Dir::Cache': work,
      'APT::Sandbox::User': 'root', // the folder is this user's alone
      'Acquire::Retries': '1',
      'Acquire::http::Timeout': '20',
    };
    const apt = (...args) =>
      execFileSync(
        'apt-get',
        [
          ...Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
          ...args,
        ],
        { cwd: work, stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' },
      );
    apt('update');
    apt('download', 'libnvcuvid1');
    const file = fs.readdirSync(work).find((name) => name.endsWith('.deb'));
    fs.mkdirSync(cache, { recursive: true });
    execFileSync('dpkg-deb', ['-x', path.join(work, file), cache]);
  } catch (error) {
    throw new Stop(`libnvcuvid1 cannot be had from ${mirror}: ${error.stderr || error.message}`);
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
  const fetched = find();
  if (!fetched) throw new Stop('libnvcuvid1 holds no libnvcuvid');
  return fetched;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    console.log(ensureNvcuvid());
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
