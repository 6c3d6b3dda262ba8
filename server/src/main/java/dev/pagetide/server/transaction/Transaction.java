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
 *   <li>WAITING: it is in its receiver's mailbox.
 *   <li>DELIVERED: it was sent to its receiver, which is to reply. A one-way transaction is OVER
 *       then.
 *   <li>REPLYING: the reply is being copied into a buffer of the asker's range.
 *   <li>OVER: it was replied to, was delivered one-way, or has failed.
 * </ul>
 *
 * <p>Thread-safe. The thread that brings it to OVER notifies the others.
 */
/*
 * LOCKS: its monitor is held to change the state. Under it this class calls only
 * BufferAllocator.deliver, which holds the allocator's lock for a moment. A mailbox calls
 * tryDeliver under its own monitor; no code here calls a mailbox under this one.
 */
public final class Transaction {
  /** The transaction's state; the list above says what each one means. */
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

  /** Whether its command's payload may still be read. Until it is not, the asker gets no answer. */
  @GuardedBy("this")
  private boolean holdsPayload = true;

  /** Why it has failed, if the asker is to be told once the payload is not read any more. */
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

  /** Its number. One server never reuses it. */
  public long id() {
    return id;
  }

  /** The application's own code. */
  public int code() {
    return request.code();
  }

  /** The command's other arguments. */
  public TransactRequest request() {
    return request;
  }

  /** The sender's session name. */
  public String senderName() {
    return asker.session().name();
  }

  /** The sender's process, as the kernel describes it. */
  public Peer sender() {
    return asker.peer();
  }

  /**
   * Where its bytes are in the receiver's range. Only for the endpoint that it was delivered to.
   */
  public synchronized long offset() {
    Buffer delivered = buffer;
    if (delivered == null) {
      throw new IllegalStateException("transaction " + id + " has no buffer yet");
    }
    return delivered.offset();
  }

  /** The number of bytes that are sent. */
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
    return request.kind();
  }

  /** Sets the fill that works for it now, and that its end gives up. */
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

  /** Starts the timer that ends it when its time is up. */
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

  /** Sets the timer that its end cancels. */
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
   * Notes that nothing reads its command's payload any more. An asker may free the payload as soon
   * as it is answered; so an answer that was due before is sent now.
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

  /** COMING to WAITING, because its buffer is filled; false if it has ended meanwhile. */
  synchronized boolean tryArrive(Buffer filled) {
    if (state != State.COMING) {
      return false;
    }
    buffer = filled;
    fill = null;
    state = State.WAITING;
    return true;
  }

  /** Whether its buffer was filled before it ended. */
  synchronized boolean hasArrived() {
    return buffer != null;
  }

  /** WAITING to DELIVERED, because it is sent now; false if it has ended meanwhile. */
  boolean tryDeliver() {
    synchronized (this) {
      if (state != State.WAITING || buffer == null) {
        return false;
      }
      try {
        target.sessionEndpoint().buffers().deliver(buffer);
      } catch (PageFailure.Closed e) {
        return false; // the receiver's session is ending, and that ends this transaction
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

  /** REPLYING to DELIVERED, because the reply's payload could not be read. */
  synchronized void giveUpReply() {
    if (state == State.REPLYING) {
      state = State.DELIVERED;
    }
  }

  /** Whether it has ended. */
  boolean isOver() {
    return state() == State.OVER;
  }

  /** Its state at some moment of this call. */
  synchronized State state() {
    return state;
  }

  /**
   * Ends it, unless it has ended before. Frees its buffer if the receiver was not sent it. Notifies
   * the receiver if it may still be working on it, and the asker if it is waiting for an answer.
   *
   * @param toAsker why it failed; null if the asker needs no answer, or gets a better one
   * @return whether this call ended it
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
    // Only one call gets here. So each step runs even if those before it threw.
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
