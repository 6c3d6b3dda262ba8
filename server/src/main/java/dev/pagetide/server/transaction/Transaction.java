package dev.pagetide.server.transaction;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.server.buffer.Buffer;
import dev.pagetide.server.page.PageFailure;
import dev.pagetide.server.session.Peer;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One transaction, from its command to its end.
 *
 * <ul>
 *   <li>COMING: its buffer is being allocated and filled.
 *   <li>WAITING: it lies in its receiver's mailbox.
 *   <li>DELIVERED: its receiver was sent it and is to reply. One-way ones are OVER then.
 *   <li>REPLYING: the reply is on its way into a buffer of the asker's.
 *   <li>OVER: it was replied to, delivered one-way, or has failed.
 * </ul>
 *
 * <p>Thread-safe. Whoever brings it to OVER tells the others.
 */
/*
 * LOCKS: its monitor is held to change the state and for nothing else but BufferAllocator.deliver,
 * which takes the allocator's lock for a moment. A mailbox calls tryDeliver under its own monitor;
 * nothing here calls a mailbox under this one.
 */
public final class Transaction {
  /** Where it is on its way; what each one means stands above. */
  enum State {
    COMING,
    WAITING,
    DELIVERED,
    REPLYING,
    OVER
  }

  private final long id;
  private final long command;
  private final Endpoint asker;
  private final Endpoint target;
  private final TransactRequest request;
  private final long sinceNanos;
  private final EndpointRegistry endpoints;

  @GuardedBy("this")
  private State state = State.COMING;

  @GuardedBy("this")
  private @Nullable Buffer buffer;

  @GuardedBy("this")
  private @Nullable Future<?> timeout;

  @GuardedBy("this")
  private @Nullable BufferFill fill;

  /** Whether its command's payload may be in use yet: then the asker is not answered. */
  @GuardedBy("this")
  private boolean holdsPayload = true;

  /** Why it has failed, where the asker is to be told once the payload is let go. */
  @GuardedBy("this")
  private @Nullable Throwable untold;

  Transaction(
      EndpointRegistry endpoints,
      long id,
      long command,
      Endpoint asker,
      Endpoint target,
      TransactRequest request) {
    this.endpoints = endpoints;
    this.id = id;
    this.command = command;
    this.asker = asker;
    this.target = target;
    this.request = request;
    this.sinceNanos = request.sinceNanos();
  }

  /** Its number; never used twice by one server. */
  public long id() {
    return id;
  }

  /** The application's own code. */
  public int code() {
    return request.code();
  }

  /** What was asked for besides. */
  public TransactRequest request() {
    return request;
  }

  /** The sender's session name. */
  public String senderName() {
    return asker.session().name();
  }

  /** The sender's process, as the kernel tells of it. */
  public Peer sender() {
    return asker.peer();
  }

  /** Where its bytes lie in the receiver's range. For whom it was delivered to. */
  public synchronized long offset() {
    Buffer delivered = buffer;
    if (delivered == null) {
      throw new IllegalStateException("transaction " + id + " has no buffer yet");
    }
    return delivered.offset();
  }

  /** How many bytes were handed over. */
  public long size() {
    return request.size();
  }

  /** The command that began it. */
  long command() {
    return command;
  }

  Endpoint asker() {
    return asker;
  }

  Endpoint target() {
    return target;
  }

  TransactionObserver observer() {
    return endpoints.observer();
  }

  TransactionKind kind() {
    return request.oneWay() ? TransactionKind.ONE_WAY : TransactionKind.TWO_WAY;
  }

  /** What fills a buffer for it now, and is to be given up when it ends. */
  void fills(BufferFill now) {
    boolean tooLate;
    synchronized (this) {
      fill = now;
      tooLate = state == State.OVER;
    }
    if (tooLate) {
      now.giveUp();
    }
  }

  /** Ends it when the time is up that was given to it. */
  void limitTime() {
    long millis = request.timeoutMillis();
    long nanos = TimeUnit.MILLISECONDS.toNanos(millis) - (endpoints.nanos() - sinceNanos);
    Runnable timeOut =
        () -> end(TransactionOutcome.TIMED_OUT, new TransactionFailure.TimedOut(millis));
    try {
      timeOutBy(endpoints.timer().schedule(timeOut, nanos, TimeUnit.NANOSECONDS));
    } catch (RejectedExecutionException e) {
      end(TransactionOutcome.FAILED, new TransactionFailure.Stopping());
    }
  }

