/** The snippets of the docs, copied out and run as they stand: the blocks of a page are one program. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import * as ts from 'typescript';
import { GraphBuilder } from '../../examples/lib/onnx.js';
import { vitOnnx, vitWeights } from '../../examples/lib/vit.js';
import { ABORT_CODE, ERROR_CODES, STAGES } from '../../src/support/errors.js';
import { fixturePath } from '../helpers/fixtures.js';

const root = path.join(__dirname, '../..');
// Inside the package, so that it finds itself by its name.
const programs = path.join(root, 'build', 'snippets');
const place = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-docs-'));
/** Every page of the guide that has programs. */
const pages = [
  'README.md',
  ...['docs', 'docs/models'].flatMap((folder) =>
    fs.readdirSync(path.join(root, folder)).map((name) => `${folder}/${name}`),
  ),
]
  .filter((page) => page.endsWith('.md'))
  .filter((page) => /^```ts$/m.test(fs.readFileSync(path.join(root, page), 'utf8')));
const programOf = (page: string): string =>
  path.join(programs, `${page.slice(0, -'.md'.length).replace(/\W/g, '-')}.mts`);

/** A model with inputs of other names, as the page about ONNX Runtime has it. */
function otherNames(): Uint8Array {
  const g = new GraphBuilder();
  for (const [name, type, shape] of [
    ['vision_input', 'float32', ['count', 588]],
    ['temperature', 'float32', [1]],
    ['num_patches', 'int64', [1]],
  ] as const) {
    g.input(name, type, shape);
    g.node('Identity', [name], {}, `${name}_out`);
    g.output(`${name}_out`, type, shape);
  }
  return g.encode();
}

beforeAll(() => {
  fs.mkdirSync(programs, { recursive: true });
  for (const page of pages) {
    const text = fs.readFileSync(path.join(root, page), 'utf8');
    const blocks = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code);
    expect(blocks.length).toBeGreaterThan(0);
    fs.writeFileSync(programOf(page), blocks.join('\n'));
  }
  fs.mkdirSync(path.join(place, 'clips'));
  for (const name of ['video', 'clip', 'a', 'b', 'c', 'clips/a', 'clips/b']) {
    fs.symlinkSync(fixturePath('h264_bpyramid.mp4'), path.join(place, `${name}.mp4`));
  }
  fs.writeFileSync(path.join(place, 'model.onnx'), vitOnnx(vitWeights(1)));
  fs.writeFileSync(path.join(place, 'other-names.onnx'), otherNames());
  const command = path.join(root, 'packages', 'cli', 'dist', 'main.js');
  const flags = ['--patches', '--topk', '64', '--layout', 'nchw', '--dtype', 'float32'];
  const extract = ['extract', 'a.mp4', 'b.mp4', ...flags, '--out', 'patches-nchw'];
  execFileSync(process.execPath, [command, ...extract], { cwd: place, stdio: 'ignore' });
  const models = path.join(root, 'examples', 'models');
  fs.copyFileSync(path.join(models, 'videomae.onnx'), path.join(place, 'videomae.onnx'));
  const outputs = fs.readFileSync(path.join(models, 'outputs.json'), 'utf8');
  const { videomae } = JSON.parse(outputs) as { videomae: { config: object } };
  fs.writeFileSync(path.join(place, 'preprocessor_config.json'), JSON.stringify(videomae.config));
  // Folders of checkpoints, as the pages about families have them.
  for (const name of ['clip', 'onevision-encoder']) {
    fs.mkdirSync(path.join(place, name));
    fs.copyFileSync(path.join(models, `${name}.onnx`), path.join(place, name, 'model.onnx'));
    const { config } = (JSON.parse(outputs) as Record<string, { config: object }>)[name] ?? {};
    fs.writeFileSync(path.join(place, name, 'preprocessor_config.json'), JSON.stringify(config));
  }
});
afterAll(() => fs.rmSync(place, { recursive: true, force: true }));

test('docs/errors.md says of every code what it means, where it comes from, and what to do', () => {
  const text = fs.readFileSync(path.join(root, 'docs', 'errors.md'), 'utf8');
  const parts = text.split(/^## /m).slice(1);
  const codes = parts.map((part) => part.slice(0, part.indexOf('\n')));
  expect(codes).toEqual([...ERROR_CODES, ABORT_CODE]);
  for (const part of parts) {
    const [name = ''] = part.split('\n');
    const answers = ['Meaning', 'Causes', 'Fix'].map((word) => part.includes(`**${word}.** `));
    expect([name, ...answers]).toEqual([name, true, true, true]);
  }
  // Each stage is named, too.
  for (const stage of STAGES) expect(text).toContain(`\`${stage}\``);
});

test('they compile in a strict project', () => {
  const { strict, target, module, moduleResolution, lib } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(path.join(root, 'tsconfig.json'), (file) => fs.readFileSync(file, 'utf8'))
      .config,
    ts.sys,
    root,
  ).options;
  const options = { strict, target, module, moduleResolution, lib, types: ['node'] };
  const program = ts.createProgram(pages.map(programOf), {
    ...(options as ts.CompilerOptions),
    noEmit: true,
    skipLibCheck: true,
  });
  const messages = ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => {
    const text = ts.flattenDiagnosticMessageText(messageText, '\n');
    return `${path.basename(file?.fileName ?? '')}: ${text}`;
  });
  expect(messages).toEqual([]);
});

test.each(pages)('%s runs', (page) => {
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  const source = fs.readFileSync(programOf(page), 'utf8');
  const script = programOf(page).replace(/\.mts$/, '.mjs');
  fs.writeFileSync(script, ts.transpileModule(source, { compilerOptions }).outputText);
  execFileSync(process.execPath, [script], { cwd: place, stdio: ['ignore', 'pipe', 'pipe'] });
});
