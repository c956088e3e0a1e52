// What was warned of: a line each, and a mark on the picture where one is about a place.

/** What was warned of, and the pixel (row, column) that it is about. @typedef {{text: string, place: number[] | null}} Warning */

export class Warnings {
  /**
   * @param {HTMLElement} list a live region @param {HTMLElement} stage that holds the canvas
   * @param {{look: (x: number, y: number) => void, screen: (x: number, y: number) => [number, number]}} pointer
   */
  constructor(list, stage, pointer) {
    this.list = list;
    this.stage = stage;
    this.pointer = pointer;
    /** @type {[HTMLButtonElement, number, number][]} */
    this.marks = [];
    this.shown = '[]';
  }

  /** @param {Warning[]} warnings */
  show(warnings) {
    const told = JSON.stringify(warnings);
    if (told === this.shown) return; // what is said already is not announced again
    this.shown = told;
    for (const [mark] of this.marks) mark.remove();
    this.marks = [];
    this.list.replaceChildren(...warnings.map(({ text, place }) => {
      const line = document.createElement('p');
      line.append(text);
      if (place?.length === 2) {
        const [row, column] = place;
        const words = `Go to row ${row}, column ${column}`;
        line.append(' ', this.#button(words, column, row));
        const mark = this.#button('', column, row);
        mark.title = words;
        mark.setAttribute('aria-label', words);
        mark.className = 'mark';
        mark.tabIndex = -1; // the line above has a button that does the same
        this.stage.append(mark);
        this.marks.push([mark, column + 0.5, row + 0.5]);
      }
      return line;
    }));
    this.list.tabIndex = this.list.scrollHeight > this.list.clientHeight ? 0 : -1; // where keys have to scroll
    this.place();
  }

  /** @param {string} text @param {number} column @param {number} row */
  #button(text, column, row) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = text;
    button.addEventListener('click', () => this.pointer.look(column + 0.5, row + 0.5));
    return button;
  }

  /** Put marks where their pixels are on the screen; at the border of the picture where these are beyond it. */
  place() {
    const { clientWidth, clientHeight } = this.stage;
    for (const [mark, x, y] of this.marks) {
      const [left, top] = this.pointer.screen(x, y), half = mark.offsetWidth / 2;
      const within = (/** @type {number} */ at, /** @type {number} */ end) => Math.min(end - half, Math.max(half, at));
      const [seenLeft, seenTop] = [within(left, clientWidth), within(top, clientHeight)];
      mark.classList.toggle('beyond', seenLeft !== left || seenTop !== top);
      mark.style.left = `${seenLeft}px`;
      mark.style.top = `${seenTop}px`;
    }
  }
}
