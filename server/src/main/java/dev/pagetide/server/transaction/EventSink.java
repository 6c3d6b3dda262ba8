package dev.pagetide.server.transaction;

/** Where an endpoint's events go: its stream. */
public interface EventSink {
  /**
   * Whether more can be sent without piling up; once this said no, the owner calls {@link
   * Endpoint#drain} when it can. Any thread may ask.
   */
  boolean isReady();

  /**
   * Takes an event, to be sent with the next {@link #flush}. Called by one thread at a time.
   *
   * @return whether that is enough for one message, and is to be flushed
   */
  boolean add(Event event);

  /** Sends what was added. Does not wait. Called by one thread at a time. */
  void flush();

  /** The endpoint is gone; nothing is sent any more. Any thread may call, once. */
  void end(Throwable why);
}
