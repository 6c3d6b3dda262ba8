package dev.pagetide.server.transaction;

import dev.pagetide.server.buffer.Buffer;
import dev.pagetide.server.session.Peer;
import dev.pagetide.server.session.Session;
import java.util.List;
import java.util.concurrent.CancellationException;
import org.jspecify.annotations.Nullable;

/**
 * A session that is attached: it carries out commands, and gets events through its {@link
 * EventSink}.
 *
 * <p>Thread-safe, with one exception: {@link #allocate}, {@link #transact} and {@link #reply} begin
 * one after the other, each after the {@code next} of the one before was run. That keeps a sender's
 * one-way transactions in order.
 */
public final class Endpoint {
  private final EndpointRegistry endpoints;
  private final SessionEndpoint sessionEndpoint;
  private final Peer peer;
  private final EventSink sink;
  private final Mailbox mailbox;
  private final EndpointRegistry.Address address;
  private final OpenTransactions open = new OpenTransactions();

  private volatile @Nullable Throwable ended;

  /** The fill that began last; it may have ended. */
  private volatile @Nullable BufferFill current;

  Endpoint(EndpointRegistry endpoints, SessionEndpoint sessionEndpoint, Peer peer, EventSink sink) {
    this.endpoints = endpoints;
    this.sessionEndpoint = sessionEndpoint;
    this.peer = peer;
    this.sink = sink;
    this.mailbox = new Mailbox(sink, endpoints.soon(), this::end);
    this.address = new EndpointRegistry.Address(session().peer().uid(), session().name());
  }

  /** Its session. */
  public Session session() {
    return sessionEndpoint.session();
  }

  /** The process at the other end of its stream, as the kernel describes it. */
  Peer peer() {
    return peer;
  }

  EndpointRegistry endpoints() {
    return endpoints;
  }

  SessionEndpoint sessionEndpoint() {
    return sessionEndpoint;
  }

  /** The address under which others find it, if it receives. */
  EndpointRegistry.Address address() {
    return address;
  }

  boolean hasEnded() {
    return ended != null;
  }

  /** How many events wait for the stream. */
  public int waitingEvents() {
    return mailbox.size();
  }

  /** How much memory the answers among those events hold, about. */
  public long waitingAnswersBytes() {
    return mailbox.bytes();
  }

  /** Sends the events that wait, because the stream can take more. */
  public void drain() {
    mailbox.drain();
  }

  /**
   * Allocates a staged buffer in the endpoint's own range.
   *
   * @param next run when the next command may begin
   */
  public void allocate(long command, long size, boolean clearOnFree, Runnable next) {
    AllocateCommand.begin(this, size, clearOnFree, new Completion(this, command, next));
  }

  /**
   * Sends a transaction to another endpoint.
   *
   * @param next run when the next command may begin: the transaction is in its receiver's mailbox,
   *     or has failed
   */
  public void transact(long command, TransactRequest outgoing, Payload payload, Runnable next) {
    TransactCommand.begin(this, outgoing, payload, new Completion(this, command, next));
  }

  /**
   * Replies to a two-way transaction that was delivered to this endpoint.
   *
   * @param refusal if not empty, the reason why the receiver cannot serve the transaction; then
   *     there is no payload
   * @param next run when the next command may begin
   */
  public void reply(
      long command, long transactionId, Payload payload, String refusal, Runnable next) {
    ReplyCommand.begin(this, transactionId, payload, refusal, new Completion(this, command, next));
  }

  /**
   * Starts a fill. There is one at a time, because the next command begins only after it has ended.
   */
  void begin(BufferFill fill, long waitNanos) {
    current = fill;
    if (ended != null) {
      fill.giveUp();
    }
    fill.start(waitNanos);
  }

  /**
   * Begins a transaction. From then on both endpoints count it as open, until it ends. If this
   * method fails, neither does.
   *
   * @throws TransactionFailure if the transaction is not permitted, has no receiver, or is one too
   *     many
   */
  Transaction beginTransaction(long command, TransactRequest outgoing) {
    Endpoint target = endpoints.target(peer, outgoing);
    long id = endpoints.nextTransaction();
    Transaction transaction = new Transaction(endpoints, id, command, this, target, outgoing);
    if (!outgoing.oneWay()) {
      requireAnswerable(command);
      requireBuffers("a two-way transaction");
      open.ask(command, transaction, endpoints.config().maxTransactions());
    }
    boolean begun = false;
    try {
      hand(transaction);
      begun = true;
      return transaction;
    } finally {
      if (!begun) {
        forgetAsked(transaction);
        target.forgetIncoming(transaction);
      }
    }
  }

