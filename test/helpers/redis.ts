/** A Redis of a test's own: a free port, its own folder, an append-only file. */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { Redis } from 'ioredis';

export const hasRedis = spawnSync('redis-server', ['--version']).status === 0;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export class TestRedis {
  #server: ChildProcess | undefined;

  private constructor(
    private readonly folder: string,
    readonly port: number,
  ) {}

  static async start(folder: string): Promise<TestRedis> {
    const redis = new TestRedis(folder, await freePort());
    await redis.start();
    return redis;
  }

  urlOf(name: string): string {
    return `redis://127.0.0.1:${this.port}/${name}`;
  }

  /** Starts it, with what its append-only file holds, and waits until it answers. */
  async start(): Promise<void> {
    const args = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.folder];
    this.#server = spawn('redis-server', [...args, '--appendonly', 'yes', '--save', ''], {
      stdio: 'ignore',
    });
    for (let tries = 0; tries < 200; tries++) {
      const client = new Redis(this.port, '127.0.0.1', {
        lazyConnect: true,
        retryStrategy: () => null,
      });
      client.on('error', () => undefined);
      const answer = await client.connect().then(
        () => client.ping(),
        () => undefined,
      );
      client.disconnect();
      if (answer === 'PONG') return;
      await wait(50);
    }
    throw new Error('redis-server does not answer');
  }

  /** kill -9. */
  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server || server.exitCode !== null) return;
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
  }
}
