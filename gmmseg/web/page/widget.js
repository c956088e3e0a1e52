// The page in a notebook: the model, which the notebook passes on to Python, takes the place of the server. It holds all
// steps, so that none is lost where only the newest state is sent.

import { showClasses } from './classes.js';
import { Drawing } from './drawing.js';
import { joined } from './numbers.js';
import { brushFor, Pointer } from './pointer.js';
import { Warnings } from './warnings.js';
import { after, palette, rows } from './work.js';

/**
 * @typedef {{get: (name: string) => any, set: (name: string, value: any) => void, save_changes: () => void,
 *   on: (event: string, call: () => void) => void, off: (event: string, call: () => void) => void}} Model
 * @typedef {{work: import('./work.js').Work, paths: import('./work.js').Path[], size: [number, number],
 *   classes: import('./work.js').Found[], shape: [number, number], labels: DataView, error: string | null,
 *   warnings: import('./warnings.js').Warning[]}} Told
 */

const PARTS = `
<div class="gmmseg-left">
  <div role="toolbar" aria-label="Steps">
    <button type="button" data-part="undo">Undo</button> <button type="button" data-part="redo">Redo</button>
    <button type="button" data-part="fit">Fit</button>
    <button type="button" data-part="merge">Merge chosen</button>
  </div>
  <div class="gmmseg-stage">
    <canvas data-part="picture" tabindex="0" role="application" aria-label="Picture with its classes: arrows move a cross,
      Enter chooses, Space starts and ends strokes"></canvas>
    <canvas data-part="strokes" aria-hidden="true"></canvas>
  </div>
  <div class="gmmseg-warnings" data-part="warnings" role="status"></div>
  <p data-part="status" role="status"></p>
</div>
<div class="gmmseg-side">
  <div class="gmmseg-pair"><span>Classes</span>
    <input data-part="k-slider" type="range" min="1" max="12" step="1" aria-label="Classes, slider">
    <input data-part="k" inputmode="numeric" autocomplete="off" aria-label="Classes"></div>
  <div class="gmmseg-pair"><span>Smoothing</span>
    <input data-part="smooth-slider" type="range" min="0" max="1" step="0.05" aria-label="Smoothing, slider">
    <input data-part="smooth" inputmode="decimal" autocomplete="off" aria-label="Smoothing, 0 to 1 or auto"></div>
  <div class="gmmseg-scroll" tabindex="0" role="region" aria-label="Table of classes">
    <table>
      <thead><tr><th scope="col">Chosen</th><th scope="col">Colour</th><th scope="col">Name</th>
        <th scope="col">Share</th><th scope="col">Pixels</th><th scope="col">Shown</th></tr></thead>
      <tbody data-part="classes"></tbody>
    </table>
  </div>
  <fieldset><legend>Pointer</legend>
    <label><input type="radio" data-tool="select" checked> Select</label>
    <label><input type="radio" data-tool="paint"> Paint the chosen class</label>
    <label><input type="radio" data-tool="erase"> Erase strokes</label>
  </fieldset>
  <div class="gmmseg-pair"><span>Brush</span>
    <input data-part="size-slider" type="range" min="1" max="200" step="1" aria-label="Brush, slider">
    <input data-part="size" inputmode="decimal" autocomplete="off" aria-label="Brush, pixels across"></div>
  <label class="gmmseg-pair"><span>Opacity</span>
    <input data-part="opacity" type="range" min="0" max="1" step="0.05" value="0.5"></label>
  <label><input data-part="contours" type="checkbox" checked> Contours</label>
</div>`;

let count = 0;

/**
 * Show the widget in a place of the notebook; returns what is to be done when it goes away.
 * @param {{model: Model, el: HTMLElement}} where
 */
