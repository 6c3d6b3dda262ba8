/** The events of the server, over a connection that comes back by itself. */

const RETRY_MILLIS = 1000;
const FULL_RETRY_MILLIS = 5000;

/** Silence after which a connection counts as lost: a server that lives says something each second or so. */
const SILENCE_MILLIS = 15000;

export class Stream {
  /**
   * @param told.hello a connection begins, everything will be told anew
   * @param told.frame something changed
   * @param told.state how it stands: live, away, refused or full
   */
  constructor(told) {
    this.told = told;
    this.source = null;
    this.heard = 0;
    setInterval(() => this.#watchSilence(), 5000);
    this.#connect();
  }

  #connect() {
    const source = new EventSource('/events');
    this.source = source;
    this.heard = performance.now();
    source.addEventListener('hello', event => {
      this.heard = performance.now();
      this.told.hello(JSON.parse(event.data));
      this.told.state('live');
    });
    source.addEventListener('tide', event => {
      this.heard = performance.now();
      this.told.frame(JSON.parse(event.data));
    });
    source.addEventListener('error', () => this.#lost());
  }

  #watchSilence() {
    if (this.source && performance.now() - this.heard > SILENCE_MILLIS) this.#lost();
  }

  /** An EventSource does not say why it failed: ask. */
  async #lost() {
    if (!this.source) return;
    this.source.close();
    this.source = null;
    let state = 'away';
    try {
      const answer = await fetch('/events', { method: 'HEAD', cache: 'no-store' });
      if (answer.status === 403 || answer.status === 421) state = 'refused';
      if (answer.status === 503) state = 'full';
    } catch {
      // Nobody answers.
    }
    this.told.state(state);
    setTimeout(() => this.#connect(), state === 'away' ? RETRY_MILLIS : FULL_RETRY_MILLIS);
  }
}
