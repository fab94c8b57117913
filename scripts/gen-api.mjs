#!/usr/bin/env node
/**
 * docs/api: the reference of every exported name, made of the docstrings by TypeDoc. A page for each
 * entry point of package.json. Fails when an exported name has no docstring or a link leads nowhere.
 *   node scripts/gen-api.mjs          writes it
 *   node scripts/gen-api.mjs --check  exits with 1 when a page is out of date
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { Application, LogLevel, ReflectionKind } from 'typedoc';
import { root } from './lib/shell.mjs';

const target = path.join(root, 'docs', 'api');
const { exports } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
/** ./dist/src/index.js is made of src/index.ts. */
const entries = Object.entries(exports)
  .filter(([, entry]) => entry.default)
  .map(([subpath, entry]) => ({
    // The page: codec-patch-stream.md, tfjs.md, ...
    page: subpath === '.' ? 'codec-patch-stream' : subpath.slice(2).replaceAll('/', '-'),
    imported: path.posix.join('codec-patch-stream', subpath),
    source: entry.default.replace('./dist/', '').replace(/\.js$/, '.ts'),
  }));

/** Shorter: a getter is a type and a text, and where a member was inherited from nobody asks. */
function shortened(text) {
  return text
    .replace(/^#+ (Inherited from|Overrides|Implementation of)\n\n.*\n\n?/gm, '')
    .replace(
      /^#+ Get Signature\n\n```ts\n[^]*?\n```\n\n([^]*?)#+ Returns\n\n(.*)\n/gm,
      (_, doc, type) => `${type}\n\n${doc.trimEnd()}\n`,
    )
    .replace(/\n{3,}/g, '\n\n');
}

/** Exported names, and members of exported classes and interfaces, without a docstring. */
function undocumented(project) {
  const { Class, Interface, Function: Fun, TypeAlias, Variable } = ReflectionKind;
  const { Property, Method, Accessor, TypeLiteral } = ReflectionKind;
  const kinds = Class | Interface | Fun | TypeAlias | Variable | Property | Method | Accessor;
  const signatures = (one) => [...(one.signatures ?? []), one.getSignature].filter(Boolean);
  // What an anonymous object consists of is described where it stands.
  const isPart = (one) =>
    one.parent !== undefined && (one.parent.kindOf(TypeLiteral) || isPart(one.parent));
  return project
    .getReflectionsByKind(kinds)
    .filter((one) => !isPart(one))
    .filter(
      (one) => ![one, ...signatures(one)].some(({ comment }) => comment?.hasVisibleComponent()),
    )
    .map((one) => one.getFriendlyFullName());
}

const HEADER = '<!-- Generated from the docstrings by scripts/gen-api.mjs; do not edit. -->\n\n';

function pageOf(name, text) {
  if (name === 'README.md') {
    const rows = entries.map(({ page, imported }) => `- [\`${imported}\`](${page}.md)`);
    return `${HEADER}# API reference\n\nEvery exported name, a page for each import.\n\n${rows.join('\n')}\n`;
  }
  const entry = entries.find(({ page }) => name === `${page}.md`);
  return HEADER + shortened(text).replace(/^# .*/, `# ${entry?.imported ?? name}`);
}

/** The pages, name -> text. */
async function render() {
  const out = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-api-'));
  try {
    const app = await Application.bootstrapWithPlugins({
      plugin: ['typedoc-plugin-markdown'],
      entryPoints: entries.map(({ source }) => path.join(root, source)),
      out,
      tsconfig: path.join(root, 'tsconfig.json'),
      // The adapters name the package as any program does; here that is its sources.
      compilerOptions: {
        paths: { 'codec-patch-stream': [path.join(root, 'src', 'index.ts')] },
        incremental: false,
        tsBuildInfoFile: undefined,
      },
      name: 'API',
      readme: 'none',
      excludeInternal: true,
      excludePrivate: true,
      excludeProtected: true,
      excludeExternals: true,
      disableSources: true,
      sort: ['source-order'],
      logLevel: LogLevel.Warn,
      validation: { notExported: false, invalidLink: true, notDocumented: false },
      treatWarningsAsErrors: true,
      // Of typedoc-plugin-markdown.
      outputFileStrategy: 'modules',
      entryFileName: 'README',
      hidePageHeader: true,
      hideBreadcrumbs: true,
      expandObjects: true,
      useCodeBlocks: true,
      useHTMLAnchors: true,
      parametersFormat: 'table',
      interfacePropertiesFormat: 'table',
      typeDeclarationFormat: 'table',
      tableColumnSettings: {
        hideSources: true,
        hideModifiers: true,
        hideInherited: true,
        hideOverrides: true,
      },
    });
    const project = await app.convert();
    if (!project) throw new Error('TypeDoc could not read the sources');
    for (const { page, source } of entries) {
      const name = source.replace(/(\/index)?\.ts$/, '');
      for (const module of project.children) if (module.name === name) module.name = page;
    }
    app.validate(project);
    for (const name of undocumented(project)) app.logger.warn(`${name} has no docstring`);
    await app.generateOutputs(project);
    if (app.logger.hasErrors() || app.logger.hasWarnings()) process.exitCode = 1;

    const names = fs.readdirSync(out, { recursive: true }).filter((name) => name.endsWith('.md'));
    const texts = new Map(
      names.map((name) => [name, fs.readFileSync(path.join(out, name), 'utf8')]),
    );
    const linked = new Set(
      [...texts.values()].flatMap((text) =>
        [...text.matchAll(/\]\([^)#]*#([^)]+)\)/g)].map(([, id]) => id),
      ),
    );
    // Headings that differ in case alone need an anchor; one that nobody links to is noise.
    const needed = (text) =>
      text.replace(/<a id="([^"]+)"><\/a>\s*/g, (anchor, id) => (linked.has(id) ? anchor : ''));
    return new Map([...texts].map(([name, text]) => [name, pageOf(name, needed(text))]));
  } finally {
    fs.rmSync(out, { recursive: true, force: true });
  }
}

const pages = await render();
const there = fs.existsSync(target) ? fs.readdirSync(target, { recursive: true }) : [];
const old = there.filter((name) => name.endsWith('.md') && !pages.has(name));
const stale = [...pages].filter(([name, text]) => {
  const file = path.join(target, name);
  return !fs.existsSync(file) || fs.readFileSync(file, 'utf8') !== text;
});
if (process.argv.includes('--check')) {
  for (const name of [...stale.map(([name]) => name), ...old]) {
    console.error(`docs/api/${name} is out of date: node scripts/gen-api.mjs`);
    process.exitCode = 1;
  }
} else {
  for (const name of old) fs.rmSync(path.join(target, name));
  for (const [name, text] of stale) {
    fs.mkdirSync(path.dirname(path.join(target, name)), { recursive: true });
    fs.writeFileSync(path.join(target, name), text);
    console.log(`wrote docs/api/${name}`);
  }
}
