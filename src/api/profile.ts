/** Where stage timings go besides `timings`: a diagnostics channel and, on request, stderr. */
import { channel as openChannel } from 'node:diagnostics_channel';
import { messageOf } from '../support/errors.js';
import type { Api } from '../options/kinds.js';

/** Figures of one call: milliseconds under names that end in Ms, counts under all others. */
export type Timings = Readonly<Record<string, number>>;

/** The channel of node:diagnostics_channel on which a CallReport of every call is published. */
export const CHANNEL_NAME = 'codec-patch-stream:call';

/** What is published on the channel after every call. */
export interface CallReport {
  /** Which function was called. */
  readonly api: Api | 'openVideo';
  /** The path, or "<memory, N bytes>". */
  readonly input: string;
  /** Wall time that the caller waited, in milliseconds. */
  readonly wallMs: number;
  /** Absent when the call failed. */
  readonly timings?: Timings;
  /** Devices that did the work; absent when the call failed. */
  readonly backend?: { readonly decode: string; readonly process: string };
  /** Why the call failed; absent when it did not. */
  readonly error?: unknown;
}

const channel = openChannel(CHANNEL_NAME);

const isOn = (value: string | undefined): boolean => /^(1|true|on)$/i.test(value ?? '');
const figure = (name: string, value: number): string =>
  name.endsWith('Ms') ? value.toFixed(2) : String(value);

function table(timings: Timings): string {
  const rows = Object.entries(timings);
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  return rows
    .map(([name, value]) => `  ${name.padEnd(width)} ${figure(name, value).padStart(10)}\n`)
    .join('');
}

/** The text for stderr, ending in a newline. */
export function formatReport(report: CallReport, verbose: boolean): string {
  const { api, input, wallMs, timings = {}, backend, error } = report;
  const where = backend ? ` ${backend.decode}/${backend.process}` : '';
  const failed = error === undefined ? '' : ` failed: ${messageOf(error)}`;
  const head = `[codec-patch-stream] ${api} ${input}${where} wallMs=${figure('wallMs', wallMs)}${failed}`;
  if (verbose) return `${head}\n${table(timings)}`;
  const figures = Object.entries(timings).map(([name, value]) => ` ${name}=${figure(name, value)}`);
  return `${head}${figures.join('')}\n`;
}

type Wanted = 'nothing' | 'line' | 'table';

/** What the environment asks for; read when a call begins. Deno throws where it may not be read. */
export function wantedOnStderr(): Wanted {
  try {
    if (isOn(process.env['CODEC_DECODE_PROFILE_VERBOSE'])) return 'table';
    return isOn(process.env['CODEC_DECODE_PROFILE']) ? 'line' : 'nothing';
  } catch {
    return 'nothing';
  }
}

export function reportCall(report: CallReport, wanted: Wanted): void {
  if (channel.hasSubscribers) channel.publish(report);
  if (wanted !== 'nothing') process.stderr.write(formatReport(report, wanted === 'table'));
}
