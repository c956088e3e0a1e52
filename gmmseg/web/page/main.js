// The page: the server keeps the work, this shows it and passes on what a person does.

import { showClasses } from './classes.js';
import { Cuts } from './cuts.js';
import { Drawing } from './drawing.js';
import { Finding } from './finding.js';
import { showHistogram } from './histogram.js';
import { joined } from './numbers.js';
import { brushFor, Pointer } from './pointer.js';
import { Saving } from './saving.js';
import { ask, blob, bytes, Refused, stay } from './server.js';
import { Strip } from './strip.js';
import { Tiles } from './tiles.js';
import { Warnings } from './warnings.js';
import { after, optionsAfter, palette, rows } from './work.js';

/** @typedef {import('./work.js').State} State */

/** @template {HTMLElement} T @param {string} id @returns {T} */
const part = (id) => /** @type {T} */ (document.getElementById(id));

/** A field and its slider. @param {string} id @returns {[HTMLInputElement, HTMLInputElement]} */
const pair = (id) => [part(id), part(`${id}-slider`)];

/** @param {string} text @param {boolean} [wrong] whether something went wrong */
const say = (text, wrong = false) => {
  part('status').textContent = text;
  part('status').classList.toggle('wrong', wrong);
};
/** @param {unknown} error */
const fail = (error) => say(/** @type {Error} */ (error).message, true);

/** @type {State} */
let state = await ask('state').catch((error) => {
  fail(error);
  throw error;
});
/** @type {import('./finding.js').Answer | null} */
let found = null;
/** @type {Set<number>} */
const chosen = new Set();
/** The volume in space, once somebody has asked for it. @type {import('./volume.js').Volume | null} */
let volume = null;
let brush = state.image.cuts ? 6 : brushFor(state.image.columns, state.image.rows);
/** Regions in the table: the largest. */
const MOST_LISTED = 60;
/** What the classes on the screen were found with. */
let shownWith = '';

/** How many images of a strip are on their way. */
let opening = 0;

const drawing = new Drawing(part('picture'));
drawing.changed = showBusy;
/** Of a raster that is larger than memory. */
const tiles = state.image.tiles && new Tiles(drawing, state.image.tiles, [state.image.columns, state.image.rows], {
  changed: showBusy,
  failed: (error) => failed(error),
});
const cuts = state.image.cuts && new Cuts(state.image.cuts);
/** Of images that have one model. */
const strip = state.strip && new Strip(part('images'), state.strip, {
  choose: () => void openImage(),
  say,
  left: () => void renew(),
});
/** Which cuts, or which image of a strip, are shown, for addresses of pictures and layers. */
const where = () => (cuts ? `&at=${cuts.at.join(',')}` : strip ? `&at=${strip.at}` : '');
const paintable = () => !tiles && !strip;
const table = () => rows(state.work, found?.classes ?? []);
const rowOf = (/** @type {number} */ label) => table().find((row) => row.members.includes(label));
/** All classes of the rows that are chosen. */
const members = () => table().filter((row) => chosen.has(row.label)).flatMap((row) => row.members);
const pointer = new Pointer(drawing, part('strokes'), {
  tool: () => /** @type {HTMLInputElement} */ (document.querySelector('input[name=tool]:checked')).value,
  size: () => brush,
  label: () => [...chosen][0] ?? 1,
  paths: () => state.paths,
  color: (label) => rowOf(label)?.color ?? '#fff',
  pick,
  at: (x, y) => { if (cuts?.move(x, y)) void cut(); },
  go: (x, y, by) => { if (cuts?.go(x, y, by)) void cut(); },
  lines: () => cuts?.lines() ?? [],
  letters: () => cuts?.letters() ?? [],
  begun: (x, y) => (cuts ? cuts.begun(x, y) : {}),
  seen: (path) => (cuts ? cuts.seen(path) : [0, 0, state.image.columns, state.image.rows]),
  stroke: (path) => act({ do: 'stroke', ...path }),
  moved: () => warnings.place(),
});
const warnings = new Warnings(part('warnings'), part('stage'), pointer);
const finding = new Finding({
  found: showFound,
  where,
  image: () => strip?.at,
  busy: (on) => {
    showBusy();
    if (on) say('finding classes …');
  },
  failed: (error) => failed(error),
});

