/** The border with JavaScript where a process of its own is needed: flags, permissions, intrinsics. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { whyNotLoaded } from '../../src/native/load-failure.js';
import { fixturePath, repoRoot } from '../helpers/fixtures.js';

const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'cps-border-')));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
const VIDEO = fixturePath('small.mp4');
const DIST = path.join(repoRoot, 'dist', 'src', 'index.js');
const ADDON = path.join(repoRoot, 'build', 'Release', 'codec_patch_stream.node');

/** Runs `code`, in which `api` is the package at `dist` and `out` prints a line of JSON. */
function run(code: string, flags: readonly string[] = [], dist = DIST, env = {}): unknown[] {
  const script = path.join(folder, 'script.cjs');
  fs.writeFileSync(
    script,
    `const out = (value) => console.log(JSON.stringify(value));
     const facts = (e) => ({ name: e.name, own: e instanceof api.CodecPatchStreamError,
       code: e.code, stage: e.stage, message: e.message });
     const VIDEO = ${JSON.stringify(VIDEO)};
     const api = require(${JSON.stringify(dist)});
     (async () => { ${code} })().catch((e) => out({ thrown: String(e?.stack ?? e) }));`,
  );
  const child = spawnSync(process.execPath, [...flags, script], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '', ...env },
  });
  if (child.status !== 0) throw new Error(`${child.status} ${child.signal}: ${child.stderr}`);
  return child.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
}

describe('errors keep their class, code and stage', () => {
  const body = `
    for (const config of [{ videoPath: VIDEO, kKeep: -1 }, { videoPath: '/none.mp4' },
      { videoPath: Buffer.from('no video') }]) {
      await api.decodeOnly(config).catch((e) => out(facts(e)));
      await api.patchStream(config).catch((e) => out(facts(e)));
    }
    const frames = await api.decodeOnly({ videoPath: VIDEO });
    frames.close();
    try { frames.width } catch (e) { out(facts(e)) }
    const signal = AbortSignal.abort();
    await api.decodeOnly({ videoPath: VIDEO, signal }).catch((e) => out({ name: e.name, code: e.code,
      own: e instanceof api.AbortError }));`;
  const plain = run(body);

  test('there is something to compare with', () => {
    expect(plain).toHaveLength(8);
    expect(plain).toContainEqual({ name: 'AbortError', code: 'ABORT_ERR', own: true });
    for (const facts of plain) expect(facts).toMatchObject({ own: true });
  });

  test.each<[string, readonly string[], string]>([
    ['a frozen Error.prototype', [], 'Object.freeze(Error.prototype);'],
    ['--frozen-intrinsics', ['--frozen-intrinsics'], ''],
    ['no code from strings', ['--disallow-code-generation-from-strings'], ''],
    // Names that Node itself sets on objects of its own are left out on Object.prototype.
    [
      'a frozen Object.prototype with such names',
      [],
      `for (const key of ['code', 'stage', 'cause'])
         Object.defineProperty(Object.prototype, key, { value: 'no', writable: false });
       Object.freeze(Object.prototype);`,
    ],
    [
      'setters that throw',
      [],
      `const set = { get: () => 'no', set() { throw new Error('set'); } };
       for (const key of ['name', 'code', 'stage', 'cause']) Object.defineProperty(Error.prototype, key, set);
       Object.defineProperty(Object.prototype, 'stage', set);`,
    ],
  ])('%s', (_, flags, before) => {
    expect(run(before + body, flags)).toEqual(plain);
  });
});

