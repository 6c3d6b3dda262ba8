/** The last five minutes: pages allocated above the line, reclaimed below it, pressure along the foot. */

import { sharpen, themed } from './paint.js';

const SLOTS = 300;
const SLOT_MILLIS = 1000;

/** A rate is told of the last second at least: frames come at uneven times. */
const RATE_MILLIS = 1000;

export class Strip {
  /** By the second, counted as the page's own clock does. */
  #slots = new Map();

  /** The counters as frames told them, from one that is old enough for a rate to the last one. */
  #told = [];

  constructor(canvas) {
    this.canvas = canvas;
  }

  /** What comes next is not compared with what came before: a connection begins. */
  forgetCounters() {
    this.#told = [];
  }

  /**
   * Takes the counters of a frame over.
   *
   * @param serverMillis when the server read them, by its own clock
   */
  take(totals, pressure, serverMillis) {
    const now = {
      at: serverMillis, allocated: totals.allocated, reclaimed: reclaimedPages(totals),
    };
    const last = this.#told.at(-1);
    const end = performance.now();
    if (last) this.#spread(last, now, end);
    this.#told.push(now);
    while (this.#told.length > 2 && now.at - this.#told[1].at >= RATE_MILLIS) this.#told.shift();
    const current = this.#slot(Math.floor(end / SLOT_MILLIS));
    current.pressure = Math.max(current.pressure, pressure);
    for (const second of this.#slots.keys()) {
      if (second <= Math.floor(end / SLOT_MILLIS) - SLOTS) this.#slots.delete(second);
    }
  }

  /** Gives each second its part of what two frames tell of the time between them. */
  #spread(last, now, end) {
    const elapsed = Math.max(1, now.at - last.at);
    const first = Math.max(end - elapsed, end - SLOTS * SLOT_MILLIS);
    for (let from = first; from < end;) {
      const second = Math.floor(from / SLOT_MILLIS);
      const to = Math.min(end, (second + 1) * SLOT_MILLIS);
      const part = (to - from) / elapsed;
      const slot = this.#slot(second);
      slot.allocated += (now.allocated - last.allocated) * part;
      slot.reclaimed += (now.reclaimed - last.reclaimed) * part;
      from = to;
    }
  }

  #slot(second) {
    if (!this.#slots.has(second)) {
      this.#slots.set(second, { second, allocated: 0, reclaimed: 0, pressure: 0 });
    }
    return this.#slots.get(second);
  }

  /** Pages a second, by the time between the frames that tell it. */
  rates() {
    const [first, last] = [this.#told[0], this.#told.at(-1)];
    if (!first || first === last) return { allocated: 0, reclaimed: 0 };
    const seconds = Math.max(1, last.at - first.at) / 1000;
    return {
      allocated: Math.round((last.allocated - first.allocated) / seconds),
      reclaimed: Math.round((last.reclaimed - first.reclaimed) / seconds),
    };
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (width === 0) return;
    const context = sharpen(this.canvas, width, height);
    const foot = 8;
    const middle = Math.round((height - foot) / 2);
    const slots = [...this.#slots.values()];
    const most = Math.round(Math.max(16, ...slots.map(s => Math.max(s.allocated, s.reclaimed))));
    const scale = pages => Math.ceil((Math.sqrt(pages) / Math.sqrt(most)) * (middle - 12));
    const now = Math.floor(performance.now() / SLOT_MILLIS);
    const step = width / SLOTS;
    context.strokeStyle = themed('--line');
    for (let minute = 1; minute < 5; minute++) {
      const x = Math.round(width - (minute * 60 * width) / SLOTS) + 0.5;
      context.beginPath();
      context.moveTo(x, 0);
      context.lineTo(x, height);
      context.stroke();
    }
    for (const slot of slots) {
      const x = width - (now - slot.second + 1) * step;
      const wide = Math.max(1, step);
      context.fillStyle = themed('--used');
      context.fillRect(x, middle - scale(slot.allocated), wide, scale(slot.allocated));
      context.fillStyle = themed('--reclaimed');
      context.fillRect(x, middle + 1, wide, scale(slot.reclaimed));
      context.fillStyle = themed(`--pressure-${slot.pressure}`);
      context.fillRect(x, height - foot + 2, wide, foot - 2);
    }
    context.strokeStyle = themed('--line-strong');
    context.beginPath();
    context.moveTo(0, middle + 0.5);
    context.lineTo(width, middle + 0.5);
    context.stroke();
    context.fillStyle = themed('--ink-soft');
    context.font = '11px system-ui, sans-serif';
    context.fillText(`${most} a second`, 4, 12);
    context.textAlign = 'right';
    context.fillText('now', width - 4, 12);
    context.textAlign = 'left';
  }
}

/** Pages reclaimed for any reason; those of ended sessions are no reclaim. */
export function reclaimedPages(totals) {
  return Object.values(totals.reclaimed).reduce((sum, pages) => sum + pages, 0)
    - (totals.reclaimed.close ?? 0);
}
