// The picture with its classes, in WebGL2: labels are a texture of integers, and a palette says how each is shown. To
// merge, recolour or hide classes is to write its colours, 256 in a line.

const VERTEX = `#version 300 es
in vec2 corner;
out vec2 place;
uniform vec4 view; // pixels of the image at the left upper corner, and across
void main() {
  place = view.xy + view.zw * vec2(corner.x, 1.0 - corner.y);
  gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
precision highp usampler2D;
precision highp sampler2DArray;
in vec2 place;
out vec4 color;
uniform vec2 size;  // of the image
uniform vec4 seen, told; // left, top, width and height of what the picture and the labels show, in pixels of the image
uniform vec2 pixel; // of the screen, in pixels of the image
uniform sampler2D picture, palette, layer;
uniform usampler2D labels;
uniform sampler2DArray soft; // a mask for each class
uniform float opacity, contours, layered, mixing;
vec4 entry(int label) {
  return texelFetch(palette, ivec2(label & 255, label >> 8), 0);
}
int label(vec2 at) {
  return int(texture(labels, (at - told.xy) / told.zw).r);
}
vec4 blended(vec2 at) { // colours of the classes by their probabilities
  vec4 sum = vec4(0.0);
  for (int each = 0; each < textureSize(soft, 0).z; ++each) {
    vec4 color = entry(each + 1);
    sum += texture(soft, vec3(at / size, each)).r * color.a * vec4(color.rgb, 1.0);
  }
  return vec4(sum.rgb / max(sum.a, 1e-6), min(sum.a, 1.0));
}
void main() {
  vec2 within = (place - seen.xy) / seen.zw;
  if (any(lessThan(within, vec2(0.0))) || any(greaterThanEqual(within, vec2(1.0)))) discard;
  vec3 mixed = texture(picture, within).rgb;
  int mine = label(place);
  vec4 here = entry(mine);
  vec4 over = mixing > 0.0 ? blended(place) : here;
  vec3 drawn = mix(mixed, over.rgb, opacity * over.a);
  if (contours > 0.0 && here.a > 0.0) {
    int right = label(place + vec2(pixel.x, 0.0)), below = label(place + vec2(0.0, pixel.y));
    // Colours are looked up where labels differ alone: a quarter less of the processor's time where it draws itself.
    if (right != mine || below != mine) {
      if (entry(right) != here || entry(below) != here) drawn = mix(here.rgb, vec3(1.0), 0.25);
    }
  }
  if (layered > 0.0) drawn = mix(drawn * 0.35, vec3(1.0, 0.95, 0.3), texture(layer, place / size).r);
  color = vec4(drawn, 1.0);
}`;

/** Frames over which new colours are drawn without a graphics card: all at once would take the time of some. */
const PARTS = 4;
const SOFTWARE = /swiftshader|llvmpipe|software|basic render/i;

/**
 * Pixels of the image at the corner, and of the screen for one of the image.
 * @typedef {{x: number, y: number, scale: number}} View
 */

