package dev.pagetide.server.budget;

/** The budget's answer to a request for pages. */
public sealed interface Answer {
  /** The pages are reserved. The asker gives them memory or gives them back. */
  Answer GRANTED = new Granted();

  /** Nothing is reserved. Waiting may help. */
  Answer WAIT = new Wait();

  /** The asker has ended while it waited. */
  Denial ENDED = new Ended();

  /** See {@link #GRANTED}. */
  record Granted() implements Answer {}

  /** See {@link #WAIT}. */
  record Wait() implements Answer {}

  /** Nothing is reserved, and the request does not wait, or no longer: why not. */
  record Refused(NoMemoryDetails why) implements Answer, Denial {}

  /** Why a request that has waited gets nothing. */
  sealed interface Denial {}

  /** See {@link #ENDED}. */
  record Ended() implements Denial {}
}
