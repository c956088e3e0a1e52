// The table of classes: chosen, renamed, recoloured, hidden.

/** @typedef {import('./work.js').Row} Row */

/**
 * @param {HTMLElement} body
 * @param {Row[]} table
 * @param {Set<number>} chosen labels of rows
 * @param {number} pixels of the image that have a class
 * @param {boolean} named whether they can have names
 * @param {{choose: (label: number, on: boolean) => void, act: (step: object) => void}} on
 */
export function showClasses(body, table, chosen, pixels, named, on) {
  const root = /** @type {Document | ShadowRoot} */ (body.getRootNode());
  const typing = /** @type {HTMLInputElement | null} */ (body.querySelector('input[type=text]:focus'));
  if (typing && typing.value !== typing.defaultValue) return; // it is shown once the name stands
  const focused = body.contains(root.activeElement) ? root.activeElement?.id : null;
  body.replaceChildren(...table.map((row) => {
    const line = document.createElement('tr');
    line.className = [chosen.has(row.label) && 'chosen', row.hidden && 'hidden'].filter(Boolean).join(' ');
    const choose = field(row, 'choose', 'checkbox', `Choose ${row.name}`);
    choose.checked = chosen.has(row.label);
    choose.addEventListener('change', () => on.choose(row.label, choose.checked));
    const color = field(row, 'color', 'color', `Colour of ${row.name}`);
    color.value = row.color;
    color.addEventListener('change', () => on.act({ do: 'color', class: row.label, color: color.value }));
    const name = field(row, 'name', 'text', `Name of class ${row.members.join(' and ')}`);
    name.defaultValue = row.name;
    name.readOnly = !named;
    name.addEventListener('change', () => {
      name.defaultValue = name.value;
      on.act({ do: 'name', class: row.label, name: name.value });
    });
    const visible = field(row, 'show', 'checkbox', `Show ${row.name}`);
    visible.checked = !row.hidden;
    visible.addEventListener('change', () => on.act({ do: 'hide', class: row.label, hidden: !visible.checked }));
    line.append(cell(choose), cell(color), cell(name), cell(`${(100 * row.share).toFixed(1)} %`, 'number'),
      cell(Math.round(row.share * pixels).toLocaleString('en').replaceAll(',', '\u202f'), 'number'), cell(visible));
    return line;
  }));
  if (focused) /** @type {HTMLElement | null} */ (body.querySelector(`#${focused}`))?.focus();
}

/** @param {Row} row @param {string} what @param {string} type @param {string} label */
function field(row, what, type, label) {
  const input = document.createElement('input');
  input.type = type;
  input.id = `${what}-${row.label}`;
  input.setAttribute('aria-label', label);
  input.autocomplete = 'off';
  return input;
}

/** @param {HTMLElement | string} content @param {string} [kind] */
function cell(content, kind) {
  const found = document.createElement('td');
  if (kind) found.className = kind;
  found.append(content);
  return found;
}
