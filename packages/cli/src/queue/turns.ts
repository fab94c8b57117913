/** Work that runs beside other work, and work that runs alone. */
export class Turns {
  #shared = 0;
  #alone = false;
  readonly #waiting: (() => boolean)[] = [];

  shared<R>(work: () => Promise<R>): Promise<R> {
    return this.#when(
      () => !this.#alone,
      () => this.#shared++,
      () => this.#shared--,
      work,
    );
  }

  alone<R>(work: () => Promise<R>): Promise<R> {
    return this.#when(
      () => !this.#alone && this.#shared === 0,
      () => (this.#alone = true),
      () => (this.#alone = false),
      work,
    );
  }

  /** First come first served, so that what wants to be alone is not passed by for ever. */
  async #when<R>(
    isFree: () => boolean,
    enter: () => void,
    leave: () => void,
    work: () => Promise<R>,
  ): Promise<R> {
    await new Promise<void>((turn) => {
      this.#waiting.push(() => {
        if (!isFree()) return false;
        enter();
        turn();
        return true;
      });
      this.#next();
    });
    try {
      return await work();
    } finally {
      leave();
      this.#next();
    }
  }

  #next(): void {
    while (this.#waiting[0]?.() === true) this.#waiting.shift();
  }
}
