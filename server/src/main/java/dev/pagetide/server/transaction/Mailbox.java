package dev.pagetide.server.transaction;

import com.google.errorprone.annotations.concurrent.GuardedBy;
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
 * not empty, and ends by the transactions that were delivered. While the endpoint does not read,
 * the memory of the answers counts as in flight.
 *
 * <p>LOCKS: its monitor orders what is sent. A transaction's monitor and the allocator's lock are
 * taken under it, never the other way round.
 */
final class Mailbox {
  /** Memory of an answer that waits, with its entry and its key. */
  private static final int ANSWER_BYTES = 128;

  /** The same of a failure, without its text. */
  private static final int FAILED_BYTES = 512;

  private static final int POINTER_BYTES = 8;

  private final EventSink sink;
  private final Executor soon;
  private final Consumer<Throwable> onBroken;

  /**
   * A transaction is its own key, so that it can be removed. Any other event has a key of its own.
   */
  @GuardedBy("this")
  private final Map<Object, Event> waiting = new LinkedHashMap<>();

  /** The sum of {@link #bytes(Event)} over what waits. */
  @GuardedBy("this")
  private long waitingBytes;

  @GuardedBy("this")
  private boolean scheduled;

  @GuardedBy("this")
  private boolean closed;

  /** Whether an event was taken out that the stream may not have taken. */
  @GuardedBy("this")
  private boolean broken;

  /**
   * An empty mailbox.
   *
   * @param soon runs the sending: on an event loop's thread, after the current batch of reads
   * @param onBroken called with the reason if the stream failed to take an event. That event is
   *     lost, so no event after it may be sent. Also called if no thread can be found to send an
   *     event. Called without this monitor, perhaps more than once
   */
  Mailbox(EventSink sink, Executor soon, Consumer<Throwable> onBroken) {
    this.sink = sink;
    this.soon = soon;
    this.onBroken = onBroken;
  }

  /**
   * Sends an event, soon or when the stream can take it; false if the endpoint is gone. If this
   * throws, the event may wait nevertheless.
   */
  synchronized boolean post(Event event) {
    if (!put(event)) {
      return false;
    }
    sendSoon();
    return true;
  }

  /**
   * As {@link #post}, but if no thread can be told to send the event, this thread sends it. If we
   * threw instead, a command would be answered once more with that failure, while its first answer
   * still waits. Throws only if the event does not wait.
   */
  boolean postOnce(Event event) {
    boolean sentSoon;
    synchronized (this) {
      if (!put(event)) {
        return false;
      }
      sentSoon = trySendSoon();
    }
    if (!sentSoon) {
      sendNow();
    }
    return true;
  }

  @GuardedBy("this")
  private boolean put(Event event) {
    if (closed) {
      return false;
    }
    waiting.put(event instanceof Event.Delivered d ? d.transaction() : new Object(), event);
    waitingBytes += bytes(event);
    return true;
  }

  /**
   * The memory that an answer holds while it waits, about. Other events are 0, because the buffers
   * of the endpoint's range bound them, and other endpoints cause them.
   */
  private static long bytes(Event event) {
    return switch (event) {
      case Event.Failed failed -> FAILED_BYTES + textBytes(failed.why());
      case Event.NotFreed failed -> FAILED_BYTES + textBytes(failed.why());
      case Event.Attached attached ->
          ANSWER_BYTES + (long) POINTER_BYTES * attached.buffers().size();
      case Event.Allocated _, Event.Accepted _, Event.Replied _ -> ANSWER_BYTES;
      case Event.Delivered _, Event.Ended _ -> 0;
    };
  }

  private static long textBytes(Throwable why) {
    String text = why.getMessage();
    return text == null ? 0 : 2L * text.length();
  }

  @GuardedBy("this")
  private boolean trySendSoon() {
    try {
      sendSoon();
      return true;
    } catch (RuntimeException | Error e) {
      return false;
    }
  }

  private void sendNow() {
    try {
      drain();
    } catch (RuntimeException | Error e) {
      tellBroken(e); // nobody else would send what waits
    }
  }

  @GuardedBy("this")
  private void sendSoon() {
    if (!scheduled && sink.isReady()) {
      try {
        scheduled = true;
        soon.execute(this::drain);
      } catch (RejectedExecutionException e) {
        // The server is stopping, and sends nothing any more.
      } catch (RuntimeException | Error e) {
        scheduled = false; // the next event sends this one, too
        throw e;
      }
    }
  }

  /** Sends the events that wait, until the stream takes no more. */
  void drain() {
    try {
      send();
    } catch (RuntimeException | Error e) {
      if (isBroken()) {
        tellBroken(e);
      }
      throw e;
    }
  }

  private void tellBroken(Throwable why) {
    try {
      onBroken.accept(why);
    } catch (RuntimeException | Error e) {
      if (!e.equals(why)) { // a throwable cannot suppress itself
        why.addSuppressed(e);
      }
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
        waitingBytes -= bytes(event);
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
    Event removed = waiting.remove(transaction);
    if (removed != null) {
      waitingBytes -= bytes(removed);
    }
  }

  /** How many events wait. */
  synchronized int size() {
    return waiting.size();
  }

  /** How much memory the answers that wait hold, about. */
  synchronized long bytes() {
    return waitingBytes;
  }

  /** Drops the events that wait, and sends nothing from now on. */
  synchronized void close() {
    closed = true;
    waiting.clear();
    waitingBytes = 0;
  }
}
