package dev.pagetide.server.transaction;

import dev.pagetide.server.buffer.Buffer;
import dev.pagetide.server.session.Peer;
import dev.pagetide.server.session.Session;
import java.util.List;
import java.util.concurrent.CancellationException;
import org.jspecify.annotations.Nullable;

/**
 * A session that is attached: it carries out commands, and is told of events through its {@link
 * EventSink}.
 *
 * <p>Thread-safe, but {@link #allocate}, {@link #transact} and {@link #reply} are begun one after
 * the other: the next once the last one's {@code next} was run. That keeps a sender's one-way
 * transactions in order.
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

  /** What was begun last; it may have ended. */
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

  /** The process at the other end of its stream, as the kernel tells of it. */
  Peer peer() {
    return peer;
  }

  EndpointRegistry endpoints() {
    return endpoints;
  }

  SessionEndpoint sessionEndpoint() {
    return sessionEndpoint;
  }

  /** How others know it, if it receives. */
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

  /** Sends what waits: the stream can take more. */
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
   * Transacts to another endpoint.
   *
   * @param next run when the next command may begin: the transaction lies in its receiver's
   *     mailbox, or has failed
   */
  public void transact(long command, TransactRequest outgoing, Payload payload, Runnable next) {
    TransactCommand.begin(this, outgoing, payload, new Completion(this, command, next));
  }

  /**
   * Replies to a two-way transaction that was delivered to this endpoint.
   *
   * @param refusal not empty: why it cannot be served; then there is no payload
   * @param next run when the next command may begin
   */
  public void reply(
      long command, long transactionId, Payload payload, String refusal, Runnable next) {
    ReplyCommand.begin(this, transactionId, payload, refusal, new Completion(this, command, next));
  }

  /** One fill at a time: the next command begins when it has ended. */
  void begin(BufferFill fill, long waitNanos) {
    current = fill;
    if (ended != null) {
      fill.giveUp();
    }
    fill.start(waitNanos);
  }

  /**
   * Begins a transaction, which both endpoints count as open from then on, until it ends. If that
   * fails, neither does.
   *
   * @throws TransactionFailure if it is not permitted, or has no receiver, or is one too many
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
    if (target.ended != null) { // RACE: it ended on our way there, and may not have seen us
      transaction.end(
          TransactionOutcome.TARGET_DIED, new TransactionFailure.TargetDied(outgoing.target()));
    } else if (ended != null) {
      transaction.end(TransactionOutcome.ASKER_DIED, null);
    } else if (!outgoing.oneWay() && outgoing.timeoutMillis() > 0) {
      transaction.limitTime();
    }
  }

  /** Frees buffers of the endpoint's own range: all that can be freed. */
  public void free(long command, List<Long> offsets) {
    sessionEndpoint.free(
        offsets, why -> answer(new Event.Failed(command, why)), () -> accept(command, false));
  }

  /** Gives up a two-way transaction; none that waits for its reply is no error. */
  public void cancel(long command, long askedBy) {
    Transaction transaction = asked(askedBy);
    if (transaction != null) {
      transaction.end(TransactionOutcome.CANCELLED, new TransactionFailure.Cancelled());
    }
    accept(command, false);
  }

  /** Tells of a command that never began why it failed. */
  public void refuse(long command, Throwable why) {
    answer(new Event.Failed(command, why));
  }

  private void accept(long command, boolean oneWaySpam) {
    if (command != 0) {
      answer(new Event.Accepted(command, oneWaySpam));
    }
  }

  /** Why a fill failed. If it was given up because this endpoint ends, the reason is that end's. */
  Throwable reason(Throwable why) {
    Throwable end = ended;
    return why instanceof CancellationException && end != null ? end : why;
  }

  /** Tells the endpoint something; one that has ended is told nothing. */
  void answer(Event event) {
    var _ = post(event);
  }

  /** As {@link #answer}; false if the endpoint has ended. */
  boolean post(Event event) {
    return mailbox.post(event);
  }

  /** The transaction that this endpoint waits for by that command; null: it waits for none. */
  @Nullable Transaction asked(long command) {
    return open.askedBy(command);
  }

  /** The transaction of that number that is for this endpoint; null: there is none. */
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

  /** Takes a transaction that has ended out of the mailbox, and its buffer back. */
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
   * Ends the endpoint: whoever waits for it is told, and whoever works for it is. Its delivered and
   * staged buffers stay. Idempotent. Where a step fails, the others are taken all the same, and
   * then the failure is thrown.
   *
   * @param why what its stream is told
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
