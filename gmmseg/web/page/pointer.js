// The pointer and the keyboard on the picture: moving, zooming, selecting, and strokes.

/** @typedef {import('./work.js').Path} Path */

/** How many times closer one looks at a place than at the whole picture. */
const CLOSE = 4;

/** A brush, in pixels of an image, that is seen where the whole of it is. @param {number} columns @param {number} rows */
export const brushFor = (columns, rows) => Math.max(24, Math.round(Math.max(columns, rows) / 50));

export class Pointer {
  /**
   * @param {import('./drawing.js').Drawing} drawing
   * @param {HTMLCanvasElement} overlay
   * @param {{tool: () => string, size: () => number, label: () => number, paths: () => Path[],
   *   color: (label: number) => string, pick: (label: number, more: boolean) => void,
   *   at: (x: number, y: number) => void, go: (x: number, y: number, by: number) => void, lines: () => [number, number, number, number][],
   *   letters: () => [string, number, number, number, number][], begun: (x: number, y: number) => {at?: number[]} | null, stroke: (path: Path) => void,
   *   seen: (path: Path) => [number, number, number, number] | null, moved: () => void}} on what a stroke that begins at a place says
   *     besides, and where of the image a stroke is seen; null where there is none
   */
  constructor(drawing, overlay, on) {
    this.drawing = drawing;
    this.canvas = drawing.canvas;
    this.overlay = overlay;
    this.on = on;
    /** @type {Path | null} */
    this.path = null;
    /** @type {{x: number, y: number} | null} */
    this.cross = null;
    this.waiting = false;
    /** Where pointers are on the canvas, and what the first of them does. @type {Map<number, [number, number]>} */
    this.fingers = new Map();
    this.gesture = { ended: false };
    /** Whether the whole picture is shown, and stays so where the canvas gets another size. */
    this.fitted = true;
    const { canvas } = this;
    canvas.addEventListener('pointerdown', (event) => this.#down(event));
    canvas.addEventListener('pointermove', (event) => this.#pinch(event));
    canvas.addEventListener('lostpointercapture', (event) => this.fingers.delete(event.pointerId));
    canvas.addEventListener('wheel', (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY);
    }, { passive: false });
    canvas.addEventListener('keydown', (event) => this.#key(event));
    new ResizeObserver(() => {
      if (this.fitted && !this.path) this.fit();
      else this.refresh();
    }).observe(canvas);
  }

  /** The place of the image below a place of the canvas. @param {number} left @param {number} top */
  #place(left, top) {
    const { x, y, scale } = this.drawing.view;
    return { x: x + left / scale, y: y + top / scale };
  }

  /** The place of the canvas above a place of the image. @param {number} x @param {number} y @returns {[number, number]} */
  screen(x, y) {
    const { view } = this.drawing;
    return [(x - view.x) * view.scale, (y - view.y) * view.scale];
  }

  /** Look at a place of the image closely, with the cross on it, from where keys go on. @param {number} x @param {number} y */
  look(x, y) {
    const { canvas, drawing } = this, [width, height] = drawing.size;
    const whole = Math.min(canvas.clientWidth / width, canvas.clientHeight / height);
    const scale = Math.min(64, Math.max(drawing.view.scale, CLOSE * whole));
    this.cross = { x, y };
    this.#see({ scale, x: x - canvas.clientWidth / scale / 2, y: y - canvas.clientHeight / scale / 2 });
    canvas.focus();
  }

  /** @param {import('./drawing.js').View} view of a part of the picture */
  #see(view) {
    this.drawing.view = view;
    this.fitted = false;
    this.refresh();
  }

  /** Show the whole picture. */
  fit() {
    const { canvas } = this;
    const [width, height] = this.drawing.size;
    const scale = Math.min(canvas.clientWidth / width, canvas.clientHeight / height) || 1;
    this.drawing.view = {
      scale, x: (width - canvas.clientWidth / scale) / 2, y: (height - canvas.clientHeight / scale) / 2,
    };
    this.fitted = true;
    this.refresh();
  }

