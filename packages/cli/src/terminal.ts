/** What the terminal gets: progress while somebody watches, colours where they are wanted, no noise. */
import { constants } from 'node:os';
import { Presets, SingleBar } from 'cli-progress';

/** Whether `stream` takes colours: https://no-color.org, and FORCE_COLOR as Node has it. */
export function hasColours(stream: NodeJS.WriteStream): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (NO_COLOR !== undefined && NO_COLOR !== '') return false;
  if (FORCE_COLOR !== undefined) return FORCE_COLOR !== '0';
  return stream.isTTY && TERM !== 'dumb';
}

const paint = (stream: NodeJS.WriteStream, codes: string, text: string): string =>
  hasColours(stream) ? `\x1b[${codes}m${text}\x1b[0m` : text;

/** The first words of an error. */
export const red = (text: string): string => paint(process.stderr, '1;31', text);
export const dim = (text: string): string => paint(process.stdout, '2', text);
/** A line that stands above others. */
export const bold = (text: string): string => paint(process.stdout, '1', text);
/** A bar of energies or shares. */
export const orange = (text: string): string => paint(process.stdout, '38;5;208', text);

/** How far the work has come. */
export interface Progress {
  /** One step on, or `by` steps; `what` is what comes now. */
  step(what: string, by?: number): void;
  /** Takes the bar away; twice is fine. */
  done(): void;
}

let shown: SingleBar | undefined;

/** Takes away whatever bar is shown: before an error or the end of the process. */
export function clearProgress(): void {
  shown?.stop();
  shown = undefined;
}

/** A bar on stderr where somebody watches; silent in a pipe or a log. */
export function progress(total: number, what: string): Progress {
  if (!process.stderr.isTTY) return { step: () => undefined, done: () => undefined };
  clearProgress();
  const bar = new SingleBar(
    { format: '{bar} {value}/{total} {what}', stream: process.stderr, clearOnComplete: true },
    Presets.shades_classic,
  );
  bar.start(total, 0, { what });
  shown = bar;
  return {
    step: (next, by = 1) => {
      bar.increment(by, { what: next });
    },
    done: () => {
      if (shown === bar) clearProgress();
    },
  };
}

/** Writes to stdout and waits until it is taken: process.exit would drop what is in the pipe. */
export function print(text: string): Promise<void> {
  return new Promise((done) => {
    process.stdout.write(text, (error) => {
      // An error is the stream's, too, which ends the process (endWithOutput): nobody is told twice.
      if (!error) done();
    });
  });
}

/**
 * What cannot be written ends the process by `leave`. Whoever read stdout has read enough (| head): that is no
 * error, and nobody is left to tell.
 */
export function endWithOutput(leave: (status: number) => never): void {
  for (const name of ['stdout', 'stderr'] as const) {
    process[name].on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') leave(128 + constants.signals.SIGPIPE);
      clearProgress();
      if (name === 'stdout') {
        const why = error.code ?? error.message;
        process.stderr.write(`${red('error')}: Could not write to stdout: ${why}\n`);
      }
      leave(1);
    });
  }
}
