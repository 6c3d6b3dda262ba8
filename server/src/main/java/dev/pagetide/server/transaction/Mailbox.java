package dev.pagetide.server.transaction;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;

/**
 * The events of one endpoint that its stream has not taken yet, in their order.
 *
 * <p>They are sent soon, not at once, so that the events of one batch of commands go out in one
 * message.
 *
 * <p>If the stream fails to take an event, that event is lost, and so are the events that were
 * added to the same message before. The endpoint would wait without end for what those events say;
 * so the endpoint ends.
 *
 * <p>The number of events that wait here is bounded: transactions and replies by the buffers of the
 * endpoint's range, answers by the commands that the server takes from an endpoint whose mailbox is
 * not empty, and ends by the transactions that were delivered.
 *
 * <p>LOCKS: its monitor orders what is sent. A transaction's monitor and the allocator's lock are
 * taken under it, never the other way round.
 */
final class Mailbox {
  private final EventSink sink;
  private final Executor soon;
  private final Consumer<Throwable> onBroken;

  /**
   * A transaction is its own key, so that it can be removed. Any other event has a key of its own.
   */
  private final Map<Object, Event> waiting = new LinkedHashMap<>();

  private boolean scheduled;
  private boolean closed;

  /** Whether an event was taken out that the stream may not have taken. */
  private boolean broken;

  /**
   * An empty mailbox.
   *
   * @param soon runs the sending: on an event loop's thread, after the current batch of reads
   * @param onBroken called with the reason if the stream failed to take an event. That event is
   *     lost, so no event after it may be sent. Called without this monitor
   */
  Mailbox(EventSink sink, Executor soon, Consumer<Throwable> onBroken) {
    this.sink = sink;
    this.soon = soon;
    this.onBroken = onBroken;
  }

  /** Sends an event, soon or when the stream can take it; false if the endpoint is gone. */
  synchronized boolean post(Event event) {
    if (closed) {
      return false;
    }
    waiting.put(event instanceof Event.Delivered d ? d.transaction() : new Object(), event);
    if (!scheduled && sink.isReady()) {
      try {
        scheduled = true;
        soon.execute(this::drain);
      } catch (RejectedExecutionException e) {
        return true; // the server is stopping, and sends nothing any more
      } catch (OutOfMemoryError e) {
        scheduled = false; // the next event sends this one, too
        throw e;
      }
    }
    return true;
  }

  /** Sends the events that wait, until the stream takes no more. */
  void drain() {
    try {
      send();
    } catch (RuntimeException | Error e) {
      if (isBroken()) {
        onBroken.accept(e);
      }
      throw e;
    }
  }

  private synchronized void send() {
    scheduled = false;
    while (!closed && !broken && !waiting.isEmpty() && sink.isReady()) {
      broken = true; // cleared below if the stream has taken every event that is taken out here
      boolean enough = false;
      while (!enough && !waiting.isEmpty()) {
        Map.Entry<Object, Event> first = waiting.entrySet().iterator().next();
        Event event = first.getValue();
        waiting.remove(first.getKey());
        if (!(event instanceof Event.Delivered d) || d.transaction().tryDeliver()) {
          enough = sink.add(event);
        }
      }
      sink.flush();
      broken = false;
    }
  }

  private synchronized boolean isBroken() {
    return broken;
  }

  /** Removes a transaction that has ended. */
  synchronized void remove(Transaction transaction) {
    waiting.remove(transaction);
  }

  /** How many events wait. */
  synchronized int size() {
    return waiting.size();
  }

  /** Drops the events that wait, and sends nothing from now on. */
  synchronized void close() {
    closed = true;
    waiting.clear();
  }
}
