// Tiles of a raster that is larger than memory: those that are looked at, at the detail of the screen, drawn over the
// small copy. What was seen last is kept.

import { blob, bytes } from './server.js';

/**
 * `exact` is the coarsest level that has labels of its own.
 * @typedef {{side: number, levels: number, exact: number}} Laid
 * @typedef {{level: number, row: number, column: number}} Place
 * @typedef {{columns: number, rows: number, values: Uint8Array, texture: WebGLTexture}} Labels
 * @typedef {{place: Place, rect: [number, number, number, number], picture: WebGLTexture | null, labels: Labels | null,
 *   ticket: number, used: number, failed: boolean}} Tile
 */

/** Tiles that are kept: with labels 128 of 512 x 512 pixels take some 200 MB. */
const KEPT = 128;
const AT_ONCE = 4;

export class Tiles {
  /**
   * @param {import('./drawing.js').Drawing} drawing @param {Laid} laid
   * @param {[number, number]} size columns and rows of the image
   * @param {{changed: () => void, failed: (error: Error) => void}} on
   */
  constructor(drawing, laid, size, on) {
    this.drawing = drawing;
    this.laid = laid;
    this.on = on;
    /** @type {Map<string, Tile>} */
    this.kept = new Map();
    /** Of the classes that are shown; 0 while there are none. */
    this.ticket = 0;
    this.busy = false;
    /** @type {Set<Tile>} */
    this.asked = new Set();
    this.clock = 0;
    drawing.size = size; // before anything is drawn, which asks for tiles
    drawing.tiles = this;
  }

  /** Show labels of other classes. @param {number} ticket */
  show(ticket) {
    this.ticket = ticket;
    this.drawing.later();
  }

  /** The tiles to draw, coarse ones first; what is missing is asked for. @returns {Tile[]} */
  visible() {
    const wanted = this.#wanted();
    this.clock += 1;
    for (const tile of wanted) tile.used = this.clock;
    this.#load(wanted);
    // Coarser and finer ones that were seen before stand in until those that are wanted have come.
    return [...this.kept.values()].filter((tile) => tile.picture && this.#seen(tile))
      .sort((a, b) => Number(wanted.includes(a)) - Number(wanted.includes(b)) || b.place.level - a.place.level);
  }

  /** Labels of a tile, unless they are of other classes. @param {Tile} tile */
  labelsOf(tile) {
    return tile.ticket === this.ticket ? tile.labels : null;
  }

  /** The label at a place of the image where a tile tells it. @param {number} x @param {number} y */
  labelAt(x, y) {
    for (const tile of this.visible().reverse()) {
      const [left, top, width, height] = tile.rect, labels = this.labelsOf(tile);
      if (!labels || x < left || y < top || x >= left + width || y >= top + height) continue;
      const scale = 2 ** tile.place.level;
      return labels.values[Math.floor((y - top) / scale) * labels.columns + Math.floor((x - left) / scale)];
    }
    return null;
  }

  /** What of the image is on the screen: left, top, right, bottom. */
  #window() {
    const { canvas, view, size: [width, height] } = this.drawing;
    return [
      Math.max(0, view.x), Math.max(0, view.y), Math.min(width, view.x + canvas.clientWidth / view.scale),
      Math.min(height, view.y + canvas.clientHeight / view.scale),
    ];
  }

  /** @param {Tile} tile */
  #seen({ rect: [x, y, width, height] }) {
    const [left, top, right, bottom] = this.#window();
    return x < right && y < bottom && x + width > left && y + height > top;
  }

  /** @returns {Tile[]} */
  #wanted() {
    const { side, levels } = this.laid, { view, size: [width, height] } = this.drawing;
    const level = Math.max(0, Math.floor(-Math.log2(view.scale * devicePixelRatio) + 1e-6));
    if (level >= levels) return []; // the small copy has as many pixels as the screen
    const [left, top, right, bottom] = this.#window(), step = side * 2 ** level;
    const wanted = [];
    for (let row = Math.floor(top / step); row * step < bottom; row += 1) {
      for (let column = Math.floor(left / step); column * step < right; column += 1) {
        const name = `${level},${row},${column}`, x = column * step, y = row * step;
        const tile = this.kept.get(name) ?? {
          place: { level, row, column }, picture: null, labels: null, ticket: 0, used: 0, failed: false,
          rect: /** @type {[number, number, number, number]} */ (
            [x, y, Math.min(step, width - x), Math.min(step, height - y)]),
        };
        this.kept.set(name, tile);
        wanted.push(tile);
      }
    }
    return wanted;
  }

  /** Fetch what tiles lack, some at once; whatever is looked at by then is next. @param {Tile[]} wanted */
  #load(wanted) {
    const lacking = wanted.filter((tile) => !tile.failed && (!tile.picture || this.#lacksLabels(tile)));
    for (const tile of lacking.filter((each) => !this.asked.has(each)).slice(0, AT_ONCE - this.asked.size)) {
      void this.#fetch(tile);
    }
    this.busy = lacking.length > 0;
    this.on.changed();
    this.#forget();
  }

  /** @param {Tile} tile */
  #lacksLabels(tile) {
    return this.ticket > 0 && tile.ticket !== this.ticket && tile.place.level <= this.laid.exact;
  }

  /** @param {Tile} tile */
  async #fetch(tile) {
    const { level, row, column } = tile.place, at = `tile?at=${level},${row},${column}`, { ticket, drawing } = this;
    this.asked.add(tile);
    try {
      tile.picture ??= drawing.pictureTexture(await blob(at).then(createImageBitmap));
      if (this.#lacksLabels(tile) && ticket === this.ticket) {
        // Refused where other classes have been found meanwhile, or where tiles have none: then the small copy's stay.
        const values = await bytes(`${at}&ticket=${ticket}`).catch(() => null);
        const columns = Math.ceil(tile.rect[2] / 2 ** level), rows = Math.ceil(tile.rect[3] / 2 ** level);
        if (tile.labels) drawing.gl.deleteTexture(tile.labels.texture);
        tile.labels = values && { columns, rows, values, texture: drawing.labelTexture(values, columns, rows) };
        tile.ticket = ticket;
      }
    } catch (error) {
      tile.failed = true;
      this.on.failed(/** @type {Error} */ (error));
    }
    this.asked.delete(tile);
    drawing.later();
  }

  #forget() {
    const oldest = [...this.kept].filter(([, tile]) => !this.asked.has(tile)).sort(([, a], [, b]) => a.used - b.used);
    for (const [name, tile] of oldest.slice(0, Math.max(0, this.kept.size - KEPT))) {
      this.drawing.gl.deleteTexture(tile.picture);
      if (tile.labels) this.drawing.gl.deleteTexture(tile.labels.texture);
      this.kept.delete(name);
    }
  }
}
