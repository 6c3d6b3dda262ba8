package dev.pagetide.server.transaction;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;

/**
 * The events of one endpoint that its stream has not taken yet, in their order.
 *
 * <p>They are sent soon, not at once: what comes from one batch of commands goes out in one
 * message.
 *
 * <p>An event that the stream fails to take is lost, and so are those of its message that were
 * added before. Because its endpoint would wait without end for what it was not told, the endpoint
 * ends.
 *
 * <p>What can wait here is bounded: transactions by the buffers of the endpoint's range, replies by
 * those too, answers by the commands that are taken from an endpoint whose mailbox is not empty,
 * and ends by the transactions that were delivered.
 *
 * <p>LOCKS: its monitor orders what is sent. A transaction's monitor and the allocator's lock are
 * taken under it, never the other way round.
 */
final class Mailbox {
  private final EventSink sink;
  private final Executor soon;
  private final Consumer<Throwable> onBroken;

  /** A transaction is its own key, so that it can be taken out; other events have one of theirs. */
  private final Map<Object, Event> waiting = new LinkedHashMap<>();

  private boolean scheduled;
  private boolean closed;

  /** Whether an event was taken out that the stream may not have taken. */
  private boolean broken;

  /**
   * An empty one.
   *
   * @param soon runs what is to be sent, after what its thread is at
   * @param onBroken told why the stream failed to take an event, which is lost then, so that no
   *     event after it may be sent; called without this monitor
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
        return true; // the server stops: nothing is sent any more
      } catch (OutOfMemoryError e) {
        scheduled = false; // the next event sends this one, too
        throw e;
      }
    }
    return true;
  }

  /** Sends what waits, as far as the stream takes it. */
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
      broken = true; // unless the stream has taken all that is taken out here
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
