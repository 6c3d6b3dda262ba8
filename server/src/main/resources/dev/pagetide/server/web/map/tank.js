/** The budget as a tank: USED at the bottom, AVAILABLE above it, and the marks where reclaim begins and ends. */

import { sharpen, themed } from './paint.js';
import { count, size } from './words.js';

const still = matchMedia('(prefers-reduced-motion: reduce)');

export class Tank {
  #levels = { used: 0, available: 0, other: 0 };

  constructor(canvas) {
    this.canvas = canvas;
  }

  /** Draws what the totals say; half way there at each call, so the level is seen to move. */
  draw(totals) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!totals || width === 0) return;
    const budget = Math.max(1, totals.budget);
    const wanted = {
      used: totals.used / budget,
      available: totals.available / budget,
      other: Math.max(0, totals.resident - totals.used - totals.available) / budget,
    };
    for (const [name, level] of Object.entries(wanted)) {
      const step = still.matches ? 1 : 0.4;
      this.#levels[name] += (level - this.#levels[name]) * step;
    }
    const context = sharpen(this.canvas, width, height);
    context.beginPath();
    context.roundRect(0.5, 0.5, width - 1, height - 1, 10);
    context.fillStyle = themed('--free');
    context.fill();
    context.save();
    context.clip();
    let top = height;
    for (const [name, fill] of [['other', '--bookkeeping'], ['used', '--used'], ['available', '--available']]) {
      const tall = this.#levels[name] * height;
      context.fillStyle = themed(fill);
      context.fillRect(0, top - tall, width, tall);
      top -= tall;
    }
    this.#surface(context, width, top, height);
    for (const mark of [totals.low, totals.high]) {
      if (mark <= 0 || mark > budget) continue;
      const y = Math.round(height - (mark / budget) * height) + 0.5;
      context.setLineDash([4, 4]);
      context.strokeStyle = themed('--ink-soft');
      context.beginPath();
      context.moveTo(0, y);
      context.lineTo(width, y);
      context.stroke();
    }
    context.restore();
    context.strokeStyle = themed('--line-strong');
    context.beginPath();
    context.roundRect(0.5, 0.5, width - 1, height - 1, 10);
    context.stroke();
  }

  /** A ripple on the surface: water, not a bar. */
  #surface(context, width, top, height) {
    if (top >= height - 1) return;
    const time = still.matches ? 0 : performance.now() / 900;
    context.beginPath();
    for (let x = 0; x <= width; x += 3) {
      context.lineTo(x, top + 1.5 * Math.sin(x / 14 + time));
    }
    context.lineWidth = 2;
    context.strokeStyle = themed('--surface');
    context.stroke();
    context.lineWidth = 1;
  }

  /** The same in words. */
  static describe(totals, pageSize) {
    const percent = Math.floor((100 * totals.resident) / Math.max(1, totals.budget));
    return `${percent} % of the budget of ${size(totals.budget * pageSize)} is resident: `
      + `${count(totals.used)} pages USED, ${count(totals.available)} AVAILABLE`;
  }
}
