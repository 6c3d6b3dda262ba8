/**
 * What the server told: totals, and of each range the state of its pages.
 *
 * Frames carry only what changed, so they are to be taken in order from a connection's first one on.
 */

/** How a page looks; the numbers are the protocol's. */
export const FREE = 0;
export const AVAILABLE = 1;
export const USED = 2;
export const CONTRADICTION = 3;
export const RECLAIMED = 4;

export const KIND_NAMES = ['FREE', 'AVAILABLE', 'USED', 'contradiction', 'FREE, just reclaimed'];

/** Milliseconds in a tick: stamps are told in units of 2^28 ns. */
const TICK_MILLIS = 2 ** 28 / 1e6;

/** How long a reclaimed page is shown as such. */
export const RECLAIM_SHOWN_MILLIS = 1600;

export class Tide {
  constructor() {
    this.ranges = new Map();
    this.totals = null;
    this.offset = 0;
    this.pageSize = 4096;
  }

  /** The server's clock, in milliseconds. */
  now() {
    return performance.now() + this.offset;
  }

  /**
   * Takes a frame over.
   *
   * @returns {{changed: Set<number>, gone: number[]}} ids of ranges
   */
  take(frame) {
    this.offset = frame.now - performance.now();
    this.totals = frame.totals;
    const changed = new Set();
    const gone = [];
    if (frame.live) {
      const live = new Set(frame.live);
      for (const id of this.ranges.keys()) {
        if (!live.has(id)) {
          this.ranges.delete(id);
          gone.push(id);
        }
      }
    }
    for (const told of frame.ranges) {
      const range = Object.assign(this.ranges.get(told.id) ?? {}, told);
      decode(range, told.runs);
      this.ranges.set(told.id, range);
      changed.add(told.id);
    }
    return { changed, gone };
  }

  /** How old the oldest AVAILABLE page is: the next one to be reclaimed. */
  oldestMillis(now) {
    let oldest = Infinity;
    for (const range of this.ranges.values()) oldest = Math.min(oldest, range.oldestTick);
    return oldest === Infinity ? 0 : this.age(oldest, now);
  }

  /** How long ago a tick was, in milliseconds. */
  age(tick, now) {
    return Math.max(0, now - tick * TICK_MILLIS);
  }
}

/** Fills a range's kinds and ticks, one a page, from the runs as the server encodes them. */
function decode(range, text) {
  const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
  range.kinds ??= new Uint8Array(range.pages);
  range.ticks ??= new Float64Array(range.pages);
  range.runs = [];
  range.oldestTick = Infinity;
  let at = 0;
  let page = 0;
  const number = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const head = number();
    const kind = head % 8;
    const end = page + Math.floor(head / 8);
    const tick = kind === AVAILABLE || kind === RECLAIMED ? number() : 0;
    range.kinds.fill(kind, page, end);
    range.ticks.fill(tick, page, end);
    if (kind === AVAILABLE) range.oldestTick = Math.min(range.oldestTick, tick);
    range.runs.push({ start: page, end, kind, tick });
    page = end;
  }
}
