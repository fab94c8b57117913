/** A child process that answers each line on stdin with one JSON line on stdout. */
import { spawn } from 'node:child_process';
import * as readline from 'node:readline';

export class Server {
  #child;
  #waiting = [];
  #stderr = '';
  #gone;

  constructor(command, args, options = {}) {
    this.name = `${command} ${args.join(' ')}`.slice(0, 200);
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options });
    this.#child.stderr.on('data', (chunk) => (this.#stderr = (this.#stderr + chunk).slice(-4000)));
    this.#child.stdin.on('error', () => {});
    this.#child.on('error', (error) => this.#fail(error.message));
    this.#child.on('close', (code, signal) => this.#fail(`ended (${signal ?? code})`));
    readline.createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const next = this.#waiting.shift();
      if (!next) return;
      try {
        next.resolve(JSON.parse(line));
      } catch {
        next.reject(new Error(`${this.name} answered ${line}`));
      }
    });
    /** The line that the process prints once it is ready. */
    this.ready = this.#next();
    this.ready.catch(() => {});
  }

  get pid() {
    return this.#child.pid;
  }

  #fail(why) {
    this.#gone ??= new Error(`${this.name}: ${why}\n${this.#stderr}`);
    for (const { reject } of this.#waiting.splice(0)) reject(this.#gone);
  }

  #next() {
    if (this.#gone) return Promise.reject(this.#gone);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  ask(line) {
    const reply = this.#next();
    this.#child.stdin.write(`${line}\n`);
    return reply;
  }

  async close() {
    const closed = new Promise((resolve) => this.#child.once('close', resolve));
    if (this.#gone) return;
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await closed;
    clearTimeout(timer);
  }
}
