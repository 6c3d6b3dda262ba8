package dev.pagetide.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.v1.Transaction;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedSet;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The way of transactions from the stream to the handler: two-way ones each by itself, one-way ones
 * through one lane, in their order. Thread-safe.
 *
 * <p>Once the receiver has ended, the handler is not called for transactions that still wait: their
 * bytes are gone, and the server has told their askers that the receiver died.
 */
final class TransactionQueue implements ExchangeStream.News {

  /*
   * A transaction waits in `arrived` until it is given to the executor. From then on it counts in
   * `given` until its handler has returned. At most maxQueued are given at a time, and one more for
   * each command of ours that is not answered: if all that are given wait for such answers, which
   * may depend on transactions that have not been given, there is always room for maxQueued more.
   *
   * What the server is asked for: as many transactions as could be given at once. But its word that
   * an asker has given up lies behind the transactions that came before, so while somebody waits
   * for a reply of ours, at least one message is asked for, whatever it brings. What then waits in
   * `arrived` would wait at the server otherwise, in the same buffers of the same range: it is
   * bounded by these, and senders are refused for want of space at the same point.
   *
   * LOCKS: the stream calls room() under its lock, so nothing here calls the stream under this
   * monitor; nor the executor, the handler or the listener, which are the application's. Thus
   * most() reads unanswered() before the monitor is taken. RACE: that number may be out of date. It
   * does no harm, because it is read again after each command that was submitted and after each
   * transaction that was added to `arrived`.
   *
   * WHERE HANDLERS RUN: an executor may run a handler on the thread that gives it out, and
   * Runnable::run does, so there a transaction is given out by the thread that brought it and by no
   * other. It is added to `arrived` and taken out of it in one step of the monitor: a thread that
   * submits a command meanwhile finds nothing that it could give out.
   *
   * While a handler runs inside giveOut(), its thread gives nothing else out. If that handler waits
   * for an answer, the room that its command has made is filled by another thread; and the thread
   * that runs the lane has other threads give out what there is room for. Where answers are
   * delivered neither is needed, because no handler waits there.
   */

  private final TransactionHandler handler;
  private final Executor executor;
  private final int maxQueued;
  private final ErrorListener errors;

  /** Two-way transactions that somebody waits for. */
  @GuardedBy("this")
  private final Map<Long, ReceivedTransaction> waitedFor = new HashMap<>();

  /** Transactions that were not given to the executor yet, in their order. */
  @GuardedBy("this")
  private final SequencedSet<ReceivedTransaction> arrived = new LinkedHashSet<>();

  /** How many were given, and not returned from. */
  @GuardedBy("this")
  private int given;

  /** Threads that give transactions to the executor at this moment; it may call the handler. */
  @GuardedBy("this")
  private final Set<Thread> giving = new HashSet<>();

  /** Threads that are in the handler. */
  @GuardedBy("this")
  private final Set<Thread> handling = new HashSet<>();

  /** One-way transactions that were given, and that the handler is not called for yet. */
  @GuardedBy("this")
  private final ArrayDeque<ReceivedTransaction> lane = new ArrayDeque<>();

  @GuardedBy("this")
  private boolean laneRuns;

  @GuardedBy("this")
  private boolean ended;

  private @Nullable Endpoint endpoint;

  TransactionQueue(ReceiverOptions options, TransactionHandler handler) {
    this.handler = handler;
    this.executor = options.executor();
    this.maxQueued = options.maxQueued();
    this.errors = new ErrorListener(options.errors());
  }

  /** Says whose transactions these are; before the first comes. */
  void serve(Endpoint receiver) {
    endpoint = receiver;
  }

  private Endpoint endpoint() {
    Endpoint ours = endpoint;
    if (ours == null) {
      throw new IllegalStateException("a transaction before the endpoint was attached");
    }
    return ours;
  }

  /** Tells of a failure that nobody waits for. Never throws. */
  void report(Throwable failure) {
    errors.tell(failure);
  }

  /** Whether {@code failure} only says that the receiver has ended, which it tells by itself. */
  boolean isOfTheEnd(Throwable failure) {
    return failure instanceof PagetideException said
        && said.code() == StatusCode.ABORTED
        && endpoint().hasEnded();
  }

