/** The map itself: a card for each range, and in it a grid of its pages. */

import { columns, paintPixels } from './paint.js';
import { AVAILABLE } from './tide.js';
import { count, pages, sentence, size, title } from './words.js';

/** How often pages that only grow older are painted. */
const AGING_MILLIS = 1000;

export class Cards {
  #cards = new Map();
  #dirty = new Set();
  #lastAging = 0;

  /** Cards that are on the screen, or nearly: no other is painted. */
  #seen = new IntersectionObserver(entries => {
    for (const entry of entries) {
      const card = this.#cards.get(Number(entry.target.dataset.range));
      if (!card) continue;
      card.visible = entry.isIntersecting;
      if (card.visible) this.#dirty.add(card.id);
    }
  }, { rootMargin: '200px' });

  constructor(box, tide, open) {
    this.box = box;
    this.tide = tide;
    box.addEventListener('click', event => {
      const card = event.target.closest('.card');
      if (card) open(Number(card.dataset.range));
    });
    box.addEventListener('keydown', event => this.#move(event));
  }

  /** Takes over what a frame changed. */
  take({ changed, gone }) {
    for (const id of gone) {
      const card = this.#cards.get(id);
      if (!card) continue;
      const wasFocused = document.activeElement === card.element;
      this.#seen.unobserve(card.element);
      card.element.remove();
      this.#cards.delete(id);
      this.#dirty.delete(id);
      if (wasFocused) this.box.focus();
    }
    for (const id of [...changed].sort((a, b) => a - b)) {
      const range = this.tide.ranges.get(id);
      const card = this.#cards.get(id) ?? this.#add(range);
      const free = range.pages - range.used - range.available;
      card.element.setAttribute('aria-label', sentence(range));
      Object.assign(card.element.dataset, { used: range.used, available: range.available, free });
      card.used.textContent = count(range.used);
      card.available.textContent = count(range.available);
      card.element.title = range.untold > 0
        ? `${pages(range.pages)}; the last ${count(range.untold)} are counted, not shown` : pages(range.pages);
      if (card.visible) this.#dirty.add(id);
    }
    if (gone.length > 0 || changed.size > 0) {
      this.box.dataset.crowd =
        this.#cards.size <= 8 ? 'few' : this.#cards.size <= 60 ? 'some' : 'many';
      this.#rove();
    }
  }

  /** Forgets all ranges. */
  clear() {
    this.take({ changed: new Set(), gone: [...this.#cards.keys()] });
  }

  /**
   * Paints what is to be painted; to be called once a frame of the screen.
   *
   * A card that cannot be painted is tried again, and keeps no other from being painted.
   */
  draw() {
    const now = performance.now();
    if (now - this.#lastAging > AGING_MILLIS) {
      this.#lastAging = now;
      for (const card of this.#cards.values()) {
        const range = this.tide.ranges.get(card.id);
        if (card.visible && range?.runs.some(run => run.kind === AVAILABLE)) this.#dirty.add(card.id);
      }
    }
    if (this.#dirty.size === 0) return;
    const oldest = this.tide.oldestMillis(this.tide.now());
    const failures = [];
    for (const id of [...this.#dirty]) {
      try {
        this.#paint(this.#cards.get(id), oldest);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  #paint(card, oldest) {
    const fading = paintPixels(card.canvas, this.tide.ranges.get(card.id), this.tide, oldest);
    card.element.classList.toggle('reclaiming', fading);
    if (!fading) this.#dirty.delete(card.id);
  }

  /** Paints all cards again, as after a change of colours. */
  repaint() {
    for (const card of this.#cards.values()) this.#dirty.add(card.id);
  }

  #add(range) {
    const element = document.createElement('button');
    element.type = 'button';
    element.className = 'card';
    element.dataset.range = range.id;
    element.dataset.pages = range.pages;
    const canvas = document.createElement('canvas');
    const grid = document.createElement('span');
    grid.className = 'grid';
    grid.style.setProperty('--columns', columns(range.pages));
    grid.style.setProperty('--rows', Math.ceil(range.pages / columns(range.pages)));
    grid.append(canvas);
    const name = document.createElement('span');
    name.className = 'name';
    name.textContent = title(range);
    name.title = title(range);
    const extent = document.createElement('span');
    extent.className = 'extent';
    extent.textContent = size(range.pages * this.tide.pageSize);
    const numbers = document.createElement('span');
    numbers.className = 'numbers';
    const used = document.createElement('b');
    used.className = 'used';
    const available = document.createElement('b');
    available.className = 'available';
    numbers.append(used, ' USED · ', available, ' AVAILABLE');
    element.append(name, extent, grid, numbers);
    const card = { id: range.id, element, canvas, used, available, visible: false };
    this.#cards.set(range.id, card);
    this.#insert(element, range.id);
    this.#seen.observe(element);
    return card;
  }

  /** By id. A new range has the highest; when the page begins, they are told in another order. */
  #insert(element, id) {
    let before = this.box.lastElementChild;
    while (before && Number(before.dataset.range) > id) before = before.previousElementSibling;
    this.box.insertBefore(element, before ? before.nextElementSibling : this.box.firstElementChild);
  }

  /** One card is reached by Tab, the others from there by arrows. */
  #rove(wanted) {
    const elements = [...this.box.children];
    const current = wanted ?? elements.find(e => e.tabIndex === 0 && e.dataset.roving) ?? elements[0];
    for (const element of elements) {
      element.tabIndex = element === current ? 0 : -1;
      if (element === current) element.dataset.roving = 'here';
      else delete element.dataset.roving;
    }
  }

  #move(event) {
    const from = event.target.closest('.card');
    if (!from) return;
    const elements = [...this.box.children];
    const at = elements.indexOf(from);
    const inRow = elements.filter(e => e.offsetTop === from.offsetTop).length;
    const steps = {
      ArrowLeft: -1, ArrowRight: 1, ArrowUp: -inRow, ArrowDown: inRow,
      Home: -at, End: elements.length - 1 - at,
    };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const to = elements[Math.min(elements.length - 1, Math.max(0, at + step))];
    this.#rove(to);
    to.focus();
  }
}
