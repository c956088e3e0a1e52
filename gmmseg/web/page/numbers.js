// Numbers as people type and read them.

/**
 * The number that a text says, with a decimal point or a decimal comma; NaN where it says none.
 * @param {string} text
 */
export function parsed(text) {
  const plain = text.trim().replace(',', '.');
  return /^[+-]?(\d+\.?\d*|\.\d+)$/.test(plain) ? Number(plain) : NaN;
}

/** @param {number} value @param {number} digits behind the point, at most */
function shown(value, digits) {
  return String(Number(value.toFixed(digits)));
}

/**
 * Join a slider and a field. While the slider moves, `tried` is called; once a value stands, `chosen`.
 * @param {[HTMLInputElement, HTMLInputElement]} pair the field and the slider
 * @param {{words?: string[], whole?: boolean, low: number, high: number,
 *   tried?: (value: number) => void, chosen: (value: number | string) => void, wrong: (text: string) => void}} how
 */
export function joined([field, slider], how) {
  let moving = false;
  /** @param {number | string} value */
  const show = (value) => {
    if (moving) return; // an answer to what is being tried says what it was before
    field.value = typeof value === 'number' ? shown(value, 3) : value;
    if (typeof value === 'number') slider.value = String(value);
  };
  slider.addEventListener('input', () => {
    moving = true;
    field.value = slider.value;
    how.tried?.(Number(slider.value));
  });
  // Let go where it was, it says of no change.
  for (const event of ['change', 'pointerup', 'blur']) slider.addEventListener(event, () => { moving = false; });
  slider.addEventListener('change', () => how.chosen(Number(slider.value)));
  field.addEventListener('change', () => {
    const word = field.value.trim().toLowerCase();
    const value = parsed(word);
    if (how.words?.includes(word)) how.chosen(word);
    else if (value >= how.low && value <= how.high && (!how.whole || Number.isInteger(value))) how.chosen(value);
    else how.wrong(`${field.value} is not usable; use ${how.low} to ${how.high}${how.words ? ` or ${how.words}` : ''}`);
  });
  return show;
}
