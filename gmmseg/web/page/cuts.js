// Three cuts through a volume, which the server lays out as one picture; here, which voxel lies where in it.

/**
 * @typedef {{shape: number[], sizes: number[], order: number[], flipped: boolean[], gap: number,
 *   letters: string[] | null}} Laid letters of a patient's sides: where the axes of `order` begin and end
 * @typedef {import('./rays.js').Triple} Triple
 * @typedef {{axis: number, rect: [number, number, number, number]}} Cut
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

  /**
   * Go through the volume, in the cut that lies at a place, or in the first; false at its end.
   * @param {number} x @param {number} y @param {number} by voxels
   */
  go(x, y, by) {
    const { axis } = this.#cutAt(x, y) ?? this.#all()[0], to = this.at[axis] + by;
    if (to < 0 || to >= this.laid.shape[axis]) return false;
    this.at[axis] = to;
    return true;
  }

  /** @param {number} axis @param {number} pixel */
  #set(axis, pixel) {
    const { shape, sizes, flipped } = this.laid;
    const place = flipped[axis] ? sizes[axis] - pixel : pixel;
    this.at[axis] = Math.min(shape[axis] - 1, Math.max(0, Math.floor((place / sizes[axis]) * shape[axis])));
  }

  /** The axis that each cut is square to, and its left, top, width and height. @returns {Cut[]} */
  #all() {
    const { order: [into, down, across], sizes } = this.laid, start = this.#starts();
    return [
      { axis: into, rect: [0, 0, sizes[across], sizes[down]] },
      { axis: across, rect: [start.across, 0, sizes[into], sizes[down]] },
      { axis: down, rect: [0, start.down, sizes[across], sizes[into]] },
    ];
  }

  /**
   * Letters of a patient's sides, at the edges of the cuts: where they are, and the way inwards, right and down.
   * @returns {[string, number, number, number, number][]}
   */
  letters() {
    if (!this.laid.letters) return [];
    const [into, down, across] = this.laid.letters;
    const sides = [[across, down], [into, down], [across, into]];
    return this.#all().flatMap(({ rect: [left, top, width, height] }, cut) => {
      const [[west, east], [north, south]] = sides[cut], x = left + width / 2, y = top + height / 2;
      return /** @type {[string, number, number, number, number][]} */ ([
        [west, left, y, 1, 0], [east, left + width, y, -1, 0], [north, x, top, 0, 1], [south, x, top + height, 0, -1],
      ]);
    });
  }

  /** The cut that lies at a place. @param {number} x @param {number} y */
  #cutAt(x, y) {
    return this.#all().find(({ rect: [left, top, width, height] }) => (
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

  /** Half of the volume in space, where its corners are 1 from its middle. @returns {Triple} */
  box() {
    const lengths = this.#placed((axis) => this.laid.sizes[axis]), whole = Math.hypot(...lengths);
    return /** @type {Triple} */ (lengths.map((each) => each / whole));
  }

  /** Voxels of the volume in space, of which the server sends at most 256 along an axis. @param {number[]} grid */
  counts(grid) {
    return this.#placed((axis) => Math.min(256, grid[axis]));
  }

  /** Where the cross is, in parts of the volume. */
  place() {
    return this.#placed((axis) => this.#pixel(axis) / this.laid.sizes[axis]);
  }

  /** @param {Triple} place in parts of the volume */
  moveTo([x, y, z]) {
    const { order: [into, down, across], sizes } = this.laid;
    for (const [axis, part] of [[into, z], [down, y], [across, x]]) this.#set(axis, part * sizes[axis]);
  }

  /** What is said of each axis, those of the page in order. @param {(axis: number) => number} said @returns {Triple} */
  #placed(said) {
    const [into, down, across] = this.laid.order;
    return [said(across), said(down), said(into)];
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
