/** One range looked at closely: a square a page, what it says under the pointer, and the same as text. */

import { colour, columns, css, sharpen, themed } from './paint.js';
import {
  AVAILABLE, CONTRADICTION, FREE, KIND_NAMES, RECLAIMED, UNTOLD, USED, runAt,
} from './tide.js';
import { age, count, pages, size, title } from './words.js';

/** The text alternative ends here: a range of a million runs is no reading. */
const MAX_RUNS = 500;

export class Detail {
  #id = null;
  #page = 0;
  #cell = 16;

  constructor(dialog, tide) {
    this.dialog = dialog;
    this.tide = tide;
    this.find = name => dialog.querySelector(`#detail-${name}`);
    this.grid = this.find('grid');
    this.find('close').addEventListener('click', () => dialog.close());
    dialog.addEventListener('click', event => {
      if (event.target === dialog) dialog.close();
    });
    dialog.addEventListener('close', () => {
      this.#id = null;
    });
    this.grid.addEventListener('pointermove', event => this.#point(event));
    this.grid.addEventListener('keydown', event => this.#move(event));
  }

  open(id) {
    if (!this.tide.ranges.has(id)) return;
    this.#id = id;
    this.#page = 0;
    this.dialog.showModal();
    this.take({ changed: new Set([id]) });
    this.draw();
  }

  /** Takes over what a frame changed. */
  take({ changed }) {
    if (this.#id === null) return;
    this.find('gone').hidden = this.tide.live.has(this.#id);
    if (!changed.has(this.#id)) return;
    const range = this.tide.ranges.get(this.#id);
    this.find('title').textContent = title(range);
    this.#facts(range);
    this.#runs(range);
  }

  /** Paints the grid; to be called once a frame of the screen. */
  draw() {
    const range = this.tide.ranges.get(this.#id);
    if (!range) return;
    const cols = columns(range.pages);
    const width = this.grid.parentElement.clientWidth - 48;
    this.#cell = Math.max(1, Math.min(28, Math.floor(Math.min(width, 640) / cols)));
    const rows = Math.ceil(range.pages / cols);
    this.grid.style.width = `${cols * this.#cell}px`;
    this.grid.style.height = `${rows * this.#cell}px`;
    const context = sharpen(this.grid, cols * this.#cell, rows * this.#cell);
    const now = this.tide.now();
    const oldest = this.tide.oldestMillis(now);
    for (const run of range.runs) {
      context.fillStyle = css(colour(run.kind, this.tide.age(run.tick, now), oldest));
      for (let page = run.start; page < run.end; page++) this.#square(context, page, cols, run.kind);
    }
    this.#mark(context, cols);
    this.find('page').textContent = this.#say(range);
  }

  /** A shape for each state, so that colour is not needed to tell them apart. */
  #square(context, page, cols, kind) {
    const cell = this.#cell;
    const x = (page % cols) * cell;
    const y = Math.floor(page / cols) * cell;
    const gap = cell >= 6 ? 1 : 0;
    context.fillRect(x, y, cell - gap, cell - gap);
    if (cell < 10) return;
    const fill = context.fillStyle;
    if (kind === USED) {
      context.fillStyle = themed('--glyph-used');
      context.fillRect(x + cell * 0.35, y + cell * 0.35, cell * 0.22, cell * 0.22);
    } else if (kind === AVAILABLE) {
      context.fillStyle = themed('--glyph-available');
      context.fillRect(x + cell * 0.25, y + cell * 0.44, cell * 0.42, Math.max(1, cell * 0.08));
    } else if (kind === CONTRADICTION) {
      context.fillStyle = themed('--glyph-used');
      context.fillRect(x + cell * 0.42, y + cell * 0.2, cell * 0.12, cell * 0.36);
      context.fillRect(x + cell * 0.42, y + cell * 0.66, cell * 0.12, cell * 0.12);
    }
    context.fillStyle = fill;
  }

  #mark(context, cols) {
    context.lineWidth = 2;
    context.strokeStyle = themed('--ink');
    const x = (this.#page % cols) * this.#cell;
    const y = Math.floor(this.#page / cols) * this.#cell;
    context.strokeRect(x + 0.5, y + 0.5, this.#cell - 2, this.#cell - 2);
    context.lineWidth = 1;
  }

  #say(range) {
    const { kind, tick } = runAt(range, this.#page);
    const since = age(this.tide.age(tick, this.tide.now()));
    const what = {
      [FREE]: 'FREE: it holds no memory',
      [AVAILABLE]: `AVAILABLE for ${since}: it keeps its bytes until it is used or reclaimed`,
      [USED]: 'USED: it is never reclaimed',
      [CONTRADICTION]: 'contradiction: it has memory, but its word says FREE (so it counts as FREE) or 3 (USED)',
      [RECLAIMED]: `FREE: reclaimed ${since} ago`,
      [UNTOLD]: 'not shown: this range has more runs of pages than the map tells',
    };
    return `Page ${count(this.#page)} is ${what[kind]}.`;
  }

  #facts(range) {
    const free = range.pages - range.used - range.available;
    const facts = [
      ['range', String(range.id)],
      ['process', range.pid ? `pid ${range.pid}, uid ${range.uid}` : 'by TCP'],
      ['mode', range.mode.toLowerCase()],
      ['size', `${pages(range.pages)}, ${size(range.pages * this.tide.pageSize)}`],
      ['USED', count(range.used)],
      ['AVAILABLE', count(range.available)],
      ['FREE', count(free)],
      ['oldest USED', range.usedSince < 0 || range.used === 0 ? 'none' : `at most ${age(this.tide.age(range.usedSince, this.tide.now()))}`],
      ['highest page ever held', range.high === 0 ? 'none' : count(range.high - 1)],
      ['strays', count(range.strays)],
      ['contradictions', count(range.contradictions)],
      ['opened', new Date(range.opened).toLocaleString()],
    ];
    this.find('facts').replaceChildren(...facts.map(([term, text]) => {
      const pair = document.createElement('div');
      const dt = document.createElement('dt');
      dt.textContent = term;
      const dd = document.createElement('dd');
      dd.textContent = text;
      pair.append(dt, dd);
      return pair;
    }));
  }

  #runs(range) {
    const items = range.runs.slice(0, MAX_RUNS).map(run => {
      const item = document.createElement('li');
      const last = run.end - 1;
      item.textContent = run.start === last
        ? `page ${run.start}: ${KIND_NAMES[run.kind]}`
        : `pages ${run.start} to ${last}: ${KIND_NAMES[run.kind]}`;
      return item;
    });
    if (range.runs.length > MAX_RUNS) {
      const item = document.createElement('li');
      item.textContent = `and ${count(range.runs.length - MAX_RUNS)} runs more`;
      items.push(item);
    }
    this.find('runs').replaceChildren(...items);
  }

  #point(event) {
    const range = this.tide.ranges.get(this.#id);
    if (!range) return;
    const cols = columns(range.pages);
    const page = Math.floor(event.offsetY / this.#cell) * cols + Math.floor(event.offsetX / this.#cell);
    if (page >= 0 && page < range.pages) this.#page = page;
  }

  #move(event) {
    const range = this.tide.ranges.get(this.#id);
    if (!range) return;
    const cols = columns(range.pages);
    const steps = {
      ArrowLeft: -1, ArrowRight: 1, ArrowUp: -cols, ArrowDown: cols,
      Home: -this.#page, End: range.pages - 1 - this.#page,
    };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    this.#page = Math.min(range.pages - 1, Math.max(0, this.#page + step));
  }
}
