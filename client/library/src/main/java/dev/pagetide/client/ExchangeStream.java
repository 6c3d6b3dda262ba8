package dev.pagetide.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.v1.ExchangeRequest;
import dev.pagetide.v1.ExchangeResponse;
import dev.pagetide.v1.Transaction;
import dev.pagetide.v1.TransactionServiceGrpc;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.Status;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The Exchange stream of one endpoint. It sends commands in their order, passes each answer to the
 * code that waits for it, and passes the other events to the endpoint. Any thread may call any
 * method. Events come one after the other.
 *
 * <p>No command waits here without end: when the stream or its session ends, every command that was
 * not answered fails.
 */
final class ExchangeStream extends ClientCall.Listener<ExchangeResponse> {

  /** Most commands that wait to be sent or answered. */
  static final int MAX_COMMANDS = 1024;

  /** Most bytes of commands that wait to be sent; one command may always wait. */
  static final long MAX_UNSENT_BYTES = 16L << 20;

  /** How many messages we ask for at once; each may have several events. */
  private static final int MAX_REQUESTED = 8;

  /** The longest time that frees wait for a command with which they can be sent. */
  private static final long FLUSH_MILLIS = 5;

  /*
   * `lock` guards the queues. No method of the call is called under it, because a transport may
   * answer within the call (the in-process one does).
   *
   * Sending: the thread that sets `sending` sends until the queues are empty or the transport is
   * not ready. Another thread that has something to send meanwhile sets `again` and returns. The
   * sending thread checks the queues and isReady() once more before it clears `sending`, so it
   * misses no command and no onReady().
   *
   * Frees: free() queues an offset. The queued offsets are sent in one message: before the next
   * command, or when there are enough for a message of their own, or after FLUSH_MILLIS, for which
   * one timer runs. So most frees are sent together with a command, and none waits for further
   * traffic.
   *
   * Receiving: we have asked for `requested` messages that have not arrived yet. See topUp().
   *
   * LOCKS: News.room() is called under it. No method of the stream is called under a monitor of the
   * endpoint.
   */
  private final Object lock = new Object();

  private static final Executor FLUSHER =
      CompletableFuture.delayedExecutor(FLUSH_MILLIS, TimeUnit.MILLISECONDS);

  private final ClientCall<ExchangeRequest, ExchangeResponse> call;
  private final SessionStream session;
  private final News news;
  private final CompletableFuture<SessionEnd> ended = new CompletableFuture<>();

  @GuardedBy("lock")
  private final SendQueue queue;

  @GuardedBy("lock")
  private final Map<Long, ExchangeCommand> unanswered = new HashMap<>();

  @GuardedBy("lock")
  private long lastId;

  @GuardedBy("lock")
  private boolean sending;

  @GuardedBy("lock")
  private boolean again;

  @GuardedBy("lock")
  private boolean flushScheduled;

  @GuardedBy("lock")
  private boolean open;

  @GuardedBy("lock")
  private int requested;

  @GuardedBy("lock")
  private @Nullable PagetideException failure;

  /**
   * The events that an endpoint gets without a command. The threads that deliver answers call these
   * methods, so they must neither block nor throw.
   */
  interface News {
    /** Another endpoint transacts to this one. */
    void transaction(Transaction transaction);

    /** The asker no longer waits for a reply to that transaction. */
    void transactionEnded(long transaction);

    /** A command that had no id failed. */
    void failed(PagetideException failure);

    /** A command was submitted, by this thread, and waits for its answer: {@link #unanswered}. */
    void submitted();

    /**
     * For how many events, besides answers, there is room. When that grows, the endpoint calls
     * {@link #topUp}. The stream calls this under its lock, so it must take no lock under which the
     * stream is called.
     */
    int room();

    /** The stream has ended. Events that were on their way to the endpoint may come after this. */
    void ended();
  }

  private ExchangeStream(
      ClientCall<ExchangeRequest, ExchangeResponse> call,
      SessionStream session,
      long rangeBytes,
      News news) {
    this.call = call;
    this.queue = new SendQueue(rangeBytes);
    this.session = session;
    this.news = news;
  }

