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

/** Pages that are counted only: a range that has too many runs is told up to some page. */
export const UNTOLD = 5;

export const KIND_NAMES = [
  'FREE', 'AVAILABLE', 'USED', 'contradiction', 'FREE, just reclaimed', 'counted, not shown',
];

/** Milliseconds in a tick: stamps are told in units of 2^28 ns. */
const TICK_MILLIS = 2 ** 28 / 1e6;

/** How long a reclaimed page is shown as such. */
export const RECLAIM_SHOWN_MILLIS = 1600;

export class Tide {
  constructor() {
    this.ranges = new Map();

    /** Ids of all ranges that are shown, those included that the next frames tell of. */
    this.live = new Set();
    this.totals = null;
    this.offset = 0;
    this.pageSize = 4096;
  }

  /** The server's clock, in milliseconds. */
  now() {
    return performance.now() + this.offset;
  }

  /** Forgets all ranges: a connection's first frames tell everything. */
  forget() {
    this.ranges.clear();
    this.live.clear();
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
      this.live = new Set(frame.live);
      for (const id of this.ranges.keys()) {
        if (!this.live.has(id)) {
          this.ranges.delete(id);
          gone.push(id);
        }
      }
    }
    for (const told of frame.ranges) {
      const known = this.ranges.get(told.id);
      if (!known && told.pages === undefined) {
        throw new Error(`range ${told.id} came without its name and size`);
      }
      this.ranges.set(told.id, Object.assign(known ?? {}, told, decode(told.id, told.runs)));
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

/** The run that a page of a range is in. */
export function runAt(range, page) {
  let [low, high] = [0, range.runs.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (range.runs[middle].end <= page) low = middle + 1;
    else high = middle;
  }
  return range.runs[low];
}

/** The runs of a range's pages, as the server encoded them. */
function decode(id, text) {
  const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
  const runs = [];
  let oldestTick = Infinity;
  let untold = 0;
  let at = 0;
  let page = 0;
  const number = () => {
    let value = 0;
    for (let scale = 1; at < bytes.length; scale *= 128) {
      const byte = bytes[at++];
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw new Error(`the runs of range ${id} end within a number`);
  };
  while (at < bytes.length) {
    const head = number();
    const kind = head % 8;
    const end = page + Math.floor(head / 8);
    const tick = kind === AVAILABLE || kind === RECLAIMED ? number() : 0;
    if (kind === AVAILABLE) oldestTick = Math.min(oldestTick, tick);
    if (kind === UNTOLD) untold += end - page;
    runs.push({ start: page, end, kind, tick });
    page = end;
  }
  return { runs, oldestTick, untold };
}
