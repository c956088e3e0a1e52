// The histogram of a feature, with the Gaussian of each class.

/**
 * @typedef {{name: string, low: number, high: number, density: number[], weights: number[], means: number[],
 *   deviations: number[]}} Feature
 */

/** @param {HTMLCanvasElement} canvas @param {Feature | undefined} feature @param {string[]} colors of the classes */
export function showHistogram(canvas, feature, colors) {
  const ratio = devicePixelRatio;
  canvas.width = canvas.clientWidth * ratio;
  canvas.height = canvas.clientHeight * ratio;
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  if (!feature) return;
  const { low, high, density, weights, means, deviations } = feature;
  const left = 4, right = canvas.clientWidth - 4, floor = canvas.clientHeight - 16;
  const style = getComputedStyle(document.documentElement);
  /** @param {number} value @param {number} n */
  const gaussian = (value, n) => (weights[n] / (deviations[n] * Math.sqrt(2 * Math.PI)))
    * Math.exp(-(((value - means[n]) / deviations[n]) ** 2) / 2);
  const top = Math.max(...density) * 1.15 || 1;
  /** @param {number} value */
  const across = (value) => left + ((value - low) / (high - low)) * (right - left);
  /** @param {number} value */
  const up = (value) => floor - Math.min(1, value / top) * (floor - 4);
  pen.scale(ratio, ratio);
  pen.fillStyle = style.getPropertyValue('--line');
  const width = (right - left) / density.length;
  density.forEach((value, n) => pen.fillRect(left + n * width, up(value), width - 0.5, floor - up(value)));
  pen.fillStyle = style.getPropertyValue('--ink');
  pen.font = '11px system-ui, sans-serif';
  pen.fillText(String(Number(low.toPrecision(3))), left, floor + 13);
  pen.textAlign = 'right';
  pen.fillText(String(Number(high.toPrecision(3))), right, floor + 13);
  pen.lineWidth = 2;
  weights.forEach((_, n) => {
    pen.strokeStyle = colors[n] ?? '#888';
    pen.beginPath();
    for (let x = left; x <= right; x += 1) {
      pen.lineTo(x, up(gaussian(low + ((x - left) / (right - left)) * (high - low), n)));
    }
    pen.stroke();
  });
  const places = means.map((mean, n) => `class ${n + 1} about ${Number(mean.toPrecision(3))}`).join(', ');
  canvas.setAttribute('aria-label', `Histogram of ${feature.name}: ${places}`);
}
