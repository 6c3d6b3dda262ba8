package dev.pagetide.server.transaction;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The events of one party that its stream has not taken yet, in their order.
 *
 * <p>What can wait here is bounded: transactions by the buffers of the party's range, replies by
 * those too, answers by the commands that are taken from a party whose mailbox is not empty, and
 * ends by the transactions that were delivered.
 *
 * <p>LOCKS: its monitor orders what is sent. A transaction's monitor and the allocator's lock are
 * taken under it, never the other way round.
 */
final class Mailbox {
  private final Outlet outlet;

  /** A transaction is its own key, so that it can be taken out; other events have one of theirs. */
  private final Map<Object, Event> waiting = new LinkedHashMap<>();

  private boolean closed;

  Mailbox(Outlet outlet) {
    this.outlet = outlet;
  }

  /** Sends an event, now or when the stream can take it; false if the party is gone. */
  synchronized boolean post(Event event) {
    if (closed) {
      return false;
    }
    if (waiting.isEmpty() && outlet.isReady()) {
      send(event);
    } else {
      waiting.put(event instanceof Event.Delivered d ? d.transaction() : new Object(), event);
    }
    return true;
  }

  /** Sends what waits, as far as the stream takes it. */
  synchronized void drain() {
    while (!closed && !waiting.isEmpty() && outlet.isReady()) {
      Map.Entry<Object, Event> first = waiting.entrySet().iterator().next();
      waiting.remove(first.getKey());
      send(first.getValue());
    }
  }

  private void send(Event event) {
    if (!(event instanceof Event.Delivered d) || d.transaction().tryDeliver()) {
      outlet.send(event);
    }
  }

  /** Takes a transaction out that has ended. */
  synchronized void remove(Transaction transaction) {
    waiting.remove(transaction);
  }

  /** How many events wait. */
  synchronized int size() {
    return waiting.size();
  }

  /** Sends nothing any more. */
  synchronized void close() {
    closed = true;
    waiting.clear();
  }
}
