package dev.pagetide.server.transaction;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A stream that remembers what it was told, and that is ready or fails when a test says so. */
final class ToldEvents implements EventSink {
  private final List<Event> events = new ArrayList<>();
  private final List<Throwable> ends = new ArrayList<>();
  private int unflushed;
  private int messages;

  /** Whether it takes events. */
  boolean ready = true;

  /** How many events make a message; it is ready for one message at a time, if this is not 0. */
  int eventsInMessage;

  /** What the next event that is added meets; null: it is taken. */
  @Nullable RuntimeException failure;

  @Override
  public boolean isReady() {
    return ready;
  }

  @Override
  public boolean add(Event event) {
    RuntimeException thrown = failure;
    failure = null;
    if (thrown != null) {
      throw thrown;
    }
    events.add(event);
    unflushed++;
    return unflushed == eventsInMessage;
  }

  @Override
  public void flush() {
    messages++;
    unflushed = 0;
    if (eventsInMessage != 0) {
      ready = false;
    }
  }

  @Override
  public void end(Throwable why) {
    ends.add(why);
  }

  /** What was added, in its order. */
  List<Event> events() {
    return List.copyOf(events);
  }

  /** How often it was flushed. */
  int messages() {
    return messages;
  }

  /** Why it has ended; empty: it has not. */
  List<Throwable> ends() {
    return List.copyOf(ends);
  }

  /** Forgets what was told. */
  void forget() {
    events.clear();
  }
}