describe('an addon that does not load', () => {
  const why = 'try { api.buildInfo(); out("loaded") } catch (e) { out(facts(e)) }';
  const said = (lines: unknown[]): string => {
    expect(lines).toEqual([
      expect.objectContaining({ code: 'ERR_CPS_BACKEND_UNAVAILABLE', stage: 'load', own: true }),
    ]);
    return (lines[0] as { message: string }).message;
  };
  /** The package in a folder of its own, with `addon` as its addon. */
  const packageWith = (name: string, addon?: Buffer | string, manifest = true): string => {
    const place = path.join(folder, name);
    fs.mkdirSync(path.join(place, 'build', 'Release'), { recursive: true });
    fs.cpSync(path.join(repoRoot, 'dist'), path.join(place, 'dist'), { recursive: true });
    if (manifest) fs.cpSync(path.join(repoRoot, 'package.json'), path.join(place, 'package.json'));
    if (addon !== undefined) {
      fs.writeFileSync(path.join(place, 'build', 'Release', 'codec_patch_stream.node'), addon);
    }
    return path.join(place, 'dist', 'src', 'index.js');
  };

  test('because addons are forbidden', () => {
    const message = said(run(why, ['--no-addons']));
    expect(message).toMatch(/--no-addons.*Start it without/);
    expect(message).not.toMatch(/build it/i);
  });

  test('because a library is not there', () => {
    const binary = fs.readFileSync(ADDON);
    const name = /libavformat\.so\.\d+/.exec(binary.toString('latin1'))?.[0] ?? '';
    const gone = name.replace('format', 'fromat');
    binary.write(gone, binary.indexOf(name), 'latin1');
    const message = said(run(why, [], packageWith('library', binary)));
    expect(message).toContain(`${gone} is not on this machine`);
    expect(message).toMatch(/apt-get install libavfromat\d+/);
    expect(message).toMatch(/after an upgrade to another version, build it/);
  });

  test('because it is none', () => {
    expect(said(run(why, [], packageWith('none', 'text')))).toMatch(
      /Build it for this machine: node/,
    );
  });

  test('because there is no file', () => {
    const dist = packageWith('nothing');
    const script = path.join(folder, 'nothing', 'scripts', 'build-from-source.mjs');
    expect(said(run(why, [], dist))).toMatch(
      new RegExp(`does not exist.*Build it for this machine: node ${script}$`),
    );
  });

  test('because it was bundled: the option to set, and no path that does not exist', () => {
    const message = said(run(why, [], packageWith('bundled', undefined, false)));
    expect(message).toMatch(/bundled.*esbuild: --external:codec-patch-stream/);
    expect(message).not.toMatch(/from-source|build\/Release/);
  });

  test.each([
    [{ message: 'NotCapable: Requires ffi access to "/a", run again with the --allow-ffi flag' }],
    [{ message: '/a.node: cannot open shared object file: Too many open files' }],
    [{ message: '/a.node: failed to map segment from shared object: Operation not permitted' }],
    [{ message: 'libavutil.so.57: failed to map segment: Cannot allocate memory' }],
    [{ message: 'Access to this API has been restricted', code: 'ERR_ACCESS_DENIED' }],
  ])('%j: building is not said to help', (cause) => {
    expect(whyNotLoaded(cause, 'Build it')).not.toMatch(/build it/i);
  });
});

// Node 22 and later have --permission; 20 has it under another name.
const PERMISSION =
  Number(process.versions.node.split('.')[0]) >= 22 ? '--permission' : '--experimental-permission';

describe(PERMISSION, () => {
  const open = [repoRoot, folder, path.dirname(VIDEO)].map((d) => `--allow-fs-read=${d}/*`);
  const flags = [PERMISSION, '--no-warnings', ...open];
  const call = `
    for (const api_ of [api.decodeOnly, api.patchStream])
      for (const videoPath of paths) await api_({ videoPath, sequenceLength: 1, ...options })
        .then((r) => { out('decoded'); r.close(); }, (e) => out(facts(e)));`;

  test('what fs may not read is not decoded', () => {
    const secret = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-secret-'));
    try {
      const hidden = path.join(secret, 'v.mp4');
      fs.copyFileSync(VIDEO, hidden);
      const dots = path.join(folder) + `/../${path.basename(secret)}/v.mp4`;
      const paths = JSON.stringify([VIDEO, hidden, dots, `file://${hidden}`]);
      const lines = run(`const paths = ${paths}, options = {};` + call, [
        ...flags,
        '--allow-addons',
      ]);
      const refused = {
        code: 'ERR_CPS_INVALID_ARGUMENT',
        stage: 'open',
        own: true,
        message: expect.stringMatching(/videoPath.*--allow-fs-read/) as string,
      };
      const each = ['decoded', ...[1, 2, 3].map(() => expect.objectContaining(refused) as object)];
      expect(lines).toEqual([...each, ...each]);
    } finally {
      fs.rmSync(secret, { recursive: true });
    }
  });

  test('no index is written where fs may not write', () => {
    const cache = path.join(folder, 'cache');
    const text = `const paths = [VIDEO], options = { readerCacheDir: ${JSON.stringify(cache)} };`;
    expect(run(text + call, [...flags, '--allow-addons'])).toEqual(['decoded', 'decoded']);
    expect(fs.existsSync(cache)).toBe(false);
    const writable = [...flags, '--allow-addons', `--allow-fs-write=${folder}/*`];
    expect(run(text + call, writable)).toEqual(['decoded', 'decoded']);
    expect(fs.readdirSync(cache)).toHaveLength(1);
  });

  test('without --allow-addons it says so', () => {
    const [line] = run('try { api.buildInfo() } catch (e) { out(facts(e)) }', flags);
    expect(line).toMatchObject({
      code: 'ERR_CPS_BACKEND_UNAVAILABLE',
      message: expect.stringMatching(/--permission.*Start it with --allow-addons$/) as string,
    });
  });
});

test('CODEC_DECODE_PROFILE counts as it is when a call begins', () => {
  const code = `
    let text = '';
    process.stderr.write = (line) => ((text += line), true);
    process.env.CODEC_DECODE_PROFILE = '1';
    const first = api.decodeOnly({ videoPath: VIDEO, sequenceLength: 1 });
    process.env.CODEC_DECODE_PROFILE = '';
    const second = api.decodeOnly({ videoPath: VIDEO, sequenceLength: 2 });
    process.env.CODEC_DECODE_PROFILE = '1';
    for (const frames of [await first, await second]) frames.close();
    out(text.split('decodeOnly').length - 1);`;
  expect(run(code)).toEqual([1]);
});
