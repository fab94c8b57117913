/** Links of Markdown pages that lead nowhere. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { root } from './shell.mjs';

/** Links that name a file of the repository by its address. */
const OWN = /^https:\/\/github\.com\/codec-patch-stream\/codec-patch-stream\/(?:blob|tree)\/main\//;

/** Blocks of code hold no links and no headings. */
const withoutCode = (text) =>
  text
    .replace(/^( *)(```|~~~).*?^\1\2[`~]*$/gms, '')
    .replace(/`[^`\n]*`/g, (code) => code.replace(/[[\]()<]/g, ' '));

/** What GitHub makes of a heading, repeats numbered. */
function anchorsOf(text) {
  const anchors = new Set();
  const counts = new Map();
  for (const [, heading] of text
    .replace(/^( *)(```|~~~).*?^\1\2[`~]*$/gms, '')
    .matchAll(/^#+ +(.*)$/gm)) {
    const plain = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/[`*]|\\/g, '')
      .trim()
      .toLowerCase();
    const slug = plain.replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-');
    const seen = counts.get(slug) ?? 0;
    counts.set(slug, seen + 1);
    anchors.add(seen === 0 ? slug : `${slug}-${seen}`);
  }
  for (const [, id] of text.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(id);
  return anchors;
}

function targetsOf(text) {
  const plain = withoutCode(text);
  const inline = [...plain.matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g)].map(([, to]) => to);
  const html = [...plain.matchAll(/<(?:img|a)\b[^>]*?(?:src|href)="([^"]+)"/g)].map(([, to]) => to);
  const reference = [...plain.matchAll(/^\[[^\]]+\]: +(\S+)/gm)].map(([, to]) => to);
  return [...inline, ...html, ...reference];
}

/** One line per link, in the Markdown pages among `files` of `folder`, that none of `files` answers. */
export function brokenLinks(folder, files) {
  const there = new Set(files);
  for (const file of files) {
    for (let dir = path.posix.dirname(file); dir !== '.'; dir = path.posix.dirname(dir))
      there.add(dir);
  }
  const read = (file, from = folder) => fs.readFileSync(path.join(from, file), 'utf8');
  const broken = [];
  for (const page of files.filter((file) => file.endsWith('.md'))) {
    for (const target of targetsOf(read(page))) {
      const own = OWN.test(target);
      if (!own && /^[a-z][a-z0-9+.-]*:/i.test(target)) continue;
      const [name, anchor] = decodeURI(target.replace(OWN, '')).split('#');
      const from = own ? '' : path.posix.dirname(page);
      const file =
        name === '' ? page : path.posix.normalize(path.posix.join(from, name)).replace(/\/$/, '');
      // By address: of the repository, where this tarball may lack it.
      const exists = there.has(file) || (own && fs.existsSync(path.join(root, file)));
      if (!exists) broken.push(`${page}: ${target} leads nowhere`);
      else if (
        anchor &&
        file.endsWith('.md') &&
        !anchorsOf(read(file, own ? root : folder)).has(anchor)
      ) {
        broken.push(`${page}: ${target} names no heading of ${file}`);
      }
    }
  }
  return broken;
}