  /** @param {number} factor @param {number} left @param {number} top of the canvas: what stays where it is */
  zoom(factor, left = this.canvas.clientWidth / 2, top = this.canvas.clientHeight / 2) {
    const fixed = this.#place(left, top);
    const scale = Math.min(64, Math.max(0.01, this.drawing.view.scale * factor));
    this.#see({ scale, x: fixed.x - left / scale, y: fixed.y - top / scale });
  }

  /** Two fingers zoom, and move what is between them. @param {PointerEvent} event */
  #pinch(event) {
    const { fingers } = this;
    if (!fingers.has(event.pointerId)) return;
    const before = [...fingers.values()];
    fingers.set(event.pointerId, [event.offsetX, event.offsetY]);
    if (fingers.size !== 2) return;
    const after = [...fingers.values()];
    const apart = (/** @type {[number, number][]} */ [[a, b], [c, d]]) => Math.max(1, Math.hypot(a - c, b - d));
    const middle = (/** @type {[number, number][]} */ [[a, b], [c, d]]) => [(a + c) / 2, (b + d) / 2];
    const { view } = this.drawing, [left, top] = middle(before), [x, y] = middle(after);
    this.drawing.view = { ...view, x: view.x + (left - x) / view.scale, y: view.y + (top - y) / view.scale };
    this.zoom(apart(after) / apart(before), x, y);
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (event.button !== 0) return;
    const { canvas, drawing, on } = this;
    canvas.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, [event.offsetX, event.offsetY]);
    if (this.fingers.size > 1) {
      this.gesture.ended = true;
      this.path = null;
      this.over();
      return;
    }
    const gesture = this.gesture = { ended: false };
    const start = this.#place(event.offsetX, event.offsetY);
    const before = { ...drawing.view }, tool = on.tool();
    let moved = false;
    if (tool !== 'select' && !this.#begin(start)) return;
    /** @param {PointerEvent} move */
    const follow = (move) => {
      if (gesture.ended) return;
      moved ||= Math.hypot(move.clientX - event.clientX, move.clientY - event.clientY) > 4;
      if (tool !== 'select') {
        this.#extend(this.#place(move.offsetX, move.offsetY));
        this.over();
      } else if (moved) {
        this.#see({
          ...before, x: before.x - (move.clientX - event.clientX) / before.scale,
          y: before.y - (move.clientY - event.clientY) / before.scale,
        });
      }
    };
    canvas.addEventListener('pointermove', follow);
    canvas.addEventListener('lostpointercapture', () => {
      canvas.removeEventListener('pointermove', follow);
      if (gesture.ended) return;
      gesture.ended = true;
      if (tool !== 'select') this.#end();
      else if (!moved) {
        on.pick(drawing.labelAt(start.x, start.y), event.shiftKey || event.ctrlKey);
        on.at(start.x, start.y);
      }
    }, { once: true });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = (event.shiftKey ? 20 : 4) / this.drawing.view.scale;
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const move = moves[/** @type {keyof typeof moves} */ (event.key)];
    const [width, height] = this.drawing.size;
    this.cross ??= { x: width / 2, y: height / 2 };
    if (move) {
      this.cross = {
        x: Math.min(width - 1, Math.max(0, this.cross.x + move[0] * step)),
        y: Math.min(height - 1, Math.max(0, this.cross.y + move[1] * step)),
      };
      if (this.path) this.#extend(this.cross);
    } else if (event.key === 'Enter' && !event.shiftKey) {
      this.on.pick(this.drawing.labelAt(this.cross.x, this.cross.y), event.ctrlKey);
      this.on.at(this.cross.x, this.cross.y);
    } else if (event.key === ' ') {
      if (this.path) this.#end();
      else if (this.on.tool() !== 'select') this.#begin(this.cross);
    } else if (event.key === 'PageUp' || event.key === 'PageDown') {
      this.on.go(this.cross.x, this.cross.y, event.key === 'PageUp' ? 1 : -1);
    } else if (event.key === '+') this.zoom(1.25);
    else if (event.key === '-') this.zoom(0.8);
    else return;
    event.preventDefault();
    this.refresh();
  }

  /** @param {{x: number, y: number}} at */
  #begin(at) {
    const label = this.on.tool() === 'erase' ? 0 : this.on.label(), more = this.on.begun(at.x, at.y);
    this.path = more && { class: label, size: this.on.size(), points: [[at.x, at.y]], ...more };
    this.over();
    return this.path !== null;
  }

  /** @param {{x: number, y: number}} at */
  #extend(at) {
    const points = /** @type {Path} */ (this.path).points;
    if (points.length < 50000) points.push([at.x, at.y]);
  }

  #end() {
    const path = /** @type {Path} */ (this.path);
    this.path = null;
    this.on.stroke(path);
  }

  /** Draw the picture, and over it strokes and the cross. */
  refresh() {
    this.drawing.later();
    this.over();
  }

  /** Draw strokes and the cross alone in the next frame, as while one paints: the picture below stays. */
  over() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.#over();
    });
  }

  #over() {
    this.on.moved();
    const { overlay, drawing: { view } } = this;
    const ratio = devicePixelRatio;
    const width = Math.round(overlay.clientWidth * ratio), height = Math.round(overlay.clientHeight * ratio);
    if (overlay.width !== width || overlay.height !== height) Object.assign(overlay, { width, height });
    const pen = /** @type {CanvasRenderingContext2D} */ (overlay.getContext('2d'));
    pen.resetTransform();
    pen.clearRect(0, 0, width, height);
    pen.setTransform(ratio * view.scale, 0, 0, ratio * view.scale, -ratio * view.scale * view.x,
      -ratio * view.scale * view.y);
    pen.lineCap = pen.lineJoin = 'round';
    for (const path of [...this.on.paths(), ...(this.path ? [this.path] : [])]) {
      const seen = this.on.seen(path);
      if (!seen) continue;
      pen.save();
      pen.beginPath();
      pen.rect(...seen);
      pen.clip();
      pen.globalCompositeOperation = path.class ? 'source-over' : 'destination-out';
      pen.strokeStyle = path.class ? this.on.color(path.class) : '#000';
      pen.lineWidth = path.size;
      pen.beginPath();
      path.points.forEach(([x, y]) => pen.lineTo(x, y));
      if (path.points.length === 1) pen.lineTo(path.points[0][0] + 0.01, path.points[0][1]);
      pen.stroke();
      pen.restore();
    }
    pen.strokeStyle = '#ffd60a';
    pen.lineWidth = 1 / view.scale;
    for (const [left, top, right, bottom] of this.on.lines()) {
      pen.beginPath();
      pen.moveTo(left, top); pen.lineTo(right, bottom);
      pen.stroke();
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (const [letter, x, y, right, down] of this.on.letters()) {
      written(pen, letter, [(x - view.x) * view.scale + right * 10, (y - view.y) * view.scale + down * 10]);
    }
    pen.setTransform(ratio * view.scale, 0, 0, ratio * view.scale, -ratio * view.scale * view.x,
      -ratio * view.scale * view.y);
    if (this.cross && document.activeElement === this.canvas) {
      const { x, y } = this.cross, arm = 12 / view.scale;
      for (const [color, width] of /** @type {[string, number][]} */ ([['#000', 4], ['#fff', 2]])) {
        pen.strokeStyle = color;
        pen.lineWidth = width / view.scale;
        pen.beginPath();
        pen.moveTo(x - arm, y); pen.lineTo(x + arm, y);
        pen.moveTo(x, y - arm); pen.lineTo(x, y + arm);
        pen.stroke();
      }
    }
  }
}

/**
 * Write letters that are read on any ground, around a place.
 * @param {CanvasRenderingContext2D} pen @param {string} text @param {[number, number]} place
 */
export function written(pen, text, [x, y]) {
  pen.save();
  pen.font = 'bold 14px system-ui, sans-serif';
  pen.textAlign = 'center';
  pen.textBaseline = 'middle';
  pen.lineWidth = 4;
  pen.strokeStyle = '#000';
  pen.fillStyle = '#fff';
  pen.strokeText(text, x, y);
  pen.fillText(text, x, y);
  pen.restore();
}
