/** Tables for the terminal and for Markdown. */
import Table from 'cli-table3';

export function terminalTable({ title, note, head, rows }) {
  const table = new Table({ head, style: { head: [], border: ['grey'], compact: true } });
  for (const row of rows) table.push(row.map((cell) => `${cell}`));
  return `\n${title}\n${note ? `${note}\n` : ''}${table.toString()}\n`;
}

export function markdownTable({ title, note, head, rows }, level = 3) {
  const cell = (text) => `${text}`.replace(/\|/g, '\\|');
  const line = (cells) => `| ${cells.map(cell).join(' | ')} |`;
  const body = [line(head), line(head.map(() => '---')), ...rows.map(line)];
  return [`${'#'.repeat(level)} ${title}`, ...(note ? ['', note] : []), '', ...body, ''].join('\n');
}

export const checkTable = (checks) => ({
  title: 'What must hold',
  head: ['what', 'measured', 'at most', 'holds'],
  rows: checks.map((c) => [c.what, c.value.toFixed(2), c.bound, c.ok ? 'yes' : 'no']),
});