  private void hand(Transaction transaction) {
    Endpoint target = transaction.target();
    TransactRequest outgoing = transaction.request();
    target.open.receive(transaction);
    // RACE: the receiver may have ended before it could see this transaction
    if (target.ended != null) {
      transaction.end(
          TransactionOutcome.TARGET_DIED, new TransactionFailure.TargetDied(outgoing.target()));
    } else if (ended != null) {
      transaction.end(TransactionOutcome.ASKER_DIED, null);
    } else if (!outgoing.oneWay() && outgoing.timeoutMillis() > 0) {
      transaction.limitTime();
    }
  }

  /**
   * Frees buffers of the endpoint's own range. One that cannot be freed does not keep the others.
   */
  public void free(long command, List<Long> offsets) {
    sessionEndpoint.free(
        offsets,
        (count, first, why) ->
            answer(new Event.NotFreed(command, count, offsets.size(), first, why)),
        () -> accept(command, false));
  }

  /** Gives up a two-way transaction. It is no error if none waits for its reply. */
  public void cancel(long command, long askedBy) {
    Transaction transaction = asked(askedBy);
    if (transaction != null) {
      transaction.end(TransactionOutcome.CANCELLED, new TransactionFailure.Cancelled());
    }
    accept(command, false);
  }

  /** Reports why a command that never began failed. */
  public void refuse(long command, Throwable why) {
    answer(new Event.Failed(command, why));
  }

  private void accept(long command, boolean oneWaySpam) {
    if (command != 0) {
      answer(new Event.Accepted(command, oneWaySpam));
    }
  }

  /**
   * Why a fill failed. If the fill was given up because this endpoint ends, the reason is that of
   * the end.
   */
  Throwable reason(Throwable why) {
    Throwable end = ended;
    return why instanceof CancellationException && end != null ? end : why;
  }

  /** Sends the endpoint an event; does nothing if the endpoint has ended. */
  void answer(Event event) {
    var _ = tell(event);
  }

  /** As {@link #answer}; false if the endpoint has ended. */
  boolean tell(Event event) {
    return mailbox.postOnce(event);
  }

  /**
   * Sends the endpoint a transaction; false if the endpoint has ended. If this throws, the
   * transaction is to be {@linkplain #remove removed}.
   */
  boolean post(Event.Delivered transaction) {
    return mailbox.post(transaction);
  }

  /**
   * The transaction that the command began and that this endpoint waits for; null if there is none.
   */
  @Nullable Transaction asked(long command) {
    return open.askedBy(command);
  }

  /**
   * The transaction of that number for which this endpoint is the receiver; null if there is none.
   */
  @Nullable Transaction incoming(long id) {
    return open.incoming(id);
  }

  void requireAnswerable(long command) {
    if (command == 0) {
      throw new TransactionFailure.Invalid(
          "id=0: Attach, Allocate and two-way Transact are answered, so they need another id");
    }
  }

  void requireBuffers(String what) {
    if (!sessionEndpoint.hasBuffers()) {
      throw new TransactionFailure.WrongMode(what);
    }
  }

  /** Takes a transaction that has ended out of the mailbox, and gives back its buffer. */
  void takeBack(Transaction transaction, Buffer buffer) {
    remove(transaction);
    sessionEndpoint.discard(buffer);
  }

  /** Takes a transaction that has ended out of the mailbox. */
  void remove(Transaction transaction) {
    mailbox.remove(transaction);
  }

  void forgetAsked(Transaction transaction) {
    open.forgetAsked(transaction);
  }

  void forgetIncoming(Transaction transaction) {
    open.forgetIncoming(transaction);
  }

  /**
   * Ends the endpoint. Notifies the askers of the transactions that it received, and the receivers
   * of those that it began. Its delivered and staged buffers stay. Idempotent. If a step fails, the
   * other steps run nevertheless, and then this throws the failure.
   *
   * @param why the reason that its stream gets
   */
  public void end(Throwable why) {
    synchronized (this) {
      if (ended != null) {
        return;
      }
      ended = why;
    }
    try {
      endpoints.leave(this);
    } finally {
      try {
        open.endAll(session().name());
      } finally {
        leaveSessionEndpoint(why);
      }
    }
  }

  private void leaveSessionEndpoint(Throwable why) {
    try {
      BufferFill unfinished = current;
      if (unfinished != null) {
        unfinished.giveUp();
      }
    } finally {
      mailbox.close();
      sessionEndpoint.leave(this);
      sink.end(why);
    }
  }
}
