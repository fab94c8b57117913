/** What a signal means while a command has something to finish. */
let current: ((signal: NodeJS.Signals) => void) | undefined;

/** Calls `handler` for the first signal in place of ending the process; the second one ends it. */
export function onInterrupt(handler: (signal: NodeJS.Signals) => void): { done(): void } {
  current = handler;
  return {
    done: () => {
      current = undefined;
    },
  };
}

/** Whether somebody sees to it. */
export function interrupted(signal: NodeJS.Signals): boolean {
  const handler = current;
  current = undefined;
  handler?.(signal);
  return handler !== undefined;
}
