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
 * The Exchange stream of one endpoint: commands out in their order, answers to whom they belong,
 * news to the endpoint. Any thread may call any method; events come one after the other.
 *
 * <p>Nothing waits here for ever: when the stream, or the session it belongs to, ends, every
 * command that was not answered fails.
 */
final class ExchangeStream extends ClientCall.Listener<ExchangeResponse> {

  /** Most commands that wait to be sent or answered. */
  static final int MAX_COMMANDS = 1024;

  /** Most bytes that commands wait to be sent with; one command may always wait. */
  static final long MAX_UNSENT_BYTES = 16L << 20;

  /** Messages that are asked for at once: each may bring several events. */
  private static final int MAX_REQUESTED = 8;

  /** How long frees wait at most, if no command comes by. */
  private static final long FLUSH_MILLIS = 5;

  /*
   * `lock` guards what is queued; no method of the call is called under it, because a transport may
   * answer within the call (the in-process one does).
   *
   * Sending: whoever sets `sending` sends until nothing is left that the transport is ready for.
   * Who comes meanwhile sets `again` and goes: the sender looks at the queues, and asks isReady(),
   * once more before it gives `sending` up, so no command and no onReady() is missed.
   *
   * Frees: free() queues an offset. What is queued goes out in one message: before the next
   * command, or when it is worth a message of its own, or after FLUSH_MILLIS, for which one timer
   * runs. So most frees ride along, and none waits for further traffic.
   *
   * Receiving: `requested` messages are asked for and not come yet. See topUp().
   *
   * LOCKS: News.room() is called under it; nothing of the stream is called under a monitor of the
   * endpoint's.
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
   * What an endpoint is told without having asked. Called where events come: must neither block nor
   * throw.
   */
  interface News {
    /** Somebody transacts to the endpoint. */
    void transaction(Transaction transaction);

    /** Nobody waits for a reply to that transaction any more. */
    void transactionEnded(long transaction);

    /** A command that had no id failed. */
    void failed(PagetideException failure);

    /** A command was submitted, by this thread, and waits for its answer: {@link #unanswered}. */
    void submitted();

    /**
     * For how many events there is room, answers aside; once it grows, the endpoint calls {@link
     * #topUp}. Called under the stream's lock: must take no lock under which the stream is called.
     */
    int room();

    /** The stream has ended. What was on its way to the endpoint may come after this. */
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
   * Starts the stream of {@code session}; nothing is sent before {@link #attach}.
   *
   * @param rangeBytes the size of the range that buffers lie in
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

  /** Why commands are of no use any more; null while the stream lives, as far as we know. */
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

  /** From now on events are asked for. */
  void openWindow() {
    synchronized (lock) {
      open = true;
    }
    topUp();
  }

  /**
   * Queues a command; it is sent as soon as the server takes it.
   *
   * @param limited whether it is refused where too many wait already; what ends something is not
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
   * Lets go of a command whose answer nobody waits for. One that was not sent is never sent.
   *
   * @param cancel what tells the server; null where it is not to be told
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

  /** Frees a buffer of so many bytes, with others that are freed at the same time. */
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

  /** Sends what can be sent, unless somebody is at it, who then goes on. */
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
        // It was cancelled meanwhile; or is now. Its end, which comes, fails all that waits.
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
   * Asks for as many events as there is room for: what is not asked for stays at the server. While
   * commands are not answered it asks for their answers all the same, or a handler that waits for
   * one would wait for itself; what comes with them is bounded by the range, where each transaction
   * has a buffer.
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
        return; // enough is asked for to go on; asking for each event would cost a call each
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
        // An answer to nothing, or a notice of a newer server: nobody here waits for it.
      }
    }
  }

  @Override
  public void onClose(Status status, Metadata trailers) {
    end(StreamEnd.of("Exchange", status, trailers, session.draining().isDone()));
    session.close(); // an endpoint without its stream is none
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
