/** Paints grids of pages: a pixel a page, or a square a page where one is looked at closely. */

import {
  AVAILABLE, CONTRADICTION, RECLAIMED, RECLAIM_SHOWN_MILLIS, UNTOLD, USED,
} from './tide.js';

/** Shades of AVAILABLE, from just stopped to about to be reclaimed. */
const SHADES = 16;

/** Pages are compared with the oldest there is, or with one that has been AVAILABLE for so long. */
const MIN_PALEST_MILLIS = 30 * 1000;

const style = getComputedStyle(document.documentElement);
let palette;

/** The colours of the style sheet as they are now; the style sheet is where they are chosen. */
function colours() {
  if (palette) return palette;
  const named = name => rgb(style.getPropertyValue(name).trim());
  const fresh = named('--available');
  const pale = named('--available-pale');
  palette = {
    free: named('--free'),
    used: named('--used'),
    reclaimed: named('--reclaimed'),
    contradiction: named('--contradiction'),
    untold: named('--untold'),
    available: Array.from({ length: SHADES }, (_, i) => mix(fresh, pale, i / (SHADES - 1))),
  };
  return palette;
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  palette = undefined;
});

function rgb(hex) {
  return [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16));
}

function mix(from, to, part) {
  return from.map((value, i) => Math.round(value + (to[i] - value) * part));
}

/** Whether motion is unwelcome; asked each time, for the answer may change. */
const still = matchMedia('(prefers-reduced-motion: reduce)');

/**
 * The colour of a run of pages of one kind and age.
 *
 * @param oldestMillis how old the oldest AVAILABLE page of all ranges is: that one is the palest
 */
export function colour(kind, ageMillis, oldestMillis) {
  const c = colours();
  switch (kind) {
    case USED:
      return c.used;
    case CONTRADICTION:
      return c.contradiction;
    case UNTOLD:
      return c.untold;
    case AVAILABLE:
      return c.available[shade(ageMillis, oldestMillis)];
    case RECLAIMED: {
      const part = ageMillis / RECLAIM_SHOWN_MILLIS;
      if (part >= 1) return c.free;
      return still.matches ? c.reclaimed : mix(c.reclaimed, c.free, part * part);
    }
    default:
      return c.free;
  }
}

/** By the logarithm of the age: the first seconds show, and so do the last hours. */
function shade(ageMillis, oldestMillis) {
  const palest = Math.max(MIN_PALEST_MILLIS, oldestMillis);
  const part = Math.log1p(ageMillis / 1000) / Math.log1p(palest / 1000);
  return Math.min(SHADES - 1, Math.floor(part * SHADES));
}

/** How many columns a grid of so many pages has. */
export function columns(pages) {
  if (pages <= 64) return Math.min(pages, 16);
  if (pages <= 1024) return 32;
  return 2 ** Math.ceil(Math.log2(pages) / 2);
}

/**
 * Paints a range, a pixel a page; the style sheet makes squares of them.
 *
 * @returns {boolean} whether it will look different soon though nothing changes
 */
export function paintPixels(canvas, range, tide, oldestMillis) {
  const cols = columns(range.pages);
  const rows = Math.ceil(range.pages / cols);
  if (canvas.width !== cols || canvas.height !== rows) {
    canvas.width = cols;
    canvas.height = rows;
  }
  const context = canvas.getContext('2d');
  const image = context.createImageData(cols, rows);
  const pixels = new Uint32Array(image.data.buffer);
  const now = tide.now();
  let fading = false;
  for (const run of range.runs) {
    const age = tide.age(run.tick, now);
    const [r, g, b] = colour(run.kind, age, oldestMillis);
    pixels.fill(0xff000000 | (b << 16) | (g << 8) | r, run.start, run.end);
    fading ||= run.kind === RECLAIMED && age < RECLAIM_SHOWN_MILLIS;
  }
  context.putImageData(image, 0, 0);
  return fading;
}

/** A colour as style sheets write it. */
export function css([r, g, b]) {
  return `rgb(${r} ${g} ${b})`;
}

/** Makes a canvas as sharp as the screen; returns its context, in units of the style sheet. */
export function sharpen(canvas, width, height) {
  const ratio = devicePixelRatio || 1;
  const w = Math.round(width * ratio);
  const h = Math.round(height * ratio);
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
  }
  const context = canvas.getContext('2d');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** A colour of the style sheet. */
export function themed(name) {
  return style.getPropertyValue(name).trim();
}