  /** Nobody waits for {@code transaction} any more. */
  synchronized void forget(long transaction) {
    waitedFor.remove(transaction);
  }

  @Override
  public void transaction(Transaction wire) {
    ReceivedTransaction transaction;
    try {
      transaction = ReceivedTransaction.of(endpoint(), this, wire);
    } catch (PagetideException e) {
      report(e);
      return;
    }
    long most = most();
    boolean tooLate;
    boolean outermost = false;
    ReceivedTransaction first = null;
    synchronized (this) {
      tooLate = ended;
      if (!tooLate) {
        arrived.add(transaction);
        if (!transaction.isOneWay()) {
          waitedFor.put(wire.getTransaction(), transaction);
        }
        outermost = giving.add(Thread.currentThread());
        first = outermost ? takeHeld(most) : null;
      }
    }
    if (tooLate) {
      transaction.drop(); // ended() does not see it any more
    } else if (outermost) {
      giveOutFrom(first);
    }
  }

  @Override
  public void submitted() {
    if (Blocking.isDelivering() || !isHandlingInside()) {
      giveOut();
    } else {
      giveOutElsewhere();
    }
  }

  /** Lets another thread give out, because this one is about to wait. */
  private void giveOutElsewhere() {
    try {
      var _ = Thread.startVirtualThread(this::giveOut);
    } catch (RuntimeException | Error e) {
      giveOut(); // there is no memory for one: as far as this thread can
    }
  }

  /** Whether transactions wait, and this thread runs the handler inside {@link #giveOut}. */
  private synchronized boolean isHandlingInside() {
    Thread thread = Thread.currentThread();
    return !arrived.isEmpty() && giving.contains(thread) && handling.contains(thread);
  }

  @Override
  public synchronized int room() {
    return Math.max(maxQueued - given - arrived.size(), waitedFor.isEmpty() ? 0 : 1);
  }

  /**
   * Gives as many transactions to the executor as there is room for. An executor may run the
   * handler here and now; what there is room for after that, the outer call sees.
   */
  private void giveOut() {
    synchronized (this) {
      if (arrived.isEmpty() || !giving.add(Thread.currentThread())) {
        return;
      }
    }
    giveOutFrom(null);
  }

  /** Gives out {@code taken}, if there is one, and what there is room for then. */
  private void giveOutFrom(@Nullable ReceivedTransaction taken) {
    try {
      ReceivedTransaction next = taken == null ? take() : taken;
      while (next != null) {
        give(next);
        next = take();
      }
    } finally {
      synchronized (this) {
        giving.remove(Thread.currentThread());
      }
    }
  }

  /** How many transactions may be given at a time. */
  private long most() {
    return (long) maxQueued + endpoint().stream().unanswered();
  }

  /** The next transaction that is to have a task of its own; null if there is no room. */
  private @Nullable ReceivedTransaction take() {
    long most = most();
    synchronized (this) {
      return takeHeld(most);
    }
  }

  @GuardedBy("this")
  private @Nullable ReceivedTransaction takeHeld(long most) {
    while (!arrived.isEmpty() && given < most) {
      ReceivedTransaction next = arrived.removeFirst();
      given++;
      if (!next.isOneWay()) {
        return next;
      }
      lane.add(next); // under the monitor, so that threads that give out keep the order
      if (!laneRuns) {
        laneRuns = true;
        return next;
      }
    }
    return null;
  }

  private void give(ReceivedTransaction transaction) {
    if (transaction.isOneWay()) {
      execute(this::runLane, this::rejectLane);
    } else {
      execute(() -> runOne(transaction), failure -> rejected(transaction, failure));
    }
  }

  /** Has the executor do {@code work}, once, or calls {@code rejected} if it does not. */
  private void execute(Runnable work, Consumer<Throwable> rejected) {
    AtomicBoolean begun = new AtomicBoolean();
    try {
      executor.execute(() -> {
        if (begun.compareAndSet(false, true)) {
          work.run();
        }
      });
    } catch (Throwable e) {
      if (begun.compareAndSet(false, true)) {
        rejected.accept(e);
      } else {
        report(e); // it has thrown although it did what it was asked
      }
    }
  }