function showBusy() {
  const busy = opening > 0 || finding.running || cutting || drawing.waiting || (tiles?.busy ?? false);
  part('picture').setAttribute('aria-busy', String(busy));
}

/** Say what went wrong; where another page did something meanwhile, follow it, but not both at once. @param {unknown} error */
const failed = (error) => {
  if (!(error instanceof Refused && error.stale)) return fail(error);
  shownWith = '';
  setTimeout(() => void send('state'), 300 * (1 + Math.random()));
};

/** Bytes that soft masks take at most, as of the server. */
const MOST_SOFT = 2 ** 24;

/**
 * Rows and columns of the textures of classes, or of soft masks of so many.
 * @param {import('./finding.js').Answer} answer @param {number} [masks]
 */
function textured({ shape: [height, width] }, masks = 0) {
  const step = Math.ceil(Math.max(height / 8192, width / 8192, Math.sqrt((masks * height * width) / MOST_SOFT)));
  return { across: Math.ceil(width / step), down: Math.ceil(height / step) };
}

/** @param {import('./finding.js').Answer} answer @param {Uint8Array} labels @param {string} at where they are */
function showFound(answer, labels, at) {
  if (answer.regions || found?.regions) chosen.clear(); // their numbers are others at each level of detail
  found = answer;
  warnings.show(answer.warnings);
  const { across, down } = textured(answer);
  // Machines with browsers have the lower byte first, as the server sends them.
  if (at === where()) drawing.setLabels(answer.regions ? new Uint16Array(labels.buffer) : labels, across, down);
  else if (cuts) void cut();
  tiles?.show(answer.ticket);
  void volume?.load(answer);
  for (const label of chosen) if (label > answer.classes.length) chosen.delete(label);
  const feature = /** @type {HTMLSelectElement} */ (part('feature'));
  const before = feature.selectedIndex;
  feature.replaceChildren(...answer.features.map((each) => new Option(each.name)));
  feature.selectedIndex = Math.min(Math.max(0, before), answer.features.length - 1);
  const kind = answer.regions ? 'regions' : 'classes';
  const of = answer.whole ? 'of all pixels' : strip ? strip.tried(answer.tried ?? 0, state.wanted ?? 0) : 'of a smaller copy';
  say(`${answer.classes.length} ${kind} ${of}`);
  if (strip) void renew();
  show();
  void showLayer();
}

/** Show everything that follows from the state. */
function show() {
  const lines = table();
  drawing.setPalette(palette(lines, chosen));
  volume?.paint(lines, chosen);
  const regions = found?.regions ?? false;
  const listed = [...lines].sort((a, b) => b.share - a.share).slice(0, MOST_LISTED);
  showClasses(part('classes'), regions ? listed : lines, chosen, found?.pixels ?? state.image.pixels, !regions, { choose, act });
  const feature = found?.features[/** @type {HTMLSelectElement} */ (part('feature')).selectedIndex];
  const colors = (found?.classes ?? []).map((each) => rowOf(each.class)?.color ?? '');
  showK(state.work.options.k);
  showSmooth(state.work.options.smooth ?? 'auto');
  showDetail(state.work.options.detail ?? 'none');
  showSize(brush);
  part('features').hidden = regions;
  showHistogram(part('histogram'), feature, colors);
  part('classes-title').textContent = regions ? 'Regions found' : 'Classes';
  part('correct').hidden = !paintable() || regions; // strokes are of classes, and painted on what is in memory
  if (regions) /** @type {HTMLInputElement} */ (document.querySelector('input[value=select]')).checked = true;
  for (const kind of ['cutout', 'soft', 'masks', 'coco', 'geotiff']) {
    const hidden = strip ? true : regions ? ['cutout', 'soft'].includes(kind) : cuts !== null && kind !== 'soft';
    /** @type {HTMLElement} */ (document.querySelector(`[data-kind=${kind}]`)).hidden = hidden;
  }
  part('image-name').textContent = strip ? `${state.image.name}: ${strip.said}` : state.image.name;
  strip?.show(state.strip ?? []);
  /** @type {HTMLButtonElement} */ (part('undo')).disabled = !state.undo;
  /** @type {HTMLButtonElement} */ (part('redo')).disabled = !state.redo;
  /** @type {HTMLButtonElement} */ (part('merge')).disabled = chosen.size < 2;
  /** @type {HTMLButtonElement} */ (part('only')).disabled = !chosen.size;
  /** @type {HTMLButtonElement} */ (part('foreground')).disabled = !chosen.size;
  /** @type {HTMLButtonElement} */ (document.querySelector('[data-kind=cutout]')).disabled = !chosen.size;
  showCommand();
  pointer.over();
}

