/** Numbers, sizes and times in words. Pure. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/** 1536 → "1.5 KiB"; rounded down, as `pagetide top` does. */
export function size(bytes) {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const shown = value < 10 ? Math.floor(value * 10) / 10 : Math.floor(value);
  return `${shown} ${UNITS[unit]}`;
}

/** Made once: asking each number for its locale string makes one each time. */
const GROUPED = new Intl.NumberFormat('en');

/** 12345 → "12,345". */
export function count(number) {
  return number < 1000 ? String(number) : GROUPED.format(number);
}

/** 1 → "1 page", 2 → "2 pages". */
export function pages(number) {
  return `${count(number)} ${number === 1 ? 'page' : 'pages'}`;
}

/** Milliseconds as "0.4 s", "12 s", "3 min", "2 h", "5 d". */
export function age(millis) {
  const seconds = Math.max(0, millis) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

/** What a range is called: its name, or its number where it has none. */
export function title(range) {
  return range.name === '' ? `range ${range.id}` : range.name;
}

/** A range in a sentence. */
export function sentence(range) {
  return `${title(range)}: ${count(range.used)} USED, ${count(range.available)} AVAILABLE, `
    + `${count(range.pages - range.used - range.available)} FREE of ${pages(range.pages)}`;
}

const TRIGGERS = {
  budget: 'a use needed room below a limit',
  watermark: 'above the high watermark',
  psi_some: 'tasks stalled for want of memory',
  psi_full: 'all tasks stalled for want of memory',
  cgroup: 'the control group ran short',
  memavailable: 'the machine ran short of memory',
  request: 'the operator asked',
  waiter: 'somebody waits for memory',
};

/** Why pages were reclaimed. */
export function trigger(name) {
  return TRIGGERS[name] ?? name;
}
