// The work as the server tells it, and what a step does to how classes are shown, at once and without asking.

/**
 * @typedef {{options: {[name: string]: any}, strokes: number, names: {[label: string]: string},
 *   colors: {[label: string]: string}, hidden: number[], groups: number[][], dropped: number[]}} Work
 * @typedef {{class: number, size: number, points: number[][], at?: number[]}} Path
 * @typedef {{image: {name: string, rows: number, columns: number, pixels: number,
 *   cuts: import('./cuts.js').Laid | null, tiles: import('./tiles.js').Laid | null}, work: Work, paths: Path[], command: string,
 *   undo: number, redo: number, file: string, strip?: import('./strip.js').Listed[], tried?: number, wanted?: number}} State
 * @typedef {{class: number, name: string, share: number, color: string, mean: string | null}} Found
 * @typedef {{label: number, members: number[], name: string, share: number, color: string, hidden: boolean}} Row
 */

/**
 * The options once one is set: what is said of classes shows them again, where there were regions.
 * @param {Work} work @param {{option: string, value: any}} step
 */
export function optionsAfter(work, { option, value }) {
  const options = { ...work.options, [option]: value };
  if (!['detail', 'min_size'].includes(option) || value === null) delete options.detail;
  return options;
}

/**
 * The work after a step, as far as it shows before the server has answered.
 * @param {Work} work @param {any} step @returns {Work}
 */
export function after(work, step) {
  switch (step.do) {
    case 'set': return { ...work, options: optionsAfter(work, step) };
    case 'name': return { ...work, names: { ...work.names, [step.class]: step.name } };
    case 'color': return { ...work, colors: { ...work.colors, [step.class]: step.color } };
    case 'hide': return {
      ...work, hidden: [...work.hidden.filter((each) => each !== step.class), ...(step.hidden ? [step.class] : [])],
    };
    case 'merge': {
      const touched = work.groups.filter((group) => group.some((each) => step.classes.includes(each)));
      const joined = [...new Set([...step.classes, ...touched.flat()])].sort((a, b) => a - b);
      return { ...work, groups: [...work.groups.filter((group) => !touched.includes(group)), joined] };
    }
    case 'foreground': return {
      ...(step.classes.length > 1 ? after(work, { ...step, do: 'merge' }) : work),
      dropped: [...work.dropped, ...step.others],
    };
    default: return work;
  }
}

/**
 * The classes as a table shows them: those that are one in one row, and those that are left out in none.
 * @param {Work} work @param {Found[]} found @returns {Row[]}
 */
export function rows(work, found) {
  const group = (/** @type {number} */ label) => work.groups.find((each) => each.includes(label)) ?? [label];
  const left = new Set(work.dropped);
  return found.filter((each) => group(each.class)[0] === each.class && !left.has(each.class)).map((each) => {
    const members = group(each.class);
    return {
      label: each.class,
      members,
      name: work.names[each.class] ?? each.name,
      share: found.filter((other) => members.includes(other.class)).reduce((sum, other) => sum + other.share, 0),
      color: work.colors[each.class] ?? each.color,
      hidden: work.hidden.includes(each.class),
    };
  });
}

/**
 * Red, green, blue and opacity of labels, 256 in a line; what is not chosen stands back where anything is.
 * @param {Row[]} table @param {Set<number>} chosen labels of rows
 */
export function palette(table, chosen) {
  const highest = Math.max(0, ...table.flatMap((row) => row.members));
  const colors = new Uint8Array(1024 * (1 + (highest >> 8)));
  for (const row of table) {
    for (const label of row.members) {
      colors.set([1, 3, 5].map((start) => parseInt(row.color.slice(start, start + 2), 16)), 4 * label);
      colors[4 * label + 3] = row.hidden ? 0 : chosen.size && !chosen.has(row.label) ? 90 : 255;
    }
  }
  return colors;
}
