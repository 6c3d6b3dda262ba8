/** The sessions as a table, sorted by whatever column its reader likes. */

import { age, count, size } from './words.js';

const COLUMNS = [
  { key: 'id', label: 'range', number: true, value: r => r.id, text: r => String(r.id) },
  { key: 'name', label: 'name', value: r => r.name, text: r => r.name || '–' },
  { key: 'pid', label: 'pid', number: true, value: r => r.pid, text: r => (r.pid ? String(r.pid) : '–') },
  { key: 'uid', label: 'uid', number: true, value: r => r.uid, text: r => (r.uid < 0 ? '–' : String(r.uid)) },
  { key: 'mode', label: 'mode', value: r => r.mode, text: r => r.mode.toLowerCase() },
  { key: 'size', label: 'size', number: true, value: r => r.pages, text: (r, t) => size(r.pages * t.pageSize) },
  { key: 'used', label: 'USED', number: true, value: r => r.used, text: r => count(r.used) },
  { key: 'available', label: 'AVAILABLE', number: true, value: r => r.available, text: r => count(r.available) },
  { key: 'high', label: 'highest page', number: true, value: r => r.high, text: r => (r.high === 0 ? '–' : count(r.high - 1)) },
  { key: 'strays', label: 'strays', number: true, value: r => r.strays, text: r => count(r.strays), warn: true },
  { key: 'contradictions', label: 'contradictions', number: true, value: r => r.contradictions, text: r => count(r.contradictions), warn: true },
  { key: 'usedSince', label: 'oldest USED', number: true, value: r => (r.usedSince < 0 || r.used === 0 ? -1 : -r.usedSince + 1e12), text: (r, t) => (r.usedSince < 0 || r.used === 0 ? '–' : age(t.age(r.usedSince, t.now()))) },
  { key: 'opened', label: 'open for', number: true, value: r => -r.opened, text: r => age(Date.now() - r.opened) },
];

export class Sessions {
  #rows = new Map();
  #sort = { key: 'id', descending: false };
  #headers = new Map();

  constructor(table, tide, open) {
    this.body = table.tBodies[0];
    this.tide = tide;
    const head = table.tHead.rows[0];
    for (const column of COLUMNS) {
      const header = document.createElement('th');
      header.scope = 'col';
      header.className = column.number ? 'number' : '';
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = column.label;
      button.addEventListener('click', () => this.#sortBy(column));
      header.append(button);
      head.append(header);
      this.#headers.set(column.key, header);
    }
    this.#showSort();
    this.body.addEventListener('click', event => {
      const link = event.target.closest('button');
      if (link) open(Number(link.closest('tr').dataset.range));
    });
  }

  /** Shows what is known now; to be called about once a second. */
  draw() {
    for (const [id, row] of this.#rows) {
      if (!this.tide.ranges.has(id)) {
        row.element.remove();
        this.#rows.delete(id);
      }
    }
    for (const range of this.tide.ranges.values()) {
      this.#fill(this.#rows.get(range.id) ?? this.#add(range), range);
    }
    this.#order();
  }

  #add(range) {
    const element = document.createElement('tr');
    element.dataset.range = range.id;
    const cells = COLUMNS.map(column => {
      const cell = document.createElement(column.key === 'name' ? 'th' : 'td');
      if (column.key === 'name') {
        cell.scope = 'row';
        const button = document.createElement('button');
        button.type = 'button';
        button.className = 'link';
        cell.append(button);
        element.append(cell);
        return button;
      }
      cell.className = column.number ? 'number' : '';
      element.append(cell);
      return cell;
    });
    const row = { element, cells, texts: [] };
    this.#rows.set(range.id, row);
    this.body.append(element);
    return row;
  }

  #fill(row, range) {
    COLUMNS.forEach((column, i) => {
      const text = column.key === 'name' && !range.name
        ? `range ${range.id}` : column.text(range, this.tide);
      if (row.texts[i] === text) return;
      row.texts[i] = text;
      row.cells[i].textContent = text;
      if (column.warn) row.cells[i].classList.toggle('warn', column.value(range) > 0);
    });
  }

  #sortBy(column) {
    const same = this.#sort.key === column.key;
    this.#sort = { key: column.key, descending: same ? !this.#sort.descending : column.number && column.key !== 'id' };
    this.#showSort();
    this.#order();
  }

  #showSort() {
    for (const [key, header] of this.#headers) {
      if (key === this.#sort.key) {
        header.setAttribute('aria-sort', this.#sort.descending ? 'descending' : 'ascending');
      } else {
        header.removeAttribute('aria-sort');
      }
    }
  }

  #order() {
    const column = COLUMNS.find(c => c.key === this.#sort.key);
    const sign = this.#sort.descending ? -1 : 1;
    const wanted = [...this.tide.ranges.values()].sort((a, b) => {
      const [x, y] = [column.value(a), column.value(b)];
      const order = typeof x === 'string' ? x.localeCompare(y) : x - y;
      return order === 0 ? a.id - b.id : sign * order;
    });
    // Rows that stand where they should are not touched: moving one takes the focus from it.
    let place = this.body.firstElementChild;
    for (const range of wanted) {
      const row = this.#rows.get(range.id)?.element;
      if (!row) continue;
      if (row === place) place = place.nextElementSibling;
      else this.body.insertBefore(row, place);
    }
  }
}
