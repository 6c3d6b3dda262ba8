/** The events of the server, over a connection that comes back by itself. */

const RETRY_MILLIS = 1000;
const SLOW_RETRY_MILLIS = 5000;

/** The server says something each second. After so much silence, what is shown is not live. */
const QUIET_MILLIS = 5000;

/** After so much silence the connection is given up, and another one made. */
const LOST_MILLIS = 15000;

/** How long a server may take to say why it does not serve this page. */
const ANSWER_MILLIS = 5000;

const WATCH_MILLIS = 500;

export class Stream {
  #source = null;
  #begun = 0;
  #heard = performance.now();
  #state = 'connecting';

  /** Whether the last frame could not be taken over: then only a frame that can shows otherwise. */
  #broken = false;

  /**
   * @param told.hello a connection begins, everything will be told from the start
   * @param told.frame something changed
   * @param told.state how it stands: live, silent, away, refused, full or broken
   */
  constructor(told) {
    this.told = told;
    setInterval(() => this.#watchSilence(), WATCH_MILLIS);
    this.#connect();
  }

  #connect() {
    const source = new EventSource('/events');
    this.#source = source;
    this.#begun = performance.now();
    const on = (name, take) => source.addEventListener(name, event => {
      if (source !== this.#source) return;
      this.#heard = performance.now();
      try {
        take(event.data);
      } catch (error) {
        this.#startOver(error);
        return;
      }
      if (!this.#broken) this.#say('live');
    });
    on('hello', data => this.told.hello(JSON.parse(data)));
    on('tide', data => {
      this.told.frame(JSON.parse(data));
      this.#broken = false;
    });
    on('heartbeat', () => {});
    source.addEventListener('error', () => {
      if (source === this.#source) this.#lost();
    });
  }

  #say(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.told.state(state);
  }

  #watchSilence() {
    const now = performance.now();
    const isLive = this.#state === 'live' || this.#state === 'connecting';
    if (isLive && now - this.#heard > QUIET_MILLIS) this.#say('silent');
    if (this.#source && now - Math.max(this.#heard, this.#begun) > LOST_MILLIS) this.#lost();
  }

  #hangUp() {
    this.#source.close();
    this.#source = null;
  }

  /** A frame that is taken over by half leaves the page in no state to take the next one. */
  #startOver(error) {
    console.error(error);
    this.#hangUp();
    this.#broken = true;
    this.#say('broken');
    setTimeout(() => this.#connect(), SLOW_RETRY_MILLIS);
  }

  /** An EventSource does not say why it failed: ask. A server that is stopped never answers. */
  async #lost() {
    this.#hangUp();
    let state = 'away';
    try {
      const answer = await fetch(
        '/events', { method: 'HEAD', cache: 'no-store', signal: AbortSignal.timeout(ANSWER_MILLIS) });
      if (answer.status === 403 || answer.status === 421) state = 'refused';
      if (answer.status === 503) state = 'full';
    } catch (error) {
      if (error.name === 'TimeoutError') state = 'silent';
    }
    this.#say(state);
    const isOnItsWay = state === 'away' || state === 'silent';
    setTimeout(() => this.#connect(), isOnItsWay ? RETRY_MILLIS : SLOW_RETRY_MILLIS);
  }
}
