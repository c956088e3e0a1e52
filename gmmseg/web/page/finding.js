// Classes from the server: one question at a time, the newest next, and stale answers dropped.

import { ask, bytes, Refused } from './server.js';

/**
 * @typedef {{ticket: number, stale: boolean, newest?: number, whole: boolean, classes: import('./work.js').Found[],
 *   shape: [number, number], grid: number[], regions: boolean, warnings: import('./warnings.js').Warning[], pixels?: number, tried?: number,
 *   features: import('./histogram.js').Feature[]}} Answer
 */

export class Finding {
  /**
   * @param {{found: (answer: Answer, labels: Uint8Array, where: string) => void, busy: (on: boolean) => void,
   *   failed: (error: Error) => void, where: () => string, image: () => number | undefined}} on `where` says which
   *   part of the layers is shown, `image` which image of a strip
   */
  constructor(on) {
    this.on = on;
    // Tickets of a page that is loaded again are above those of before.
    this.ticket = Date.now();
    /** @type {{step: object | null, whole: boolean} | null} */
    this.next = null;
    this.running = false;
  }

  /** @param {object | null} step that is tried without being done @param {boolean} whole whether on all pixels */
  want(step, whole) {
    this.next = { step, whole };
    if (!this.running) this.#run();
  }

  async #run() {
    this.running = true;
    this.on.busy(true);
    while (this.next) {
      const asked = { ...this.next, at: this.on.image(), ticket: ++this.ticket };
      this.next = null;
      try {
        const answer = /** @type {Answer} */ (await ask('classes', asked));
        if (this.next || asked.at !== this.on.image()) continue;
        if (answer.stale) {
          this.ticket = Math.max(this.ticket, answer.newest ?? 0);
          throw new Refused('another page has asked for other classes', false, true);
        }
        const where = this.on.where();
        const labels = await bytes(`layer?ticket=${answer.ticket}&name=labels${where}`);
        if (!this.next && asked.at === this.on.image()) this.on.found(answer, labels, where);
      } catch (error) {
        if (!this.next) this.on.failed(/** @type {Error} */ (error));
      }
    }
    this.running = false;
    this.on.busy(false);
  }
}
