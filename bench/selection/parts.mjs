/**
 * docs/lab/selection-evidence.md has parts that are measured by themselves: times need a quiet machine, and
 * the task with distractors has a script of its own. What is not measured anew stays as it is.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { root } from '../../scripts/lib/shell.mjs';

export const evidencePage = path.join(root, 'docs', 'lab', 'selection-evidence.md');

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

/** Where and under which load a part was measured. */
export const measuredOn = ({ machine }) =>
  `Measured with ${machine.package} (${machine.commit}) on ${machine.cpu}, ${machine.threads} threads, ` +
  `${machine.node}; load before: ${machine.loadBefore.toFixed(1)}.`;