async function render({ model, el }) {
  const all = document.createElement('div');
  all.className = 'gmmseg';
  all.innerHTML = PARTS;
  const name = `gmmseg-tool-${++count}`;
  for (const each of tools()) each.name = name;
  el.append(all);

  /** @template {HTMLElement} T @param {string} id @returns {T} */
  function part(id) { return /** @type {T} */ (all.querySelector(`[data-part=${id}]`)); }
  /** @returns {HTMLInputElement[]} */
  function tools() { return [...all.querySelectorAll('input')].filter((each) => each.dataset.tool); }
  /** @param {string} id @returns {[HTMLInputElement, HTMLInputElement]} */
  const pair = (id) => [part(id), part(`${id}-slider`)];
  /** @param {string} text */
  const say = (text) => { part('status').textContent = text; };

  /** @type {Told} */
  let told = model.get('told');
  let { work } = told, brush = brushFor(told.size[0], told.size[1]);
  /** @type {Set<number>} */
  const chosen = new Set();
  const table = () => rows(work, told.classes);
  const rowOf = (/** @type {number} */ label) => table().find((row) => row.members.includes(label));

  const drawing = new Drawing(part('picture'));
  let asking = false;
  const showBusy = () => part('picture').setAttribute('aria-busy', String(asking || drawing.waiting));
  drawing.changed = showBusy;
  const pointer = new Pointer(drawing, part('strokes'), {
    tool: () => tools().find((each) => each.checked)?.dataset.tool ?? 'select',
    size: () => brush,
    label: () => [...chosen][0] ?? 1,
    paths: () => told.paths,
    color: (label) => rowOf(label)?.color ?? '#fff',
    pick: (label, more) => {
      const row = rowOf(label), only = chosen.size === 1 && row && chosen.has(row.label);
      if (!more) chosen.clear();
      if (row) choose(row.label, more ? !chosen.has(row.label) : !only);
      else show();
    },
    at: () => {},
    go: () => {},
    lines: () => [],
    letters: () => [],
    begun: () => ({}),
    seen: () => [0, 0, told.size[0], told.size[1]],
    stroke: (path) => act({ do: 'stroke', ...path }),
    moved: () => warnings.place(),
  });
  const warnings = new Warnings(part('warnings'), /** @type {HTMLElement} */ (all.querySelector('.gmmseg-stage')), pointer);

  /** @param {number} label @param {boolean} on */
  function choose(label, on) {
    if (on) chosen.add(label);
    else chosen.delete(label);
    show();
  }

  /** Pass on the log: Python answers. @param {object[]} steps @param {number} done */
  function send(steps, done) {
    model.set('log', { steps, done });
    model.set('tried', null);
    pass();
  }

  function pass() {
    asking = true;
    showBusy();
    model.save_changes();
  }

  /** Do a step: shown at once where no pixel's class changes. @param {any} step */
  function act(step) {
    work = after(work, step);
    if (step.do === 'stroke') told = { ...told, paths: [...told.paths, step] };
    const { steps, done } = model.get('log');
    send([...steps.slice(0, done), step], done + 1);
    show();
  }

  /** @param {number} by */
  const move = (by) => { const { steps, done } = model.get('log'); send(steps, done + by); };

  /** @param {string} option */
  const setting = (option) => ({
    tried: (/** @type {number} */ value) => { model.set('tried', { do: 'set', option, value }); pass(); },
    chosen: (/** @type {number | string} */ value) => act({ do: 'set', option, value }),
    wrong: (/** @type {string} */ text) => { show(); say(text); },
  });
  const showK = joined(pair('k'), { whole: true, low: 1, high: 255, ...setting('k') });
  const showSmooth = joined(pair('smooth'), { words: ['auto'], low: 0, high: 1, ...setting('smooth') });
  const showSize = joined(pair('size'), {
    low: 1, high: 2000, chosen: (value) => { brush = Number(value); show(); }, wrong: (text) => { show(); say(text); },
  });

  /** Show everything that follows from the work. */
  function show() {
    const lines = table(), { steps, done } = model.get('log');
    for (const label of chosen) if (!lines.some((row) => row.label === label)) chosen.delete(label);
    drawing.setPalette(palette(lines, chosen));
    showClasses(part('classes'), lines, chosen, told.size[0] * told.size[1], true, { choose, act });
    showK(work.options.k);
    showSmooth(work.options.smooth ?? 'auto');
    showSize(brush);
    /** @type {HTMLButtonElement} */ (part('undo')).disabled = done <= 1;
    /** @type {HTMLButtonElement} */ (part('redo')).disabled = done >= steps.length;
    /** @type {HTMLButtonElement} */ (part('merge')).disabled = chosen.size < 2;
    pointer.over();
  }

  /** Show what Python has answered. */
  function showTold() {
    told = model.get('told');
    work = told.work;
    drawing.setLabels(packed(told.labels), told.shape[1], told.shape[0]);
    asking = false;
    showBusy();
    say(told.error ?? `${told.classes.length} classes`);
    warnings.show(told.warnings);
    show();
  }

  part('undo').addEventListener('click', () => move(-1));
  part('redo').addEventListener('click', () => move(1));
  part('fit').addEventListener('click', () => pointer.fit());
  part('merge').addEventListener('click', () => {
    act({ do: 'merge', classes: table().filter((row) => chosen.has(row.label)).flatMap((row) => row.members) });
  });
  drawing.follow(part('opacity'), part('contours'));
  all.addEventListener('focusin', (event) => {
    // Keys are no commands of JupyterLab, which looks for this on what has the focus.
    /** @type {HTMLElement} */ (event.target).dataset.lmSuppressShortcuts = 'true';
  });
  for (const event of ['focus', 'blur']) part('picture').addEventListener(event, () => pointer.over());
  // The wheel is the notebook's until the picture was clicked.
  part('picture').parentElement?.addEventListener('wheel', (event) => {
    if (/** @type {Document | ShadowRoot} */ (all.getRootNode()).activeElement !== drawing.canvas) event.stopPropagation();
  }, { capture: true, passive: true });

  model.on('change:told', showTold);
  const picture = await createImageBitmap(new Blob([packed(model.get('picture'))]));
  drawing.setPicture(picture, told.size[0], told.size[1]);
  showTold();
  pointer.fit();
  return () => model.off('change:told', showTold);
}

/** The bytes of a trait. @param {DataView} view @returns {Uint8Array<ArrayBuffer>} */
function packed(view) {
  return new Uint8Array(/** @type {ArrayBuffer} */ (view.buffer), view.byteOffset, view.byteLength);
}

export default { render };
