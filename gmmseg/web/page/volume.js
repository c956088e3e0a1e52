// A volume in space, beside its cuts: turned by the pointer or by keys, with the cross of the cuts in it.

import { written } from './pointer.js';
import { Rays } from './rays.js';
import { bytes, Refused } from './server.js';
import { palette } from './work.js';

/**
 * @typedef {import('./rays.js').Triple} Triple
 * @typedef {import('./work.js').Row} Row
 */

const PARTS = `
<div><canvas tabindex="0" role="application" aria-label="Volume in space" aria-describedby="volume-help"></canvas>
  <canvas aria-hidden="true"></canvas></div>
<div class="pair"><label for="volume-cut">Cut at the cross</label>
  <select id="volume-cut"><option value="">Nowhere</option><option value="0">Along axis 1</option>
    <option value="1">Along axis 2</option><option value="2">Along axis 3</option></select></div>
<p class="hint" id="volume-help">Shows the chosen classes; where none is, all but the one around the others.
  Dragging and arrows turn it, the wheel, + and - zoom, a click moves the cross, Home turns it back.</p>`;

const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Volume {
  /**
   * @param {HTMLElement} host
   * @param {import('./cuts.js').Cuts} cuts
   * @param {() => void} moved called once the cross is elsewhere
   */
  constructor(host, cuts, moved) {
    host.innerHTML = PARTS;
    const [canvas, overlay] = host.querySelectorAll('canvas');
    this.host = host;
    this.canvas = canvas;
    this.overlay = overlay;
    this.cut = /** @type {HTMLSelectElement} */ (host.querySelector('select'));
    this.cuts = cuts;
    this.moved = moved;
    this.box = cuts.box();
    this.rays = new Rays(canvas, this.box);
    this.ticket = 0;
    /** @type {Triple} */
    this.counts = [1, 1, 1];
    /** @type {Uint8Array} */
    this.labels = new Uint8Array(1);
    /** The class that fills more than half of the volume's outside, 0 where none does. */
    this.around = 0;
    this.colors = new Uint8Array(1024);
    /** @type {{table: Row[], chosen: Set<number>}} */
    this.told = { table: [], chosen: new Set() };
    this.waiting = this.dragged = this.coarse = false;
    this.drawn = this.yaw = this.pitch = this.zoom = 0;
    this.rays.setLabels(this.labels, this.counts);
    this.#home();
    this.#listen();
  }

  /** Show the classes that were found, unless they are shown. @param {{ticket: number, grid: number[]}} answer */
  async load({ ticket, grid }) {
    if (this.host.hidden || ticket === this.ticket) return;
    this.ticket = ticket;
    this.canvas.setAttribute('aria-busy', 'true');
    try {
      const labels = await bytes(`layer?ticket=${ticket}&name=volume`);
      if (ticket !== this.ticket) return;
      this.labels = labels;
      this.counts = this.cuts.counts(grid);
      this.rays.setLabels(labels, this.counts);
      this.around = this.#surrounding();
      this.paint(this.told.table, this.told.chosen);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (ticket === this.ticket) this.ticket = 0; // others have been found meanwhile, and are on their way
    }
    this.canvas.setAttribute('aria-busy', 'false');
  }

  /** Show classes as the table says. @param {Row[]} table @param {Set<number>} chosen labels of rows */
  paint(table, chosen) {
    this.told = { table, chosen };
    const seen = table.filter((row) => (chosen.size ? chosen.has(row.label) : !row.members.includes(this.around)));
    this.colors = palette(seen, new Set()).slice(0, 1024);
    this.rays.setPalette(this.colors);
    this.later();
  }

  /** Draw in the next frame, once however often it is asked for. */
  later() {
    if (this.waiting || this.host.hidden) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.#draw();
    });
  }

  #surrounding() {
    const [across, down, into] = this.counts, found = new Uint32Array(256);
    const outside = (/** @type {number} */ at, /** @type {number} */ length) => at === 0 || at === length - 1;
    let total = 0;
    for (let z = 0, at = 0; z < into; z += 1) {
      for (let y = 0; y < down; y += 1) {
        const step = outside(z, into) || outside(y, down) ? 1 : Math.max(1, across - 1); // both ends of a line
        for (let x = 0; x < across; x += step, total += 1) found[this.labels[at + x]] += 1;
        at += across;
      }
    }
    return Math.max(0, found.findIndex((count) => 2 * count > total));
  }

  #home() {
    this.yaw = 0.45;
    this.pitch = 0.35;
    this.zoom = 1;
    this.later();
  }

  /** The axes of the view, right, down and away, in those of the volume. @returns {Triple[]} */
  #turn() {
    // Of a patient first from behind, so that the right is to the right, as in the cuts.
    const [right, down, away] = this.cuts.laid.letters ? [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
      : [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
    /** @param {number[]} a @param {number[]} b @param {number} angle @returns {[number[], number[]]} */
    const by = (a, b, angle) => {
      const [c, s] = [Math.cos(angle), Math.sin(angle)];
      return [a.map((each, axis) => c * each - s * b[axis]), a.map((each, axis) => s * each + c * b[axis])];
    };
    const [across, deep] = by(right, away, this.yaw);
    return /** @type {Triple[]} */ ([across, ...by(down, deep, this.pitch)]);
  }

  /** How far one sees to the right and down. @returns {[number, number]} */
  #reach() {
    const { clientWidth: width, clientHeight: height } = this.canvas, least = Math.min(width, height) || 1;
    return [(0.85 * width) / least / this.zoom, (0.85 * height) / least / this.zoom];
  }

  /** Voxels that are not cut away, from and to. @param {Triple[]} turn @returns {[Triple, Triple]} */
  #left(turn) {
    /** @type {[Triple, Triple]} */
    const [low, high] = [[0, 0, 0], [...this.counts]];
    if (this.cut.value) {
      const axis = 2 - this.cuts.laid.order.indexOf(Number(this.cut.value));
      const cross = Math.min(this.counts[axis] - 1, Math.floor(this.cuts.place()[axis] * this.counts[axis]));
      if (turn[2][axis] > 0) low[axis] = cross; // what lies in front of it goes
      else high[axis] = cross + 1;
    }
    return [low, high];
  }

  #draw() {
    const { canvas } = this, now = performance.now();
    // While it is turned, machines that draw slowly draw a quarter of the pixels.
    this.coarse = this.dragged && (this.coarse || (now - this.drawn > 60 && now - this.drawn < 500));
    this.drawn = now;
    const ratio = devicePixelRatio / (this.coarse ? 2 : 1);
    const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const turn = this.#turn();
    this.rays.draw(turn, this.#reach(), ...this.#left(turn));
    this.#annotate(turn);
  }

  /** Draw the cross, and the letters of a patient's sides. @param {Triple[]} turn */
  #annotate(turn) {
    const { overlay, box, cuts } = this, { clientWidth: width, clientHeight: height } = overlay;
    const ratio = devicePixelRatio, reach = this.#reach();
    Object.assign(overlay, { width: width * ratio, height: height * ratio });
    const pen = /** @type {CanvasRenderingContext2D} */ (overlay.getContext('2d'));
    pen.scale(ratio, ratio);
    /** Where on the screen a place is. @param {number[]} place in parts of the volume @returns {[number, number]} */
    const at = (place) => {
      const from = place.map((part, axis) => (2 * part - 1) * box[axis]);
      const [right, down] = turn.map((row) => row.reduce((sum, each, axis) => sum + each * from[axis], 0));
      return [(width / 2) * (1 + right / reach[0]), (height / 2) * (1 + down / reach[1])];
    };
    const cross = cuts.place();
    pen.strokeStyle = '#ffd60a';
    for (let axis = 0; axis < 3; axis += 1) {
      const [from, to] = [0, 1].map((end) => at(cross.map((each, other) => (other === axis ? end : each))));
      pen.lineWidth = 1;
      pen.beginPath();
      pen.moveTo(...from);
      pen.lineTo(...to);
      pen.stroke();
      for (const end of [0, 1]) {
        const letter = cuts.laid.letters?.[2 - axis][end];
        if (letter) written(pen, letter, at([0, 1, 2].map((other) => (other === axis ? 1.12 * end - 0.06 : 0.5))));
      }
    }
    pen.beginPath();
    pen.arc(...at(cross), 4, 0, 2 * Math.PI);
    pen.lineWidth = 2;
    pen.stroke();
  }

  #listen() {
    const { canvas } = this;
    canvas.addEventListener('pointerdown', (event) => this.#down(event));
    canvas.addEventListener('wheel', (event) => {
      event.preventDefault();
      this.#magnify(Math.exp(-event.deltaY / 400));
    }, { passive: false });
    canvas.addEventListener('keydown', (event) => {
      const turn = KEYS[/** @type {keyof typeof KEYS} */ (event.key)];
      if (turn) this.#rotate(0.15 * turn[0], 0.15 * turn[1]);
      else if (event.key === '+') this.#magnify(1.25);
      else if (event.key === '-') this.#magnify(0.8);
      else if (event.key === 'Home') this.#home();
      else return;
      event.preventDefault();
    });
    this.cut.addEventListener('change', () => this.later());
    new ResizeObserver(() => this.later()).observe(canvas);
  }

  /** @param {number} yaw @param {number} pitch */
  #rotate(yaw, pitch) {
    this.yaw += yaw;
    this.pitch = Math.min(Math.PI / 2, Math.max(-Math.PI / 2, this.pitch + pitch));
    this.later();
  }

  /** @param {number} factor */
  #magnify(factor) {
    this.zoom = Math.min(20, Math.max(0.5, this.zoom * factor));
    this.later();
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (event.button !== 0) return;
    const { canvas } = this, first = [event.clientX, event.clientY];
    canvas.setPointerCapture(event.pointerId);
    let last = first;
    /** @param {PointerEvent} move */
    const follow = (move) => {
      const here = [move.clientX, move.clientY];
      this.dragged ||= Math.hypot(here[0] - first[0], here[1] - first[1]) > 4;
      if (!this.dragged) return;
      this.#rotate((here[0] - last[0]) / 120, (here[1] - last[1]) / 120);
      last = here;
    };
    canvas.addEventListener('pointermove', follow);
    canvas.addEventListener('lostpointercapture', () => {
      canvas.removeEventListener('pointermove', follow);
      if (!this.dragged) this.#pick(event.offsetX, event.offsetY);
      this.dragged = false;
      this.later();
    }, { once: true });
  }

  /** Move the cross to what is seen at a place of the canvas. @param {number} left @param {number} top */
  #pick(left, top) {
    const { canvas, box, counts } = this, turn = this.#turn(), reach = this.#reach(), [low, high] = this.#left(turn);
    const right = ((2 * left) / canvas.clientWidth - 1) * reach[0];
    const down = ((2 * top) / canvas.clientHeight - 1) * reach[1];
    for (let away = -1; away < 1; away += 1 / 1024) { // about half a voxel
      const part = /** @type {Triple} */ (box.map((half, axis) => (
        ((right * turn[0][axis] + down * turn[1][axis] + away * turn[2][axis]) / half + 1) / 2)));
      const [x, y, z] = part.map((each, axis) => Math.floor(each * counts[axis]));
      const inside = [x, y, z].every((each, axis) => each >= low[axis] && each < high[axis]);
      if (!inside || this.colors[4 * this.labels[(z * counts[1] + y) * counts[0] + x] + 3] < 128) continue;
      this.cuts.moveTo(part);
      this.moved();
      return;
    }
  }
}
