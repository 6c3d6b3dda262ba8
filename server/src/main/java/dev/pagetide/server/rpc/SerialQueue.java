package dev.pagetide.server.rpc;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.function.BiConsumer;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * The commands of one stream that begin one after the other. Each begins when the one before says
 * so, on the thread that says so. Thread-safe.
 */
/*
 * Whose memory counts. A command that begins at once with few bytes counts nowhere, because each
 * stream has one such command at most. Any other counts from before it is taken until it is over or
 * dropped. A command that may not count is not taken, and submit throws.
 */
final class SerialQueue {
  /** Most bytes of a command that begins at once and is not counted: about a session's own size. */
  static final int UNCOUNTED_BYTES = 4096;

  private final LongConsumer onTaken;
  private final LongConsumer onOver;
  private final BiConsumer<Long, Throwable> onThrown;

  @GuardedBy("this")
  private final Deque<Step> waiting = new ArrayDeque<>();

  @GuardedBy("this")
  private boolean busy;

  @GuardedBy("this")
  private long waitingBytes;

  /**
   * A queue without commands.
   *
   * @param onTaken is called with the bytes of each command that counts, before it is taken; if it
   *     throws, the command is not taken
   * @param onOver is called when a command is over, or some are dropped, with the bytes of those of
   *     them that counted
   * @param onThrown is called with the id of a command that threw, which none should, and with what
   *     it threw; the next command begins nevertheless
   */
  SerialQueue(LongConsumer onTaken, LongConsumer onOver, BiConsumer<Long, Throwable> onThrown) {
    this.onTaken = onTaken;
    this.onOver = onOver;
    this.onThrown = onThrown;
  }

  /** The work of a command. */
  @FunctionalInterface
  interface Command {
    /** Does the work. Any thread runs {@code next}, once, when the next command may begin. */
    void run(Runnable next);
  }

  /** A command that waits for its turn, and the bytes of it that count. */
  private record Step(long id, long bytes, boolean cancellable, Command command) {}

  /**
   * Runs a command when its turn comes, which may be at once. One thread at a time submits.
   *
   * @param bytes how much memory the command holds while it waits
   */
  void submit(long id, long bytes, Command command) {
    submit(id, bytes, false, command);
  }

  /** As {@link #submit}, but {@link #remove} can take the command out before its turn. */
  void submitCancellable(long id, long bytes, Command command) {
    submit(id, bytes, true, command);
  }

  private void submit(long id, long bytes, boolean cancellable, Command command) {
    if (bytes <= UNCOUNTED_BYTES) {
      Step uncounted = new Step(id, 0, cancellable, command);
      if (tryBegin()) {
        runFrom(uncounted);
        return;
      }
    }
    Step step = new Step(id, bytes, cancellable, command);
    onTaken.accept(bytes);
    boolean begins;
    try {
      begins = beginOrWait(step);
    } catch (RuntimeException | Error e) {
      onOver.accept(bytes);
      throw e;
    }
    if (begins) {
      runFrom(step);
    }
  }

  private synchronized boolean tryBegin() {
    boolean begins = !busy;
    busy = true;
    return begins;
  }

  private synchronized boolean beginOrWait(Step step) {
    if (busy) {
      waiting.add(step);
      waitingBytes += step.bytes();
      return false;
    }
    busy = true;
    return true;
  }

  /**
   * Runs steps until one goes on elsewhere. This is a loop and no recursion, so a thousand steps
   * need no deep stack.
   */
  private void runFrom(Step first) {
    Step step = first;
    while (step != null) {
      Turn turn = new Turn(step.bytes());
      try {
        step.command().run(turn);
      } catch (RuntimeException | Error e) {
        endThrown(step, turn, e);
      }
      if (!turn.hasReturned()) {
        return;
      }
      step = after(step.bytes());
    }
  }

  private void endThrown(Step step, Turn turn, Throwable why) {
    boolean told = false;
    try {
      onThrown.accept(step.id(), why);
      told = true;
    } finally {
      turn.run(); // the command may not have run `next`; Turn counts only the first call
      if (!told) { // what was thrown leaves the loop above, so the next command begins here
        Step next = after(step.bytes());
        if (next != null) {
          runFrom(next);
        }
      }
    }
  }

  private @Nullable Step after(long bytes) {
    Step next;
    synchronized (this) {
      next = waiting.poll();
      if (next == null) {
        busy = false;
      } else {
        waitingBytes -= next.bytes();
      }
    }
    onOver.accept(bytes);
    return next;
  }

  /**
   * One command's turn. It is over when its call has returned and it has said so, once.
   *
   * <p>It does not keep the command, because an endpoint keeps the turn of its last command, and
   * that command's payload would stay with it.
   */
  private final class Turn implements Runnable {
    private final long bytes;
    private boolean said;
    private boolean returned;

    Turn(long bytes) {
      this.bytes = bytes;
    }

    @Override
    public void run() {
      synchronized (this) {
        boolean before = said;
        said = true;
        if (before || !returned) {
          return;
        }
      }
      Step next = after(bytes);
      if (next != null) {
        runFrom(next);
      }
    }

    /** The call has returned. Returns whether the command has already run `next`. */
    synchronized boolean hasReturned() {
      returned = true;
      return said;
    }
  }

  /**
   * Takes a cancellable command out that waits for its turn; false if there is none with this id.
   */
  boolean remove(long id) {
    Step found = take(id);
    if (found == null) {
      return false;
    }
    onOver.accept(found.bytes());
    return true;
  }

  private synchronized @Nullable Step take(long id) {
    Iterator<Step> steps = waiting.iterator();
    while (steps.hasNext()) {
      Step step = steps.next();
      if (step.cancellable() && step.id() == id) {
        steps.remove();
        waitingBytes -= step.bytes();
        return step;
      }
    }
    return null;
  }

  /** How many commands wait for their turn. */
  synchronized int waiting() {
    return waiting.size();
  }

  /** How many bytes of memory the waiting commands hold. */
  synchronized long waitingBytes() {
    return waitingBytes;
  }

  /** Drops the waiting commands. */
  void clear() {
    long dropped;
    synchronized (this) {
      dropped = waitingBytes;
      waiting.clear();
      waitingBytes = 0;
    }
    onOver.accept(dropped);
  }
}
