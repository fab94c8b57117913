/** What to do when a signal aborts: one listener, however many calls share the signal. */

interface Listening {
  readonly actions: Set<() => void>;
  readonly listener: () => void;
}

const listenings = new WeakMap<AbortSignal, Listening>();

function listenTo(signal: AbortSignal): Listening {
  const actions = new Set<() => void>();
  const listener = (): void => {
    for (const action of actions) action();
  };
  const listening = { actions, listener };
  listenings.set(signal, listening);
  signal.addEventListener('abort', listener);
  return listening;
}

/**
 * Runs `action` once when `signal` aborts; the function returned takes it back. Node warns of a leak
 * at eleven listeners on one signal, and a batch of calls with one signal is no leak.
 */
export function onAbort(signal: AbortSignal, action: () => void): () => void {
  const { actions, listener } = listenings.get(signal) ?? listenTo(signal);
  actions.add(action);
  return () => {
    actions.delete(action);
    if (actions.size > 0 || listenings.get(signal)?.actions !== actions) return;
    listenings.delete(signal);
    signal.removeEventListener('abort', listener);
  };
}
