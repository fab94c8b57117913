/** `--shard i/n`: which shards are this process's, where each of n does its share. */
import { UsageError } from '../files.js';

export interface Split {
  readonly part: number;
  readonly of: number;
}

const WHOLE: Split = { part: 0, of: 1 };

const integer = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;

type Environment = Readonly<Record<string, string | undefined>>;

/** A Slurm array, the tasks of a Slurm step, or a Kubernetes indexed job. */
function fromEnvironment(env: Environment): Split {
  const array = integer(env['SLURM_ARRAY_TASK_ID']);
  const least = integer(env['SLURM_ARRAY_TASK_MIN']);
  const count = integer(env['SLURM_ARRAY_TASK_COUNT']);
  if (array !== undefined && least !== undefined && count !== undefined) {
    const part = (array - least) / (integer(env['SLURM_ARRAY_TASK_STEP']) ?? 1);
    if (!Number.isInteger(part) || part >= count) {
      throw new UsageError(
        `Expected an array with one step (--array=0-${count - 1}) for --shard auto but received ` +
          `task ${array} of ${count} tasks from ${least} on`,
      );
    }
    return { part, of: count };
  }
  const index = integer(env['JOB_COMPLETION_INDEX']);
  if (index !== undefined) {
    const of = integer(env['JOB_COMPLETIONS']);
    if (of !== undefined) return { part: index, of };
    throw new UsageError(
      'Expected JOB_COMPLETIONS beside JOB_COMPLETION_INDEX for --shard auto: Kubernetes does not tell ' +
        "a pod the job's completions, so give them as a variable of the container",
    );
  }
  const [task, tasks] = [integer(env['SLURM_PROCID']), integer(env['SLURM_NTASKS'])];
  if (task !== undefined && tasks !== undefined) return { part: task, of: tasks };
  throw new UsageError(
    'Expected the variables of a Slurm array (SLURM_ARRAY_TASK_ID, _MIN, _COUNT), of a Slurm step ' +
      '(SLURM_PROCID, SLURM_NTASKS) or of a Kubernetes indexed job (JOB_COMPLETION_INDEX, and JOB_COMPLETIONS) ' +
      'for --shard auto but there are none',
  );
}

export function splitOf(text: string | undefined, env: Environment): Split {
  if (text === undefined) return WHOLE;
  const split =
    text === 'auto'
      ? fromEnvironment(env)
      : { part: integer(text.split('/')[0]) ?? -1, of: integer(/\/(\d+)$/.exec(text)?.[1]) ?? -1 };
  if (split.part < 0 || split.of < 1 || split.part >= split.of) {
    throw new UsageError(
      `Expected i/n with 0 <= i < n, or auto, for --shard but received '${text}'` +
        (text === 'auto' ? ` (${split.part}/${split.of})` : ''),
    );
  }
  return split;
}