  /** Nothing of the lane can be handled; the next one-way transaction tries again. */
  private void rejectLane(Throwable why) {
    List<ReceivedTransaction> all;
    synchronized (this) {
      laneRuns = false;
      all = new ArrayList<>(lane);
      lane.clear();
    }
    all.forEach(transaction -> rejected(transaction, why));
  }

  private void rejected(ReceivedTransaction transaction, Throwable why) {
    try {
      if (endpoint().hasEnded()) {
        transaction.drop();
      } else {
        transaction.threw(why);
      }
    } catch (Throwable e) {
      report(e); // the others are rejected all the same
    } finally {
      returned();
    }
  }

  private void runOne(ReceivedTransaction transaction) {
    if (handle(transaction)) {
      Thread.currentThread().interrupt();
    }
  }

  private void runLane() {
    boolean interrupted = false;
    while (!interrupted) {
      ReceivedTransaction next;
      synchronized (this) {
        next = lane.poll();
        if (next == null) {
          laneRuns = false;
          return;
        }
      }
      interrupted = handle(next);
    }
    // An executor that is being shut down interrupts, too: it refuses what remains of the lane.
    execute(this::runLane, this::rejectLane);
    Thread.currentThread().interrupt();
  }

  /**
   * Calls the handler.
   *
   * @return whether it has left this thread interrupted, which it is no more: the caller tells the
   *     thread's owner once nothing else of ours is to be done there. False where events come,
   *     because that thread's owner is not the handler's
   */
  private boolean handle(ReceivedTransaction transaction) {
    boolean interrupted = false;
    try {
      if (endpoint().hasEnded()) {
        transaction.drop();
      } else {
        interrupted = call(transaction);
      }
    } catch (Throwable e) {
      report(e); // the lane goes on
    } finally {
      if (transaction.isOneWay() && !Blocking.isDelivering()) {
        returnedOnTheLane();
      } else {
        returned();
      }
    }
    return interrupted && !Blocking.isDelivering();
  }

  private boolean call(ReceivedTransaction transaction) {
    boolean interrupted = false;
    boolean outermost;
    synchronized (this) {
      outermost = handling.add(Thread.currentThread());
    }
    try {
      try {
        handler.handle(transaction);
      } catch (InterruptedException e) {
        interrupted = true;
        throw e;
      } finally {
        interrupted |= Thread.interrupted();
        if (outermost) {
          synchronized (this) {
            handling.remove(Thread.currentThread());
          }
        }
      }
      transaction.returned();
    } catch (Throwable e) {
      transaction.threw(e);
    }
    return interrupted;
  }

  /** A transaction that was given is done with. */
  private void returned() {
    synchronized (this) {
      given--;
    }
    giveOut();
    endpoint().stream().topUp();
  }

  /** As {@link #returned}; this thread goes on with the lane, which a handler would hold up. */
  private void returnedOnTheLane() {
    boolean waiting;
    synchronized (this) {
      given--;
      waiting = !arrived.isEmpty();
    }
    if (waiting) {
      giveOutElsewhere();
    }
    endpoint().stream().topUp();
  }

  @Override
  public void transactionEnded(long transaction) {
    ReceivedTransaction over;
    boolean notGiven;
    synchronized (this) {
      over = waitedFor.remove(transaction);
      notGiven = over != null && arrived.remove(over);
    }
    if (over == null) {
      return;
    }
    if (notGiven) {
      over.drop();
    } else {
      over.end();
    }
  }

  @Override
  public void failed(PagetideException failure) {
    report(failure);
  }

  @Override
  public void ended() {
    List<ReceivedTransaction> notGiven;
    List<ReceivedTransaction> others;
    synchronized (this) {
      ended = true;
      notGiven = new ArrayList<>(arrived);
      arrived.clear();
      others = new ArrayList<>(waitedFor.values());
      waitedFor.clear();
    }
    notGiven.forEach(ReceivedTransaction::drop);
    others.forEach(ReceivedTransaction::end);
  }
}
