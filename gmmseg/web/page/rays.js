// A volume of labels drawn in WebGL2: rays go through its voxels to the first that is shown. Labels are a texture of
// integers, and a palette says how each is shown, so to merge, recolour or hide classes is to write its colours.

import { linked } from './drawing.js';

/** Voxels along an axis that every WebGL2 takes, and that the server sends at most. */
const DEEPEST = 256;

const VERTEX = `#version 300 es
in vec2 corner;
out vec2 place;
uniform vec2 reach; // of the view to the right and down
void main() {
  place = (corner * 2.0 - 1.0) * vec2(reach.x, -reach.y);
  gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
precision highp int;
precision highp usampler3D;
in vec2 place;
out vec4 color;
uniform usampler3D labels;
uniform sampler2D palette;
uniform mat3 turned;     // from the view (right, down, away) to the volume
uniform vec3 box;        // half of the volume in space: its corners are 1 from its middle
uniform ivec3 low, high; // voxels that are not cut away
vec4 entry(ivec3 at) {
  return texelFetch(palette, ivec2(texelFetch(labels, at, 0).r, 0), 0);
}
float solid(ivec3 at) {
  return any(lessThan(at, low)) || any(greaterThanEqual(at, high)) ? 0.0 : entry(at).a;
}
float filled(vec3 at) { // how much of a voxel's room around a place is shown
  vec3 part = fract(at - 0.5);
  ivec3 first = ivec3(floor(at - 0.5));
  float sum = 0.0;
  for (int corner = 0; corner < 8; ++corner) {
    ivec3 by = ivec3(corner & 1, corner >> 1 & 1, corner >> 2);
    vec3 share = mix(1.0 - part, part, vec3(by));
    sum += share.x * share.y * share.z * solid(first + by);
  }
  return sum;
}
vec3 outwards(vec3 at, vec3 scale) {
  vec3 found;
  for (int axis = 0; axis < 3; ++axis) {
    vec3 by = vec3(0.0);
    by[axis] = 1.25;
    found[axis] = (filled(at - by) - filled(at + by)) * scale[axis];
  }
  return found;
}
void main() {
  vec3 scale = vec3(textureSize(labels, 0)) / (2.0 * box);
  vec3 start = (turned * vec3(place, -2.0) + box) * scale, way = turned * vec3(0.0, 0.0, 1.0) * scale;
  way = mix(way, vec3(1e-5), lessThan(abs(way), vec3(1e-5)));
  vec3 one = (vec3(low) - start) / way, other = (vec3(high) - start) / way;
  vec3 first = min(one, other), last = max(one, other);
  float at = max(max(first.x, first.y), first.z), end = min(min(last.x, last.y), last.z);
  if (at >= end) discard;
  ivec3 voxel = clamp(ivec3(floor(start + way * (at + 1e-4))), low, high - 1), to = ivec3(sign(way));
  vec3 next = (vec3(voxel) + max(vec3(to), 0.0) - start) / way, across = abs(1.0 / way);
  vec4 here = entry(voxel);
  bool cut = here.a > 0.5;
  // Nothing more in this loop: in software both ways of a branch are gone through at each step.
  for (int count = 0; count < ${3 * DEEPEST} && here.a < 0.5; ++count) {
    bvec3 nearest = bvec3(next.x <= next.y && next.x <= next.z, next.y < next.x && next.y <= next.z,
      next.z < next.x && next.z < next.y);
    at = min(min(next.x, next.y), next.z);
    if (at > end - 1e-5) break;
    voxel += to * ivec3(nearest);
    next += across * vec3(nearest);
    here = entry(voxel);
  }
  if (here.a < 0.5) discard;
  vec3 lamp = turned * normalize(vec3(-0.4, -0.5, -1.0));
  float light = dot(normalize(outwards(start + way * at, scale) + 1e-6 * lamp), lamp);
  color = vec4(here.rgb * (cut ? 0.95 : 0.25 + 0.75 * max(0.0, light)), 1.0);
}`;

/** @typedef {[number, number, number]} Triple across the page, down and into it */

export class Rays {
  /** @param {HTMLCanvasElement} canvas @param {Triple} box half of the volume in space */
  constructor(canvas, box) {
    const gl = canvas.getContext('webgl2', { alpha: true, antialias: false, preserveDrawingBuffer: true });
    if (!gl) throw new Error('this browser has no WebGL2; use a newer one');
    this.gl = gl;
    this.program = linked(gl, VERTEX, FRAGMENT);
    gl.uniform3f(this.#at('box'), ...box);
    for (const [unit, kind, name] of /** @type {[number, number, string][]} */ (
      [[0, gl.TEXTURE_3D, 'labels'], [1, gl.TEXTURE_2D, 'palette']])) {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(kind, gl.createTexture());
      gl.texParameteri(kind, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
      gl.texParameteri(kind, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
      gl.uniform1i(this.#at(name), unit);
    }
  }

  /** @param {string} name */
  #at(name) {
    return this.gl.getUniformLocation(this.program, name);
  }

  /** @param {Uint8Array} labels @param {Triple} counts */
  setLabels(labels, [across, down, into]) {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE0);
    gl.texImage3D(gl.TEXTURE_3D, 0, gl.R8UI, across, down, into, 0, gl.RED_INTEGER, gl.UNSIGNED_BYTE, labels);
  }

  /** @param {Uint8Array} colors of 256 labels */
  setPalette(colors) {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE1);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, colors);
  }

  /**
   * @param {Triple[]} turn the axes of the view in those of the volume
   * @param {[number, number]} reach @param {Triple} low @param {Triple} high
   */
  draw(turn, reach, low, high) {
    const { gl } = this;
    gl.viewport(0, 0, gl.drawingBufferWidth, gl.drawingBufferHeight);
    gl.uniformMatrix3fv(this.#at('turned'), false, turn.flat());
    gl.uniform2f(this.#at('reach'), ...reach);
    gl.uniform3i(this.#at('low'), ...low);
    gl.uniform3i(this.#at('high'), ...high);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }
}
