/** The tide map: wires what the server tells to what is seen of it. */

import { Cards } from './cards.js';
import { Detail } from './detail.js';
import { Stream } from './stream.js';
import { Strip, reclaimedPages } from './strip.js';
import { Sessions } from './table.js';
import { Tank } from './tank.js';
import { Tide } from './tide.js';
import { count, pages, size, trigger } from './words.js';

const find = id => document.getElementById(id);

const STATES = {
  connecting: 'Connecting…',
  live: 'Live',
  silent: 'Nothing comes from the server: it is stopped, or has too much to do. This page goes on by itself.',
  away: 'The server is away. This page goes on by itself when it is back.',
  refused: 'This page’s key is not this server’s. Open the map= URL of its ready line.',
  full: 'As many pages watch as the server allows. Close one; this page tries again.',
  broken: 'This page failed to take over what the server told. It starts over.',
  unpainted: 'This page failed to draw a part of what it shows; it tries again.',
};

/** How often what is read out, and the table, is brought up to date. */
const TABLE_MILLIS = 500;
const LONG_TABLE_MILLIS = 2000;
const LONG_TABLE = 100;
const SUMMARY_MILLIS = 15000;
const RECLAIMS_LISTED = 6;

const tide = new Tide();
const detail = new Detail(find('detail'), tide);
const cards = new Cards(find('map'), tide, id => detail.open(id));
const sessions = new Sessions(find('sessions'), tide, id => detail.open(id));
const tank = new Tank(find('tank'));
const strip = new Strip(find('strip'));

let instance = null;
let fresh = true;
let lastReclaimed = null;
let lastTable = 0;
let lastStrip = 0;
let lastSummary = 0;
let state = 'connecting';

/** The parts of the page that could not be drawn when that was last tried, and why. */
const unpainted = new Map();

new Stream({
  hello(hello) {
    if (instance !== null && instance !== hello.instance) {
      note('the server was started again');
    }
    // A first frame is compared with nothing: what came before it may have taken hours.
    strip.forgetCounters();
    lastReclaimed = null;
    instance = hello.instance;
    tide.pageSize = hello.pageSize;
    fresh = true;
  },
  frame(frame) {
    if (fresh) {
      // A connection's first frames tell everything, and what they do not tell is no more.
      fresh = false;
      cards.clear();
      tide.forget();
    }
    const what = tide.take(frame);
    cards.take(what);
    detail.take(what);
    strip.take(tide.totals, pressure().level, frame.now);
    showTotals();
    listReclaims();
  },
  state(now) {
    state = now;
    showConnection();
  },
});

/** "Live" is only what is told, and drawn. */
function showConnection() {
  const shown = state === 'live' && unpainted.size > 0 ? 'unpainted' : state;
  find('connection').dataset.state = shown;
  find('connection').textContent = STATES[shown];
  document.body.classList.toggle('stale', shown !== 'live');
}

function pressure() {
  const sources = Object.entries(tide.totals.pressure ?? {});
  const level = Math.max(0, ...sources.map(([, number]) => number));
  return { level, source: sources.find(([, number]) => number === level && level > 0)?.[0] };
}

function showTotals() {
  const totals = tide.totals;
  const bytes = number => size(number * tide.pageSize);
  find('budget').textContent = `of ${bytes(totals.budget)}`;
  find('figure-resident').textContent = bytes(totals.resident);
  find('figure-used').textContent = bytes(totals.used);
  find('figure-available').textContent = bytes(totals.available);
  find('figure-waiting').textContent = count(totals.waiting);
  find('tank').setAttribute('aria-label', Tank.describe(totals, tide.pageSize));
  find('map-empty').hidden = totals.sessions > 0;
  const hidden = totals.sessions - totals.shown;
  find('map-note').textContent = `${count(totals.sessions)} ${totals.sessions === 1 ? 'range' : 'ranges'}, ${pages(totals.pages)}`
    + (hidden > 0 ? `; the first ${count(totals.shown)} are shown` : '');
  const { level, source } = pressure();
  find('pressure').textContent = totals.pressure
    ? ['none', 'low', 'medium', 'critical'][level] + (source ? ` (${source})` : '') : 'not listened to';
  find('pressure-key').dataset.level = level;
  Object.assign(document.body.dataset, {
    sessions: totals.sessions, used: totals.used, available: totals.available,
    reclaimed: reclaimedPages(totals),
  });
}

/** Lists what was reclaimed since the last frame of this connection, by reason. */
function listReclaims() {
  const now = tide.totals.reclaimed;
  if (lastReclaimed) {
    for (const [name, total] of Object.entries(now)) {
      const taken = total - (lastReclaimed[name] ?? 0);
      if (taken > 0 && name !== 'close') note(`${pages(taken)}: ${trigger(name)}`);
    }
  }
  lastReclaimed = now;
}

function note(text) {
  const list = find('reclaims');
  list.querySelector('.none')?.remove();
  const item = document.createElement('li');
  const time = document.createElement('time');
  time.textContent = new Date().toLocaleTimeString('en-GB');
  item.append(time, ` ${text}`);
  list.prepend(item);
  while (list.children.length > RECLAIMS_LISTED) list.lastElementChild.remove();
}

/** Draws a part of the page. If that fails, the page says so; the others go on, and this one is tried again. */
function attempt(part, work) {
  const before = unpainted.get(part);
  try {
    work();
    if (unpainted.delete(part)) showConnection();
  } catch (error) {
    if (before === String(error)) return;
    console.error(`${part}:`, error);
    unpainted.set(part, String(error));
    showConnection();
  }
}

function draw(now) {
  requestAnimationFrame(draw);
  attempt('tank', () => tank.draw(tide.totals));
  attempt('cards', () => cards.draw());
  attempt('detail', () => detail.draw());
  if (now - lastTable > (tide.ranges.size > LONG_TABLE ? LONG_TABLE_MILLIS : TABLE_MILLIS)) {
    lastTable = now;
    attempt('sessions', () => sessions.draw());
  }
  if (now - lastStrip > TABLE_MILLIS) {
    lastStrip = now;
    attempt('strip', () => drawStrip());
  }
  if (tide.totals && state === 'live' && now - lastSummary > SUMMARY_MILLIS) {
    lastSummary = now;
    attempt('summary', () => tellSummary());
  }
}

function drawStrip() {
  strip.draw();
  const rates = strip.rates();
  find('rate-allocated').textContent = count(rates.allocated);
  find('rate-reclaimed').textContent = count(rates.reclaimed);
}

function tellSummary() {
  const text = `${Tank.describe(tide.totals, tide.pageSize)}; ${count(tide.totals.sessions)} sessions.`;
  if (find('summary').textContent !== text) find('summary').textContent = text;
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  cards.repaint();
  lastStrip = 0;
});
requestAnimationFrame(draw);