  /** What is to be cancelled when it ends. */
  private void timeOutBy(Future<?> timer) {
    synchronized (this) {
      if (state != State.OVER) {
        timeout = timer;
        return;
      }
    }
    timer.cancel(false);
  }

  /**
   * Nobody looks at its command's payload any more. Who is answered may free that at once, so an
   * answer that was due before is given now.
   */
  void letGoOfPayload() {
    Throwable why;
    synchronized (this) {
      holdsPayload = false;
      why = untold;
      untold = null;
    }
    if (why != null) {
      asker.answer(new Event.Failed(command, why));
    }
  }

  /** COMING to WAITING: its buffer is filled; false if it has ended meanwhile. */
  synchronized boolean tryArrive(Buffer filled) {
    if (state != State.COMING) {
      return false;
    }
    buffer = filled;
    fill = null;
    state = State.WAITING;
    return true;
  }

  /** WAITING to DELIVERED: it is sent now; false if it has ended meanwhile. */
  boolean tryDeliver() {
    synchronized (this) {
      if (state != State.WAITING || buffer == null) {
        return false;
      }
      try {
        target.sessionEndpoint().buffers().deliver(buffer);
      } catch (PageFailure.Closed e) {
        return false; // its session ends, and this with it
      }
      state = request.oneWay() ? State.OVER : State.DELIVERED;
    }
    long nanos = endpoints.nanos() - sinceNanos;
    endpoints.observer().delivered(kind(), nanos);
    if (request.oneWay()) {
      target.forgetIncoming(this);
      endpoints.observer().ended(kind(), TransactionOutcome.DELIVERED, nanos);
    }
    return true;
  }

  /** DELIVERED to REPLYING: one reply at a time; false if there is nothing to reply to. */
  synchronized boolean tryBeginReply() {
    if (state != State.DELIVERED) {
      return false;
    }
    state = State.REPLYING;
    return true;
  }

  /** REPLYING to DELIVERED: the reply's payload could not be had. */
  synchronized void giveUpReply() {
    if (state == State.REPLYING) {
      state = State.DELIVERED;
    }
  }

  /** Whether it has ended. */
  boolean isOver() {
    return state() == State.OVER;
  }

  /** Where it is on its way, at some moment of this call. */
  synchronized State state() {
    return state;
  }

  /**
   * Ends it, unless it has ended before: frees what its receiver was not sent, tells the receiver
   * if it may still be at work, and the asker if he waits for an answer.
   *
   * @param toAsker why it failed; null: the asker needs no word, or gets a better one
   * @return whether it ended now
   */
  boolean end(TransactionOutcome outcome, @Nullable Throwable toAsker) {
    State before;
    Buffer held;
    Future<?> timer;
    BufferFill unfinished;
    boolean tell;
    synchronized (this) {
      before = state;
      if (before == State.OVER) {
        return false;
      }
      state = State.OVER;
      held = buffer;
      timer = timeout;
      unfinished = fill;
      fill = null;
      // A one-way transaction was answered when it arrived.
      tell = toAsker != null && (!request.oneWay() || before == State.COMING);
      if (tell && holdsPayload) {
        untold = toAsker;
        tell = false;
      }
    }
    // Nobody gets here a second time, so each step is taken whatever became of those before it.
    try {
      asker.forgetAsked(this);
      target.forgetIncoming(this);
      if (timer != null) {
        timer.cancel(false);
      }
      if (unfinished != null) {
        unfinished.giveUp();
      }
    } finally {
      try {
        endAtTarget(before, held, outcome);
      } finally {
        tellEnd(outcome, tell ? toAsker : null);
      }
    }
    return true;
  }

  private void endAtTarget(State before, @Nullable Buffer held, TransactionOutcome outcome) {
    boolean ownDoing =
        outcome == TransactionOutcome.REPLIED || outcome == TransactionOutcome.REFUSED;
    if (before == State.WAITING && held != null) {
      target.takeBack(this, held);
    } else if (!ownDoing && (before == State.DELIVERED || before == State.REPLYING)) {
      target.answer(new Event.Ended(id));
    }
  }

  private void tellEnd(TransactionOutcome outcome, @Nullable Throwable toAsker) {
    try {
      if (toAsker != null) {
        asker.answer(new Event.Failed(command, toAsker));
      }
    } finally {
      endpoints.observer().ended(kind(), outcome, endpoints.nanos() - sinceNanos);
    }
  }
}
