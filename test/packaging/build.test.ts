/** What CMake makes of a machine: configured only, with an nvcc that is none, with and without ccache. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { repoRoot } from '../helpers/fixtures.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-build-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

function write(name: string, text: string, mode = 0o644): string {
  const file = path.join(folder, name);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, text, { mode });
  return file;
}

// As much of the CUDA toolkit as configuring asks for.
const nvcc = write(
  'toolkit/bin/nvcc',
  `#!/bin/sh
case "$*" in
  *--version*) echo 'Cuda compilation tools, release 13.0, V13.0.1' ;;
  *--list-gpu-code*) echo 'sm_75' ;;
  *--dryrun*) echo '#$ TOP=${folder}/toolkit' >&2 ;;
esac
`,
  0o755,
);
write('toolkit/lib64/libcudart_static.a', '');
write('include/ffnvcodec/dynlink_nvcuvid.h', '');
const ccache = write('ccache/ccache', '#!/bin/sh\nexec "$@"\n', 0o755);

/** Every command of this machine but ccache. */
function commands(): { bin: string; ignored: string[] } {
  const bin = path.join(folder, 'bin');
  fs.mkdirSync(bin);
  const ignored = (process.env['PATH'] ?? '').split(':').filter((p) => fs.existsSync(p));
  for (const from of ignored) {
    for (const name of fs.readdirSync(from)) {
      const link = path.join(bin, name);
      if (name !== 'ccache' && !fs.existsSync(link)) fs.symlinkSync(path.join(from, name), link);
    }
  }
  // CMake looks there by itself, whatever PATH says.
  for (const prefix of ['/usr/local', '/usr', '']) {
    for (const name of ['bin', 'sbin']) ignored.push(`${prefix}/${name}`);
  }
  return { bin, ignored };
}

/** The build file's lines that call nvcc. */
function nvccLines(name: string, PATH: string, ignored: string[]): string[] {
  const out = path.join(folder, name);
  const which = (command: string) =>
    execFileSync('sh', ['-c', `command -v ${command}`], { encoding: 'utf8' }).trim();
  const args = ['-S', repoRoot, '-B', out, '-DCPS_BUILD_ADDON=OFF', '-DCPS_ENABLE_CUDA=ON'];
  args.push(`-DCPS_NVCC=${nvcc}`, `-DCPS_FFNVCODEC_INCLUDE=${path.join(folder, 'include')}`);
  args.push('-G', 'Unix Makefiles', `-DCMAKE_MAKE_PROGRAM=/bin/true`);
  args.push(`-DCMAKE_IGNORE_PATH=${ignored.join(';')}`);
  const env = { ...process.env, PATH, CC: which('cc'), CXX: which('c++') };
  execFileSync(which('cmake'), args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const files = fs
    .readdirSync(out, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('build.make'));
  const text = files.map((file) => fs.readFileSync(path.join(out, file), 'utf8')).join('\n');
  expect(text).not.toContain('NOTFOUND');
  return text.split('\n').filter((line) => line.includes(`${nvcc} -`));
}

test('CUDA sources compile with ccache and without', () => {
  const { bin, ignored } = commands();
  const without = nvccLines('without', bin, ignored);
  expect(without.length).toBeGreaterThan(3);
  expect(without.filter((line) => !new RegExp(`(&& |\\t)${nvcc} -`).test(line))).toEqual([]);
  const cached = nvccLines('with', `${path.dirname(ccache)}:${bin}`, ignored);
  expect(cached).toHaveLength(without.length);
  expect(cached.filter((line) => !line.includes(`${ccache} ${nvcc} -`))).toEqual([]);
}, 180_000);

test('what CMake keeps of another folder is forgotten, of this one it stays', () => {
  const setup = path.join(repoRoot, 'scripts', 'lib', 'setup.mjs');
  const keptOf = (home: string): string[] => {
    const dir = path.join(folder, `cache-of${home.replaceAll('/', '-')}`);
    const cache = `CMAKE_GENERATOR:INTERNAL=Ninja\nCMAKE_HOME_DIRECTORY:INTERNAL=${home}\n`;
    fs.mkdirSync(path.join(dir, 'CMakeFiles'), { recursive: true });
    for (const [name, text] of [
      ['CMakeCache.txt', cache],
      ['configured-with', 'x'],
      ['build.ninja', 'x'],
    ] as const) {
      fs.writeFileSync(path.join(dir, name), text);
    }
    const code = `import { forgetForeignCache } from '${setup}'; forgetForeignCache('${dir}');`;
    execFileSync(process.execPath, ['--input-type=module', '-e', code], { stdio: 'pipe' });
    return fs.readdirSync(dir).sort();
  };
  expect(keptOf('/somewhere/else')).toEqual(['build.ninja']);
  const all = ['CMakeCache.txt', 'CMakeFiles', 'build.ninja', 'configured-with'];
  expect(keptOf(repoRoot)).toEqual(all);
});
