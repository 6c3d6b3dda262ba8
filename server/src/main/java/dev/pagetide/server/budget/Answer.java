package dev.pagetide.server.budget;

/** What the budget answers to one that asks for pages. */
public sealed interface Answer {
  /** The pages are reserved; they are the asker's to give or give back. */
  Answer GRANTED = new Granted();

  /** Nothing is reserved. Waiting may help. */
  Answer WAIT = new Wait();

  /** The asker has ended while it waited. */
  Denial ENDED = new Ended();

  /** See {@link #GRANTED}. */
  record Granted() implements Answer {}

  /** See {@link #WAIT}. */
  record Wait() implements Answer {}

  /** Nothing is reserved, and the request does not wait: why not. */
  record Refused(NoMemoryDetails why) implements Answer, Denial {}

  /** Why one that has waited is given nothing. */
  sealed interface Denial {}

  /** See {@link #ENDED}. */
  record Ended() implements Denial {}
}
