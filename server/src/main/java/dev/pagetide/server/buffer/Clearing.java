package dev.pagetide.server.buffer;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.server.page.PageFailure;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Clears one range's freed buffers: at once if they are small, otherwise on a worker, one after the
 * other in the order of their frees.
 *
 * <p>If the kernel refuses to zero a buffer, the buffer keeps its space, so no other buffer gets
 * it. The server tries again after {@link #FIRST_PAUSE_MILLIS}, then after a pause that doubles
 * each time up to {@link #LONGEST_PAUSE_MILLIS}, until the buffer is cleared or its range ends.
 * Thread-safe.
 */
/*
 * A range has one worker at most. It gives up the worker after the buffer with which it has cleared
 * STEP_BYTES, so that other requests get a turn in between. It has one timer at most, for all
 * buffers that were refused.
 */
public final class Clearing {
  /** The most bytes that an event loop copies or clears itself: some 10 us. */
  public static final int INLINE_BYTES = 64 * 1024;

  /** The bytes to clear before the worker is given up: about a millisecond's work. */
  static final long STEP_BYTES = 8L << 20;

  static final long FIRST_PAUSE_MILLIS = 10;
  static final long LONGEST_PAUSE_MILLIS = 10_000;

  private final BufferAllocator buffers;
  private final Executor workers;
  private final ScheduledExecutorService timer;
  private final Consumer<PageFailure> onRefused;

  @GuardedBy("this")
  private final Deque<Step> steps = new ArrayDeque<>();

  /** Whether a worker runs the steps, or is about to. */
  @GuardedBy("this")
  private boolean busy;

  @GuardedBy("this")
  private List<Buffer> refused = new ArrayList<>();

  @GuardedBy("this")
  private boolean retryPlanned;

  @GuardedBy("this")
  private long pauseMillis = FIRST_PAUSE_MILLIS;

  /** A buffer to clear, or an action to run after the server has tried to clear those before it. */
  private record Step(@Nullable Buffer buffer, @Nullable Runnable then) {
    long bytes() {
      return buffer == null ? 0 : buffer.spaceBytes();
    }
  }

  /**
   * Nothing is cleared yet.
   *
   * @param onRefused called each time that the kernel refuses
   */
  public Clearing(
      BufferAllocator buffers,
      Executor workers,
      ScheduledExecutorService timer,
      Consumer<PageFailure> onRefused) {
    this.buffers = buffers;
    this.workers = workers;
    this.timer = timer;
    this.onRefused = onRefused;
  }

  /**
   * Clears and frees buffers that are CLEARING, on this thread if they are small.
   *
   * @param then run once, by any thread, after this has tried to clear each of them
   */
  public void clear(List<Buffer> freed, Runnable then) {
    long bytes = 0;
    for (Buffer buffer : freed) {
      bytes += buffer.spaceBytes();
    }
    if (bytes <= INLINE_BYTES) {
      freed.forEach(this::tryClear);
      then.run();
      return;
    }
    List<Step> added = new ArrayList<>(freed.size() + 1);
    freed.forEach(buffer -> added.add(new Step(buffer, null)));
    added.add(new Step(null, then));
    add(added);
  }

  /** Runs something after this has tried to clear each buffer freed before; perhaps at once. */
  public void afterThose(Runnable then) {
    boolean now;
    synchronized (this) {
      now = !busy;
      if (!now) {
        steps.add(new Step(null, then));
      }
    }
    if (now) {
      then.run();
    }
  }

  private void add(List<Step> added) {
    synchronized (this) {
      steps.addAll(added);
      if (busy) {
        return;
      }
      busy = true;
    }
    begin();
  }

  private void begin() {
    if (!handOver()) {
      run();
    }
  }

  /** Leaves the steps to a worker; false if no worker is available. */
  private boolean handOver() {
    try {
      workers.execute(this::run);
      return true;
    } catch (RejectedExecutionException | OutOfMemoryError e) {
      return false; // the server is stopping, or has no thread
    }
  }

  /**
   * Does some steps. Does the rest, too, if no worker takes it, because late on this thread is
   * better than never.
   */
  private void run() {
    boolean goesOn = true;
    while (goesOn) {
      boolean done = false;
      try {
        doSome();
        done = true;
      } finally {
        goesOn = isBusy() && !handOver();
        if (goesOn && !done) { // a step threw; the steps behind it must not wait without end
          run();
        }
      }
    }
  }

  private void doSome() {
    long left = STEP_BYTES;
    while (left > 0) {
      Step step = take();
      if (step == null) {
        return;
      }
      left -= step.bytes();
      carryOut(step);
    }
  }

  private void carryOut(Step step) {
    if (step.buffer() != null) {
      tryClear(step.buffer());
    }
    if (step.then() != null) {
      step.then().run();
    }
  }

  private synchronized @Nullable Step take() {
    return steps.poll();
  }

  /** Whether steps are left; if not, the next step needs a worker. */
  private synchronized boolean isBusy() {
    busy = !steps.isEmpty();
    return busy;
  }

  private void tryClear(Buffer buffer) {
    try {
      buffers.finishFree(buffer);
    } catch (PageFailure e) {
      onRefused.accept(e);
      putOff(buffer);
    }
  }

  private synchronized void putOff(Buffer buffer) {
    refused.add(buffer);
    if (retryPlanned) {
      return;
    }
    try {
      var _ = timer.schedule(this::tryAgain, pauseMillis, TimeUnit.MILLISECONDS);
      retryPlanned = true;
      pauseMillis = Math.min(2 * pauseMillis, LONGEST_PAUSE_MILLIS);
    } catch (RejectedExecutionException e) {
      refused.clear(); // the server is stopping, and its ranges end
    }
  }

  private void tryAgain() {
    List<Step> again = new ArrayList<>();
    synchronized (this) {
      refused.forEach(buffer -> again.add(new Step(buffer, null)));
      refused = new ArrayList<>();
      retryPlanned = false;
    }
    again.add(new Step(null, this::calmDown));
    add(again);
  }

  /** Resets the pause to the first one, unless the kernel refused again in this round. */
  private synchronized void calmDown() {
    if (refused.isEmpty()) {
      pauseMillis = FIRST_PAUSE_MILLIS;
    }
  }
}