  /**
   * Starts the stream of {@code session}; it sends nothing before {@link #attach}.
   *
   * @param rangeBytes the size of the range that holds the buffers
   */
  static ExchangeStream start(Channel channel, SessionStream session, long rangeBytes, News news) {
    Context caller = Context.ROOT.attach();
    try {
      ExchangeStream stream =
          new ExchangeStream(
              channel.newCall(TransactionServiceGrpc.getExchangeMethod(), CallOptions.DEFAULT),
              session,
              rangeBytes,
              news);
      stream.call.start(stream, new Metadata());
      var _ =
          session
              .ended()
              .thenAccept(end -> {
                PagetideException why = session.failure();
                stream.end(
                    new StreamEnd(end, why == null ? StreamEnd.closedByUs().failure() : why));
                stream.call.cancel("the session has ended", null);
              });
      return stream;
    } finally {
      Context.ROOT.detach(caller);
    }
  }

  /** Completes when the stream or its session has ended, and never fails. */
  CompletableFuture<SessionEnd> ended() {
    return ended;
  }

  /** Why every further command must fail; null while the stream lives, as far as we know. */
  @Nullable PagetideException failure() {
    synchronized (lock) {
      return failure;
    }
  }

  /** Ends the stream, then its session. Never fails and never waits. */
  void close() {
    end(StreamEnd.closedByUs());
    call.cancel("closed by the client", null);
    session.close();
  }

  /** Sends the first command and asks for its answer. */
  ExchangeCommand attach(ExchangeRequest.Builder attach) {
    ExchangeCommand command;
    synchronized (lock) {
      lastId = 1;
      command = new ExchangeCommand(attach.setId(lastId).build());
      requested = 1;
      PagetideException why = failure;
      if (why != null) {
        command.answer().completeExceptionally(why);
        return command;
      }
      unanswered.put(lastId, command);
      queue.add(command);
    }
    call.request(1);
    send();
    return command;
  }

  /** Begins to ask for events. */
  void openWindow() {
    synchronized (lock) {
      open = true;
    }
    topUp();
  }

  /**
   * Queues a command; it is sent as soon as the server takes it.
   *
   * @param limited whether it fails if too many commands wait already; false for commands that end
   *     something
   */
  ExchangeCommand submit(ExchangeRequest.Builder request, boolean limited) {
    ExchangeCommand command;
    PagetideException refusal;
    synchronized (lock) {
      lastId++;
      command = new ExchangeCommand(request.setId(lastId).build());
      refusal = failure;
      if (refusal == null && limited) {
        refusal = overLimit(command.sizeBytes());
      }
      if (refusal == null) {
        unanswered.put(command.id(), command);
        queue.add(command);
      }
    }
    if (refusal != null) {
      command.answer().completeExceptionally(refusal);
      return command;
    }
    send();
    news.submitted();
    topUp();
    return command;
  }

  /** How many commands are not answered yet. */
  int unanswered() {
    synchronized (lock) {
      return unanswered.size();
    }
  }

  @GuardedBy("lock")
  private @Nullable PagetideException overLimit(long bytes) {
    if (unanswered.size() >= MAX_COMMANDS) {
      return tooMany(
          unanswered.size() + " commands are not answered yet, of at most", MAX_COMMANDS);
    }
    if (queue.bytes() > 0 && queue.bytes() + bytes > MAX_UNSENT_BYTES) {
      return tooMany(
          queue.bytes() + " bytes are not sent yet, and with " + bytes + " more it were more than",
          MAX_UNSENT_BYTES);
    }
    return null;
  }

  private static PagetideException tooMany(String what, long limit) {
    return PagetideException.local(
        StatusCode.RESOURCE_EXHAUSTED,
        what + " " + limit + "; go on when some futures have completed");
  }

  /**
   * Drops a command for whose answer no caller waits. If it was not sent yet, it is never sent.
   *
   * @param cancel the command that notifies the server; null if it is not to be notified
   */
  void giveUp(ExchangeCommand command, ExchangeRequest.@Nullable Builder cancel) {
    boolean neverSent;
    synchronized (lock) {
      if (unanswered.get(command.id()) != command) {
        return;
      }
      neverSent = !command.isSent() && queue.remove(command);
      if (neverSent) {
        unanswered.remove(command.id());
      } else if (cancel != null && failure == null) {
        queue.add(new ExchangeCommand(cancel.build()));
      }
    }
    if (neverSent) {
      command
          .answer()
          .completeExceptionally(
              PagetideException.local(StatusCode.CANCELLED, "given up before it was sent"));
    }
    send();
  }

