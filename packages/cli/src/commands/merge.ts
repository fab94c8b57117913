/** `merge`: from the shares of several machines to one data set. */
import type { Command } from 'commander';
import { mergeShards, missingText } from '../extract/merge.js';
import { counted, UsageError } from '../files.js';
import { factTable } from '../tables.js';
import { print } from '../terminal.js';

export function addMerge(program: Command): void {
  const command = program
    .command('merge')
    .summary('checks that all shards of extract are there, and writes the manifest')
    .description(
      'Checks that every shard of a folder that several extract --shard have written is there, and writes ' +
        'manifest.json.',
    )
    .argument('<folder>', 'the --out of extract')
    .option('--json', 'print the outcome as an object', false);
  command.action(async (folder: string) => {
    const { json } = command.opts<{ json: boolean }>();
    const merged = await mergeShards(folder);
    const { samples, shards, failures, bytes } = merged.manifest;
    const complete = merged.missing.length === 0;
    if (json) {
      const facts = { complete, missing: merged.missing, shards: shards.length, samples };
      await print(`${JSON.stringify({ ...facts, failed: failures.length, bytes })}\n`);
    }
    if (!complete) throw new UsageError(missingText(merged));
    if (json) return;
    const facts: [string, string][] = [
      [
        'samples',
        `${samples} in ${counted(shards.length, 'shard')}, ${(bytes / 1e6).toFixed(1)} MB`,
      ],
      ['failed', failures.length === 0 ? 'none' : `${failures.length} (failures.jsonl)`],
      ['data set', `complete: ${folder}/manifest.json`],
    ];
    await print(`${factTable(facts)}\n`);
  });
}
