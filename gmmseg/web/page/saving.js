// What is saved: by which command, what was warned of meanwhile, and what went wrong.

import { ask, Refused } from './server.js';

/** Letters of a command that are repeated: that of a strip may name many files. */
const MOST_TOLD = 250;

export class Saving {
  /**
   * @param {HTMLElement} saved where it is told @param {HTMLElement} replace the button that writes over what is there
   * @param {{ready: () => Promise<unknown>, classes: () => number[], counted: boolean, done: () => void}} on `ready` is
   *   waited for before, `classes` are those that are chosen, and `counted` are many files
   */
  constructor(saved, replace, on) {
    this.saved = saved;
    this.replace = replace;
    this.on = on;
  }

  /** @param {string} text @param {boolean} [wrong] */
  #tell(text, wrong = false) {
    this.saved.textContent = text;
    this.saved.classList.toggle('wrong', wrong);
  }

  /** @param {string} kind @param {boolean} overwrite */
  async save(kind, overwrite) {
    const { replace, on } = this;
    replace.hidden = true;
    this.#tell('saving …');
    await on.ready();
    let busy = true;
    const counting = on.counted ? setInterval(() => void ask('state').then(({ saving }) => {
      if (busy && saving) this.#tell(`saving … ${saving[0]} of ${saving[1]} files`);
    }, () => {}), 3000) : 0;
    try {
      const { files, command, warnings } = await ask('export', { kind, classes: on.classes(), overwrite });
      const by = command.length > MOST_TOLD ? `${command.slice(0, MOST_TOLD)} …` : command;
      this.#tell([`saved ${files.join(', ')} by: ${by}`, ...warnings].join('\nwarning: '));
      on.done();
    } catch (error) {
      this.#tell(/** @type {Error} */ (error).message, true);
      replace.hidden = !(error instanceof Refused && error.exists);
      replace.onclick = () => void this.save(kind, true);
    }
    busy = false;
    clearInterval(counting);
  }
}