function showCommand() {
  const command = /** @type {HTMLTextAreaElement} */ (part('command'));
  if (document.activeElement !== command) command.value = state.command;
}

async function showLayer() {
  const name = /** @type {HTMLSelectElement} */ (part('layer')).value;
  const soft = name === 'soft';
  if (!soft || !found || found.regions) drawing.setSoft(null, 1, 1);
  if (!name || soft || !found || found.regions) drawing.setLayer(null, 1, 1);
  if (!name || !found || found.regions) return;
  const { across, down } = textured(found, soft ? found.classes.length : 0), { ticket } = found, of = where();
  try {
    const values = await bytes(`layer?ticket=${ticket}&name=${name}${of}`);
    if (found.ticket !== ticket || of !== where()) return;
    if (soft) drawing.setSoft(values, across, down);
    else drawing.setLayer(values, across, down);
  } catch (error) {
    if (found.ticket === ticket) failed(error);
  }
}

/** Show the image of the strip that is chosen, and then its classes. */
async function openImage() {
  const of = where();
  opening += 1;
  showBusy();
  show();
  try {
    const bitmap = await createImageBitmap(await blob(`picture?${of.slice(1)}`));
    if (of !== where()) return;
    if (strip) strip.last = strip.at;
    drawing.setLabels(new Uint8Array(1), 1, 1);
    warnings.show([]);
    drawing.setPicture(bitmap, bitmap.width, bitmap.height);
    pointer.fit();
    shownWith = decisive();
    finding.want(null, false);
  } catch (error) {
    fail(error);
    await renew();
    if (of === where()) strip?.back();
  } finally {
    opening -= 1;
    showBusy();
  }
}

let renewing = 0;
/** Ask anew which images can be taken, which is known once they are read: till then, and as more are to be tried on. */
function renew() {
  clearTimeout(renewing);
  last = last.then(async () => {
    const { strip: images, command, tried, wanted } = await ask('state').catch(() => state);
    state = { ...state, strip: images, command, tried, wanted };
    strip?.show(images);
    showCommand();
    if (tried < wanted) renewing = setTimeout(() => void renew(), 1000);
    improve();
  });
  return last;
}

/** Find classes again where a model of more images than that on the screen can be had, and none is being tried. */
function improve() {
  const more = strip && found && (found.tried ?? 0) < (state.tried ?? 0);
  if (more && shownWith === decisive() && !finding.running) finding.want(null, false);
}

let cutting = false;
/** Show the cuts that meet where the cross is; of several that are wanted meanwhile, the last is next. */
async function cut() {
  showCuts();
  if (cutting) return;
  cutting = true;
  showBusy();
  try {
    for (let shown = ''; shown !== where();) {
      shown = where();
      const answer = found;
      const [picture, labels] = await Promise.all([
        blob(`picture?${shown.slice(1)}`).then(createImageBitmap),
        answer && bytes(`layer?ticket=${answer.ticket}&name=labels${shown}`).catch((error) => (answer === found ? failed(error) : null)),
      ]);
      if (shown !== where()) continue;
      drawing.setPicture(picture, state.image.columns, state.image.rows);
      if (answer && labels && answer === found) drawing.setLabels(labels, textured(answer).across, textured(answer).down);
      else if (answer !== found) shown = '';
      await showLayer();
    }
  } catch (error) {
    fail(error);
  }
  cutting = false;
  showBusy();
}

function showCuts() {
  cuts?.at.forEach((each, axis) => cutFields[axis](each));
  volume?.later();
  pointer.refresh();
}

/** Options and strokes, which decide what classes there are. @param {any} [step] one more that sets an option */
const decisive = (step) => JSON.stringify([
  step ? optionsAfter(state.work, step) : state.work.options, state.paths,
  ...(strip ? [state.work.groups, state.work.dropped] : []), // which change the model that the images share
]);

