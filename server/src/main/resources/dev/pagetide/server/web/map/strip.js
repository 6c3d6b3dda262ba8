/** The last five minutes: pages allocated above the line, reclaimed below it, pressure along the foot. */

import { sharpen, themed } from './paint.js';

const SLOTS = 300;
const SLOT_MILLIS = 1000;

export class Strip {
  #slots = [];
  #last = null;

  constructor(canvas) {
    this.canvas = canvas;
  }

  /** Counters begin anew with a server. */
  forgetCounters() {
    this.#last = null;
  }

  /** Takes the counters of a frame over. */
  take(totals, pressure) {
    const slot = Math.floor(performance.now() / SLOT_MILLIS);
    let current = this.#slots.at(-1);
    if (!current || current.slot !== slot) {
      current = { slot, allocated: 0, reclaimed: 0, pressure: 0 };
      this.#slots.push(current);
      while (this.#slots[0].slot <= slot - SLOTS) this.#slots.shift();
    }
    const now = { allocated: totals.allocated, reclaimed: reclaimedPages(totals) };
    if (this.#last) {
      current.allocated += now.allocated - this.#last.allocated;
      current.reclaimed += now.reclaimed - this.#last.reclaimed;
    }
    current.pressure = Math.max(current.pressure, pressure);
    this.#last = now;
  }

  /** Pages of the last whole second. */
  rates() {
    const slot = Math.floor(performance.now() / SLOT_MILLIS) - 1;
    const last = this.#slots.findLast(s => s.slot === slot);
    return { allocated: last?.allocated ?? 0, reclaimed: last?.reclaimed ?? 0 };
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (width === 0) return;
    const context = sharpen(this.canvas, width, height);
    const foot = 8;
    const middle = Math.round((height - foot) / 2);
    const most = Math.max(16, ...this.#slots.map(s => Math.max(s.allocated, s.reclaimed)));
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
    for (const slot of this.#slots) {
      const x = width - (now - slot.slot + 1) * step;
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