  /** Frees a buffer of that size, together with others that are freed at the same time. */
  void free(long offset, long size) {
    boolean now;
    boolean schedule;
    synchronized (lock) {
      if (failure != null) {
        return; // its range has ended, or ends with the session that close() ends
      }
      now = queue.addFree(offset, size);
      schedule = !now && !flushScheduled;
      flushScheduled |= schedule;
    }
    if (now) {
      send();
    } else if (schedule) {
      FLUSHER.execute(this::flush);
    }
  }

  private void flush() {
    synchronized (lock) {
      flushScheduled = false;
      queue.flush();
    }
    send();
  }

  /** Sends what can be sent, unless another thread is sending; then that thread goes on. */
  private void send() {
    synchronized (lock) {
      again = true;
      if (sending) {
        return;
      }
      sending = true;
    }
    while (true) {
      try {
        ExchangeRequest next;
        boolean ready = call.isReady();
        synchronized (lock) {
          next = ready ? queue.poll() : null;
          if (next == null) {
            if (!again) {
              sending = false;
              return;
            }
            again = false;
            continue;
          }
        }
        call.sendMessage(next);
      } catch (RuntimeException | Error e) {
        // The call was cancelled meanwhile, or is cancelled now. Its end will fail all that waits.
        call.cancel("a command cannot be sent", e);
        synchronized (lock) {
          sending = false;
        }
        return;
      }
    }
  }

  @Override
  public void onReady() {
    send();
  }

  /**
   * Asks for as many events as there is room for; the others stay at the server. While commands are
   * not answered, this asks for messages even without room, because otherwise a handler that waits
   * for an answer would wait for itself. The range bounds the transactions that then come, because
   * each of them has a buffer there.
   */
  void topUp() {
    int more;
    synchronized (lock) {
      if (!open || failure != null) {
        return;
      }
      int wanted = Math.min(MAX_REQUESTED, Math.max(news.room(), unanswered.size()));
      more = wanted - requested;
      if (more <= 0 || (requested > wanted / 2)) {
        return; // we have asked for enough; asking for each event alone would cost a call each
      }
      requested = wanted;
    }
    call.request(more);
  }

  @Override
  public void onMessage(ExchangeResponse message) {
    synchronized (lock) {
      requested--;
    }
    Blocking.deliver(() -> {
      take(message);
      message.getAlsoList().forEach(this::take);
    });
    topUp();
  }

  private void take(ExchangeResponse event) {
    ExchangeCommand answered;
    synchronized (lock) {
      answered = event.hasTransaction() ? null : unanswered.remove(event.getId());
    }
    if (answered != null) {
      answered.answer().complete(event);
      return;
    }
    switch (event.getEventCase()) {
      case TRANSACTION -> news.transaction(event.getTransaction());
      case TRANSACTION_ENDED -> news.transactionEnded(event.getTransactionEnded().getTransaction());
      case FAILED -> news.failed(StatusMapping.exception(event.getFailed(), false));
      case ATTACHED, ALLOCATED, ACCEPTED, REPLIED, EVENT_NOT_SET -> {
        // An answer to no command, or an event of a newer server: no code here waits for it.
      }
    }
  }

  @Override
  public void onClose(Status status, Metadata trailers) {
    end(StreamEnd.of("Exchange", status, trailers, session.draining().isDone()));
    session.close(); // without its stream the endpoint has ended
  }

  private void end(StreamEnd end) {
    List<ExchangeCommand> waiting;
    synchronized (lock) {
      if (failure != null) {
        return;
      }
      failure = end.failure();
      waiting = new ArrayList<>(unanswered.values());
      unanswered.clear();
      queue.clear();
    }
    PagetideException afterSending = end.failure().withUnknownOutcome();
    Blocking.deliver(() -> {
      for (ExchangeCommand command : waiting) {
        command.answer().completeExceptionally(command.isSent() ? afterSending : end.failure());
      }
      news.ended();
      ended.complete(end.end());
    });
  }
}