/** Find classes, unless they are on the screen or on their way. @param {any} [step] that is tried */
function refit(step) {
  if (decisive(step) === shownWith) return;
  shownWith = decisive(step);
  finding.want(step ?? null, false);
}

/** Do a step: shown at once where no pixel's class changes. @param {any} step */
function act(step) {
  state = { ...state, work: after(state.work, step) };
  if (step.do === 'stroke') state = { ...state, paths: [...state.paths, step] };
  if (step.do === 'name' && warnings.marks.length) shownWith = ''; // doubt is of classes by their names
  for (const label of chosen) if (!table().some((row) => row.label === label)) chosen.delete(label);
  show();
  return send('do', { step });
}

/** Ask for a change of the log; the answers come in the order of the questions. */
let last = Promise.resolve();
/** @param {string} path @param {object} [asked] */
function send(path, asked) {
  last = last.then(async () => {
    try {
      state = await ask(path, asked);
    } catch (error) {
      fail(error);
      state = await ask('state').catch(() => state);
    }
    refit();
    improve();
    show();
  });
  return last;
}

/** @param {number} label @param {boolean} on */
function choose(label, on) {
  if (on) chosen.add(label);
  else chosen.delete(label);
  show();
}

/**
 * Choose the class that was clicked; with `more` besides those that are chosen.
 * @param {number} label @param {boolean} more
 */
function pick(label, more) {
  const row = rowOf(label);
  const only = chosen.size === 1 && row && chosen.has(row.label);
  if (!more) chosen.clear();
  if (row) choose(row.label, more ? !chosen.has(row.label) : !only);
  else show();
  if (row) say(`${row.name}, ${(100 * row.share).toFixed(1)} %`);
}

const wrong = (/** @type {string} */ text) => { say(text, true); show(); };
/** @param {string} option */
const setting = (option) => ({
  tried: (/** @type {number} */ value) => refit({ do: 'set', option, value }),
  chosen: (/** @type {number | string | null} */ value) => void act({ do: 'set', option, value }),
  wrong,
});
const showK = joined(pair('k'), { whole: true, low: 1, high: 255, ...setting('k') });
const showSmooth = joined(pair('smooth'), { words: ['auto'], low: 0, high: 1, ...setting('smooth') });
const detailed = setting('detail');
const showDetail = joined(pair('detail'), {
  ...detailed, words: ['none'], low: 0, high: 1,
  chosen: (value) => detailed.chosen(value === 'none' ? null : value),
});
const showSize = joined(pair('size'), {
  low: 1, high: 2000, chosen: (value) => { brush = Number(value); show(); }, wrong,
});

const cutFields = (state.image.cuts?.shape ?? []).map((length, axis) => {
  /** @param {number | string} value */
  const moved = (value) => { /** @type {Cuts} */ (cuts).at[axis] = Number(value); void cut(); };
  /** @type {HTMLInputElement} */ (part(`cut-${axis}-slider`)).max = String(length - 1);
  return joined(pair(`cut-${axis}`), {
    whole: true, low: 0, high: length - 1, tried: moved, chosen: moved, wrong: (text) => { say(text, true); showCuts(); },
  });
});
part('cuts').hidden = !cuts;
/** Show the volume in space, or hide it; its scripts come only now. */
async function showVolume() {
  const host = part('volume');
  host.hidden = !host.hidden;
  part('show-volume').setAttribute('aria-expanded', String(!host.hidden));
  if (host.hidden || !cuts) return;
  try {
    const { Volume } = await import('./volume.js');
    volume ??= new Volume(host, cuts, () => void cut());
    volume.paint(table(), chosen);
    if (found) await volume.load(found);
  } catch (error) {
    fail(error);
  }
}
part('regions').hidden = Boolean(cuts || tiles || strip); // which are of pictures in memory
part('strip').hidden = !strip;
if (strip) {
  part('whole').textContent = 'Apply to all images';
  /** @type {HTMLElement} */ (document.querySelector('[data-kind=labels]')).textContent = 'Label maps of all images';
  part('command-title').firstElementChild?.replaceChildren('Commands for the label maps');
  part('command-help').textContent = 'Other commands of these images can be pasted here.';
  part('picture').addEventListener('keydown', ({ key }) => {
    if (key === 'n' || key === 'p') strip.step(key === 'n' ? 1 : -1);
  });
}

