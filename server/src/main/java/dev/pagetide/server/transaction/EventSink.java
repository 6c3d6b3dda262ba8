package dev.pagetide.server.transaction;

/** The stream that an endpoint's events go to. */
public interface EventSink {
  /**
   * Whether the stream takes more without piling it up. After this returned false, the stream's
   * owner calls {@link Endpoint#drain} as soon as the stream takes more. Any thread may call this.
   */
  boolean isReady();

  /**
   * Takes an event, to be sent with the next {@link #flush}. Called by one thread at a time.
   *
   * @return true if the events so far fill one message, which the caller then flushes
   */
  boolean add(Event event);

  /** Sends the events that were added. Does not wait. Called by one thread at a time. */
  void flush();

  /**
   * Ends the stream, because the endpoint has ended; nothing is sent any more. Any thread may call
   * this, once.
   */
  void end(Throwable why);
}
