/**
 * docs/lab/selection-evidence.md has parts that stay as they are when it is made anew: what has a program of its own
 * (times, which need a quiet machine, and the task with distractors), and what a person wrote.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { root } from '../../scripts/lib/shell.mjs';

export const evidencePage = path.join(root, 'docs', 'lab', 'selection-evidence.md');

export const TIMES = 'times';
export const DIRECTION = 'the task with distractors';
/** Written before the figures were there. */
export const LENGTHS = 'two lengths';
// Of the figures: looked at again whenever they change.
export const WHY = 'why gaps are open';
export const FLAT = 'why flat patches are taken';

const [from, to] = [(name) => `<!-- ${name} -->\n`, (name) => `\n<!-- end of ${name} -->`];

/** The part of this name, with its marks; empty where the page has none. */
export function partOf(page, name) {
  const [begin, end] = [page.indexOf(from(name)), page.indexOf(to(name))];
  return begin < 0 || end < begin ? part(name, '') : page.slice(begin, end + to(name).length);
}

export const part = (name, text) => `${from(name)}\n${text.trim()}\n${to(name)}`;

/** The page as it is on disk. */
export const writtenPage = () =>
  fs.existsSync(evidencePage) ? fs.readFileSync(evidencePage, 'utf8') : '';

/** Puts a part that was measured by itself into the page. */
export function writePart(name, text) {
  const page = writtenPage();
  const old = partOf(page, name);
  if (!page.includes(old)) throw new Error(`Expected a part "${name}" in ${evidencePage}`);
  fs.writeFileSync(
    evidencePage,
    page.replace(old, () => part(name, text)),
  );
}

/** Where and under which load a part was measured. */
export const measuredOn = ({ machine }) =>
  `Measured with ${machine.package} (${machine.commit}) on ${machine.cpu}, ${machine.threads} threads, ` +
  `${machine.node}; load before: ${machine.loadBefore.toFixed(1)}.`;