const merge = () => {
  if (chosen.size > 1) void act({ do: 'merge', classes: members() });
};
/** Make what is chosen one, and leave out everything else. */
const foreground = () => {
  const others = table().filter((row) => !chosen.has(row.label)).flatMap((row) => row.members);
  if (chosen.size) void act({ do: 'foreground', classes: members(), others });
};
const only = async () => {
  const others = table().filter((row) => row.hidden === chosen.has(row.label));
  for (const row of others) await act({ do: 'hide', class: row.label, hidden: !chosen.has(row.label) });
};
/** Find classes of all pixels; those of a raster larger than memory, and of a strip, are written on the way. */
const whole = () => {
  if (strip) return save('labels');
  shownWith = decisive();
  finding.want(null, true);
  if (tiles) save('labels');
};

const saving = new Saving(part('saved'), part('replace'), {
  ready: () => last,
  classes: members,
  counted: Boolean(strip),
  done: () => { if (strip) finding.want(null, false); }, // as it was saved
});
const save = (/** @type {string} */ kind) => void saving.save(kind, false);

/** Who has copied the command may run it at once: what it reads is written now. */
const settled = () => last.then(() => ask('settle', {}));
part('command').addEventListener('copy', () => void settled().catch(fail));

/** @type {[string, () => unknown][]} */
const buttons = [
  ['undo', () => send('undo', {})], ['redo', () => send('redo', {})], ['fit', () => pointer.fit()], ['whole', whole],
  ['show-volume', showVolume], ['merge', merge], ['only', only], ['foreground', foreground],
  ['copy', () => Promise.all([navigator.clipboard.writeText(state.command), settled()])
    .then(() => say('copied'), fail)],
  ['paste', () => send('paste', { text: /** @type {HTMLTextAreaElement} */ (part('command')).value })],
];
for (const [id, work] of buttons) part(id).addEventListener('click', () => void work());
part('exports').addEventListener('click', (event) => {
  const kind = /** @type {HTMLElement} */ (event.target).dataset.kind;
  if (kind) save(kind);
});
drawing.follow(part('opacity'), part('contours'));
part('layer').addEventListener('change', () => void showLayer());
part('feature').addEventListener('change', show);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', show);
for (const event of ['focus', 'blur']) part('picture').addEventListener(event, () => pointer.over());

/** Where keys are letters. */
const TYPED = 'input:not([type=checkbox], [type=radio], [type=range]), textarea, select';
addEventListener('keydown', (event) => {
  const typing = /** @type {HTMLElement} */ (event.target).matches(TYPED);
  const key = event.key.toLowerCase();
  if (typing) return;
  if (event.ctrlKey || event.metaKey) {
    if (key === 'z') void send(event.shiftKey ? 'redo' : 'undo', {});
    else if (key === 'y') void send('redo', {});
    else return;
  } else if (key === 'm') merge();
  else if (key === 'h') void only();
  else if (key === 'f') foreground();
  else if (key === '0') pointer.fit();
  else if (key === 'enter' && event.shiftKey) whole();
  else if (key === '[' || key === ']') { brush = Math.max(1, Math.round(brush * (key === ']' ? 1.25 : 0.8))); show(); }
  else if (/^[1-9]$/.test(key)) pick(Number(key), false);
  else {
    const tool = { v: 'select', b: 'paint', e: 'erase' }[key];
    if (!tool || !paintable() || found?.regions) return;
    /** @type {HTMLInputElement} */ (document.querySelector(`input[value=${tool}]`)).checked = true;
  }
  event.preventDefault();
});

void stay(() => say('the program has ended; start gmmseg view again', true));
show();
if (strip) await openImage();
else refit();
if (!strip) drawing.setPicture(await createImageBitmap(await blob(`picture?${where().slice(1)}`)), state.image.columns, state.image.rows);
if (cuts) {
  part('counted').textContent = 'Voxels';
  showCuts();
}
pointer.fit();
document.body.dataset.ready = 'true';
