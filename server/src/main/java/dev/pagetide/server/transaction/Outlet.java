package dev.pagetide.server.transaction;

/** Where a party's events go: its stream. Called by one thread at a time. */
public interface Outlet {
  /**
   * Whether more can be sent without piling up; once this said no, the owner calls {@link
   * Party#drain} when it can. Any thread may ask.
   */
  boolean isReady();

  /** Sends an event. Does not wait. */
  void send(Event event);

  /** The party is gone; nothing is sent any more. Any thread may call, once. */
  void end(Throwable why);
}
