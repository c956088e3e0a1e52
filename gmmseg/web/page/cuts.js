// Three cuts through a volume, which the server lays out as one picture; here, which voxel lies where in it.

/**
 * @typedef {{shape: number[], sizes: number[], order: number[], flipped: boolean[], gap: number}} Laid
 */

export class Cuts {
  /** @param {Laid} laid */
  constructor(laid) {
    this.laid = laid;
    /** The voxel in which the cuts meet. */
    this.at = laid.shape.map((each) => Math.floor(each / 2));
  }

  /** The first pixel along each axis of the page: of the axis down or across, and of the one into the page. */
  #starts() {
    const { sizes, order, gap } = this.laid;
    return { down: sizes[order[1]] + gap, across: sizes[order[2]] + gap };
  }

  /** Move to what was clicked; false where there is no cut. @param {number} x @param {number} y */
  move(x, y) {
    const { order, sizes } = this.laid, [into, down, across] = order, start = this.#starts();
    if (x >= start.across && y >= start.down) return false;
    if (x < sizes[across]) this.#set(across, x);
    else if (x >= start.across) this.#set(into, x - start.across);
    else return false;
    if (y < sizes[down]) this.#set(down, y);
    else if (y >= start.down) this.#set(into, y - start.down);
    else return false;
    return true;
  }

  /** @param {number} axis @param {number} pixel */
  #set(axis, pixel) {
    const { shape, sizes, flipped } = this.laid;
    const place = flipped[axis] ? sizes[axis] - pixel : pixel;
    this.at[axis] = Math.min(shape[axis] - 1, Math.max(0, Math.floor((place / sizes[axis]) * shape[axis])));
  }

  /**
   * The cut that lies at a place: the axis that it is square to, and its left, top, width and height.
   * @param {number} x @param {number} y
   * @returns {{axis: number, rect: [number, number, number, number]} | null}
   */
  #cutAt(x, y) {
    const { order: [into, down, across], sizes } = this.laid, start = this.#starts();
    /** @type {{axis: number, rect: [number, number, number, number]}[]} */
    const all = [
      { axis: into, rect: [0, 0, sizes[across], sizes[down]] },
      { axis: across, rect: [start.across, 0, sizes[into], sizes[down]] },
      { axis: down, rect: [0, start.down, sizes[across], sizes[into]] },
    ];
    return all.find(({ rect: [left, top, width, height] }) => (
      x >= left && y >= top && x < left + width && y < top + height)) ?? null;
  }

  /**
   * What a stroke that begins at a place says besides: through which voxel the cuts are; null where there is none.
   * @param {number} x @param {number} y
   */
  begun(x, y) {
    return this.#cutAt(x, y) && { at: [...this.at] };
  }

  /** Where a stroke is seen: in its cut, if that is the one on the page. @param {import('./work.js').Path} path */
  seen({ at, points: [[x, y]] }) {
    const cut = this.#cutAt(x, y);
    return cut && at?.[cut.axis] === this.at[cut.axis] ? cut.rect : null;
  }

  /** Where the cross is drawn: lines from (x, y) to (x, y). @returns {[number, number, number, number][]} */
  lines() {
    const { order, sizes } = this.laid, start = this.#starts();
    const [into, down, across] = order.map((axis) => this.#pixel(axis));
    const right = start.across + sizes[order[0]], below = start.down + sizes[order[0]];
    return [
      [across, 0, across, below], [0, down, right, down],
      [start.across + into, 0, start.across + into, sizes[order[1]]],
      [0, start.down + into, sizes[order[2]], start.down + into],
    ];
  }

  /** @param {number} axis */
  #pixel(axis) {
    const { shape, sizes, flipped } = this.laid;
    const place = ((this.at[axis] + 0.5) / shape[axis]) * sizes[axis];
    return flipped[axis] ? sizes[axis] - place : place;
  }
}