export class Drawing {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    const gl = canvas.getContext('webgl2', { alpha: true, antialias: false, preserveDrawingBuffer: true });
    if (!gl) throw new Error('this browser has no WebGL2; use a newer one');
    this.canvas = canvas;
    this.gl = gl;
    this.program = linked(gl, VERTEX, FRAGMENT);
    const [picture, labels] = ['picture', 'labels', 'palette', 'layer', 'soft'].map((name, unit) => {
      const texture = this.#texture(unit, name === 'soft' ? gl.TEXTURE_2D_ARRAY : gl.TEXTURE_2D);
      gl.uniform1i(gl.getUniformLocation(this.program, name), unit);
      return texture;
    });
    /** Those of the whole picture. */
    this.own = { picture, labels };
    /** @type {import('./tiles.js').Tiles | null} */
    this.tiles = null;
    this.waiting = false;
    const info = gl.getExtension('WEBGL_debug_renderer_info');
    this.parts = SOFTWARE.test(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER)) ? PARTS : 1;
    /** The part that is drawn next where colours alone are new, and how many parts are left. */
    this.part = { next: 0, left: 0 };
    /** Called once there is something to draw, and once all of it is drawn. */
    this.changed = () => {};
    this.setLabels(new Uint8Array([0]), 1, 1);
    this.setLayer(null, 1, 1);
    this.setSoft(null, 1, 1);
    this.setPalette(new Uint8Array(1024));
    /** @type {[number, number]} */
    this.size = [1, 1];
    this.opacity = 0.5;
    this.contours = true;
    /** @type {View} */
    this.view = { x: 0, y: 0, scale: 1 };
  }

  /** @param {number} unit @param {number} kind */
  #texture(unit, kind) {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE0 + unit);
    const texture = /** @type {WebGLTexture} */ (gl.createTexture());
    gl.bindTexture(kind, texture);
    gl.texParameteri(kind, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(kind, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    gl.texParameteri(kind, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(kind, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    return texture;
  }

  /** The picture of a tile. @param {ImageBitmap} bitmap */
  pictureTexture(bitmap) {
    const { gl } = this, texture = this.#texture(0, gl.TEXTURE_2D);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
    gl.bindTexture(gl.TEXTURE_2D, this.own.picture);
    return texture;
  }

  /** The labels of a tile. @param {Uint8Array} labels @param {number} columns @param {number} rows */
  labelTexture(labels, columns, rows) {
    const { gl } = this, texture = this.#texture(1, gl.TEXTURE_2D);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8UI, columns, rows, 0, gl.RED_INTEGER, gl.UNSIGNED_BYTE, labels);
    gl.bindTexture(gl.TEXTURE_2D, this.own.labels);
    return texture;
  }

  /** @param {ImageBitmap} bitmap @param {number} columns @param {number} rows of the image itself */
  setPicture(bitmap, columns, rows) {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE0);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
    gl.generateMipmap(gl.TEXTURE_2D);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
    this.size = [columns, rows];
    this.later();
  }

  /** @param {Uint8Array | Uint16Array} labels @param {number} columns @param {number} rows */
  setLabels(labels, columns, rows) {
    const { gl } = this;
    const [kept, type] = labels instanceof Uint16Array ? [gl.R16UI, gl.UNSIGNED_SHORT] : [gl.R8UI, gl.UNSIGNED_BYTE];
    gl.activeTexture(gl.TEXTURE1);
    gl.texImage2D(gl.TEXTURE_2D, 0, kept, columns, rows, 0, gl.RED_INTEGER, type, labels);
    this.labels = { values: labels, columns, rows };
    this.#recolor();
  }

  /** @param {Uint8Array} colors red, green, blue and opacity of each label, in lines of 256 */
  setPalette(colors) {
    const { gl } = this;
    if (same(colors, this.palette)) return;
    this.palette = colors;
    gl.activeTexture(gl.TEXTURE2);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, 256, colors.length / 1024, 0, gl.RGBA, gl.UNSIGNED_BYTE, colors);
    this.#recolor();
  }

  /** @param {Uint8Array | null} values @param {number} columns @param {number} rows */
  setLayer(values, columns, rows) {
    const { gl } = this;
    if (values === null && this.layered === false) return;
    gl.activeTexture(gl.TEXTURE3);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8, columns, rows, 0, gl.RED, gl.UNSIGNED_BYTE, values ?? new Uint8Array(1));
    this.layered = values !== null;
    this.#recolor();
  }

  /** @param {Uint8Array | null} values one mask after the other @param {number} columns @param {number} rows */
  setSoft(values, columns, rows) {
    if (values === null && this.mixing === false) return;
    const { gl } = this, masks = values ?? new Uint8Array(1), count = masks.length / (columns * rows);
    gl.activeTexture(gl.TEXTURE4);
    gl.texImage3D(gl.TEXTURE_2D_ARRAY, 0, gl.R8, columns, rows, count, 0, gl.RED, gl.UNSIGNED_BYTE, masks);
    this.mixing = values !== null;
    this.#recolor();
  }

  /** Show what a slider and a box say. @param {HTMLInputElement} opacity @param {HTMLInputElement} contours */
  follow(opacity, contours) {
    opacity.addEventListener('input', () => {
      this.opacity = Number(opacity.value);
      this.#recolor();
    });
    contours.addEventListener('change', () => {
      this.contours = contours.checked;
      this.#recolor();
    });
  }

  /** The label at a place of the image, 0 outside. @param {number} x @param {number} y */
  labelAt(x, y) {
    const { values, columns, rows } =
      /** @type {{values: Uint8Array | Uint16Array, columns: number, rows: number}} */ (this.labels);
    const [width, height] = this.size;
    if (x < 0 || y < 0 || x >= width || y >= height) return 0;
    const told = this.tiles?.labelAt(x, y) ?? null;
    if (told !== null) return told;
    return values[Math.floor((y / height) * rows) * columns + Math.floor((x / width) * columns)];
  }

  /** Draw in the next frame, once however often it is asked for. */
  later() {
    this.part.left = 0;
    this.#soon();
  }

  /** Draw new colours where everything is as before: each part of the picture in a frame of its own, if that is long. */
  #recolor() {
    if (this.waiting && !this.part.left) return; // all is drawn anyway
    this.part.left = this.tiles ? 0 : this.parts;
    this.#soon();
  }

  #soon() {
    if (this.waiting) return;
    this.waiting = true;
    this.changed();
    requestAnimationFrame(() => {
      this.waiting = false;
      const { part, parts } = this;
      if (!part.left) this.#draw();
      else {
        this.#draw(part.next);
        part.next = (part.next + 1) % parts;
        part.left -= 1;
      }
      if (part.left) this.#soon();
      else this.changed();
    });
  }

  /** @param {number} [part] of the canvas, from its top; all of it by default */
  #draw(part) {
    const { gl, program, view, canvas } = this;
    const ratio = devicePixelRatio;
    const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
    const resized = canvas.width !== width || canvas.height !== height;
    if (resized) Object.assign(canvas, { width, height });
    gl.viewport(0, 0, width, height);
    /** @param {string} name */
    const at = (name) => gl.getUniformLocation(program, name);
    gl.uniform4f(at('view'), view.x, view.y, width / ratio / view.scale, height / ratio / view.scale);
    gl.uniform2f(at('size'), this.size[0], this.size[1]);
    gl.uniform2f(at('pixel'), 1 / ratio / view.scale, 1 / ratio / view.scale);
    gl.uniform1f(at('opacity'), this.opacity);
    gl.uniform1f(at('contours'), this.contours ? 1 : 0);
    gl.uniform1f(at('layered'), this.layered ? 1 : 0);
    gl.uniform1f(at('mixing'), this.mixing ? 1 : 0);
    if (part !== undefined && !resized) {
      const ends = [part + 1, part].map((each) => height - Math.round((each / this.parts) * height));
      gl.enable(gl.SCISSOR_TEST);
      gl.scissor(0, ends[0], width, ends[1] - ends[0]);
    }
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    const all = /** @type {[number, number, number, number]} */ ([0, 0, ...this.size]);
    gl.uniform4f(at('seen'), ...all);
    gl.uniform4f(at('told'), ...all);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    gl.enable(gl.SCISSOR_TEST);
    for (const tile of this.tiles?.visible() ?? []) {
      const labels = this.tiles?.labelsOf(tile);
      gl.uniform4f(at('seen'), ...tile.rect);
      gl.uniform4f(at('told'), ...(labels ? tile.rect : all));
      // Only where the tile lies: pixels that are thrown away cost as much as those that are drawn.
      const [left, top, across, down] = tile.rect, scale = view.scale * ratio;
      const below = height - (top + down - view.y) * scale;
      gl.scissor(Math.floor((left - view.x) * scale), Math.floor(below), Math.ceil(across * scale) + 1,
        Math.ceil(down * scale) + 1);
      this.#bind(tile.picture, labels ? labels.texture : this.own.labels);
      gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    }
    gl.disable(gl.SCISSOR_TEST);
    this.#bind(this.own.picture, this.own.labels);
  }

  /** @param {WebGLTexture | null} picture @param {WebGLTexture} labels */
  #bind(picture, labels) {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, picture);
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, labels);
  }
}

/** @param {Uint8Array} some @param {Uint8Array | undefined} others */
const same = (some, others) => some.length === others?.length && some.every((each, n) => each === others[n]);

/**
 * The program that draws a rectangle, in use: `corner` goes from (0, 0) to (1, 1).
 * @param {WebGL2RenderingContext} gl @param {string} vertex @param {string} fragment
 */
export function linked(gl, vertex, fragment) {
  const program = /** @type {WebGLProgram} */ (gl.createProgram());
  for (const [kind, source] of /** @type {[number, string][]} */ (
    [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]])) {
    const shader = /** @type {WebGLShader} */ (gl.createShader(kind));
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program) ?? 'shader');
  gl.useProgram(program);
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([0, 0, 1, 0, 0, 1, 1, 1]), gl.STATIC_DRAW);
  gl.enableVertexAttribArray(gl.getAttribLocation(program, 'corner'));
  gl.vertexAttribPointer(gl.getAttribLocation(program, 'corner'), 2, gl.FLOAT, false, 0, 0);
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  return program;
}
