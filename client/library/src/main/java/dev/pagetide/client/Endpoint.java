package dev.pagetide.client;

import dev.pagetide.v1.Allocate;
import dev.pagetide.v1.Attach;
import dev.pagetide.v1.Cancel;
import dev.pagetide.v1.ExchangeRequest;
import dev.pagetide.v1.ExchangeResponse;
import dev.pagetide.v1.ExchangeResponse.EventCase;
import dev.pagetide.v1.Replied;
import dev.pagetide.v1.Transact;
import dev.pagetide.v1.TransactionFlag;
import io.grpc.Channel;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A session attached to an Exchange: its commands as Java calls, with futures that fail with {@link
 * PagetideException} only. Thread-safe.
 *
 * <p>What an answer brings after its future was given up (a buffer) is freed at once.
 */
final class Endpoint {

  /** One-way or two-way, as errors and time limits name it. */
  private static final String TRANSACT = "Transact";

  private final OpenedSession session;
  private final ExchangeStream stream;
  private final RangeBytes bytes;
  private final Duration callTimeout;
  private final AnswerTimeouts timeouts;

  private Endpoint(
      OpenedSession session, ExchangeStream stream, RangeBytes bytes, Duration timeout) {
    this.session = session;
    this.stream = stream;
    this.bytes = bytes;
    this.callTimeout = timeout;
    this.timeouts = new AnswerTimeouts(timeout);
  }

  /** An endpoint that is not attached yet, and is told of nothing before it is. */
  static Endpoint start(
      Channel channel, UnaryCalls calls, OpenedSession session, ExchangeStream.News news) {
    return new Endpoint(
        session,
        ExchangeStream.start(
            channel,
            session.stream(),
            (long) session.ticket().pageSize() * session.ticket().pageCount(),
            news),
        new RangeBytes(session, calls),
        calls.options().callTimeout());
  }

  /** Attaches; completes when the server has taken it. */
  CompletableFuture<Void> attach(boolean receives) {
    Attach.Builder attach =
        Attach.newBuilder()
            .setSession(session.ticket().token())
            .setDeliverData(!bytes.isMapped())
            .setReceives(receives);
    CompletableFuture<Void> result = new CompletableFuture<>();
    ExchangeCommand command = stream.attach(ExchangeRequest.newBuilder().setAttach(attach));
    settle("Attach", command, result, EventCase.ATTACHED, event -> null);
    timeouts.limit("Attach", result);
    return result;
  }

  /** Lets transactions come, or ends the endpoint if {@link #attach} has failed. */
  void openOrClose(@Nullable Throwable failure) {
    if (failure == null) {
      stream.openWindow();
      return;
    }
    close(); // the session may have ended meanwhile, and then nobody else unmaps its file
    throw new CompletionException(Blocking.cause(failure));
  }

  ExchangeStream stream() {
    return stream;
  }

  OpenedSession session() {
    return session;
  }

  RangeBytes bytes() {
    return bytes;
  }

  /** Frees the buffer at {@code offset}, some time soon. */
  void free(long offset, long size) {
    stream.free(offset, size);
  }

  /** Whether the Exchange or the session has ended, as far as we know. */
  boolean hasEnded() {
    return stream.failure() != null || session.stream().failure() != null;
  }

  /**
   * Ends the Exchange, then the session, and unmaps its file: also where the session had ended
   * before, which leaves the file mapped for those who read it.
   */
  void close() {
    stream.close();
    SharedPages pages = session.pages();
    if (pages != null) {
      pages.close();
    }
  }

  CompletableFuture<StagedBuffer> stage(long size, boolean clearOnFree) {
    if (size < 0) {
      throw new IllegalArgumentException("sizeBytes=" + size + " is negative");
    }
    if (!bytes.isMapped()) {
      return stageHere(size);
    }
    CompletableFuture<StagedBuffer> result = new CompletableFuture<>();
    ExchangeCommand command =
        stream.submit(
            ExchangeRequest.newBuilder()
                .setAllocate(Allocate.newBuilder().setSize(size).setClearOnFree(clearOnFree)),
            true);
    settle(
        "Allocate",
        command,
        result,
        EventCase.ALLOCATED,
        event -> staged(event, size),
        StagedBuffer::close);
    giveUpWith(result, command, null);
    timeouts.limit("Allocate", result);
    return result;
  }

  private CompletableFuture<StagedBuffer> stageHere(long size) {
    PagetideException failure = stream.failure();
    if (failure == null && size > bytes.maxDataBytes()) {
      failure =
          tooMuch(size, "; the range's file is not mapped here (" + session.whyRemote() + ")");
    }
    return failure != null
        ? CompletableFuture.failedFuture(failure)
        : CompletableFuture.completedFuture(
            new StagedBuffer(this, bytes.staged(0, size), 0, size, false));
  }

  private StagedBuffer staged(ExchangeResponse event, long size) {
    long offset = WireNumbers.count("offset", event.getAllocated().getOffset());
    boolean done = false;
    try {
      StagedBuffer buffer = new StagedBuffer(this, bytes.staged(offset, size), offset, size, true);
      done = true;
      return buffer;
    } finally {
      if (!done) {
        free(offset, size); // the host maps nothing more, so nobody can write to it
      }
    }
  }

  CompletableFuture<SendResult> send(Target target, int code, Payload payload, boolean clear) {
    int flags = TransactionFlag.TRANSACTION_FLAG_ONE_WAY_VALUE | clearFlag(clear);
    CompletableFuture<SendResult> result = new CompletableFuture<>();
    handOver(
        payload,
        result,
        wire -> {
          ExchangeCommand command = stream.submit(transact(target, code, flags, wire), true);
          settle(
              TRANSACT,
              command,
              result,
              EventCase.ACCEPTED,
              event -> new SendResult(event.getAccepted().getOneWaySpam()));
          giveUpWith(result, command, null);
          return command;
        });
    timeouts.limit(TRANSACT, result);
    return result;
  }

  CompletableFuture<Reply> ask(Target target, int code, Payload payload, AskOptions options) {
    CompletableFuture<Reply> result = new CompletableFuture<>();
    Optional<Duration> timeout = options.timeout();
    handOver(
        payload,
        result,
        wire -> {
          ExchangeRequest.Builder request =
              transact(target, code, clearFlag(options.clearOnFree()), wire);
          request
              .getTransactBuilder()
              .setTimeoutMs((int) (long) timeout.map(Duration::toMillis).orElse(0L));
          ExchangeCommand command = stream.submit(request, true);
          settle(TRANSACT, command, result, EventCase.REPLIED, this::reply, Reply::close);
          giveUpWith(
              result,
              command,
              ExchangeRequest.newBuilder().setCancel(Cancel.newBuilder().setCommand(command.id())));
          return command;
        });
    // The server's clock decides; ours only where the server says nothing.
    timeout.ifPresent(longest -> limit(TRANSACT, result, longest, callTimeout));
    return result;
  }

  private Reply reply(ExchangeResponse event) {
    Replied replied = event.getReplied();
    return new Reply(
        new DeliveredBuffer(
            bytes,
            stream::free,
            WireNumbers.count("offset", replied.getOffset()),
            WireNumbers.count("size", replied.getSize()),
            replied.getData()));
  }

  private static ExchangeRequest.Builder transact(
      Target target, int code, int flags, dev.pagetide.v1.@Nullable Payload payload) {
    Transact.Builder transact =
        Transact.newBuilder().setTarget(target.name()).setCode(code).setFlags(flags);
    target.uid().ifPresent(uid -> transact.setTargetUid((int) uid));
    if (payload != null) {
      transact.setPayload(payload);
    }
    return ExchangeRequest.newBuilder().setTransact(transact);
  }

  private static int clearFlag(boolean clear) {
    return clear ? TransactionFlag.TRANSACTION_FLAG_CLEAR_ON_FREE_VALUE : 0;
  }

  CompletableFuture<Void> reply(long transaction, Payload payload) {
    CompletableFuture<Void> result = new CompletableFuture<>();
    handOver(
        payload,
        result,
        wire -> {
          var reply = dev.pagetide.v1.Reply.newBuilder().setTransaction(transaction);
          if (wire != null) {
            reply.setPayload(wire);
          }
          ExchangeCommand command =
              stream.submit(ExchangeRequest.newBuilder().setReply(reply), true);
          settle("Reply", command, result, EventCase.ACCEPTED, event -> null);
          return command;
        });
    timeouts.limit("Reply", result);
    return result;
  }

  CompletableFuture<Void> refuse(long transaction, String refusal) {
    CompletableFuture<Void> result = new CompletableFuture<>();
    ExchangeCommand command =
        stream.submit(
            ExchangeRequest.newBuilder()
                .setReply(
                    dev.pagetide.v1.Reply.newBuilder()
                        .setTransaction(transaction)
                        .setRefusal(refusal)),
            false);
    settle("Reply", command, result, EventCase.ACCEPTED, event -> null);
    timeouts.limit("Reply", result);
    return result;
  }

  /** Submits a command with a payload, which is let go of when the command was answered. */
  private void handOver(
      Payload payload,
      CompletableFuture<?> result,
      Function<dev.pagetide.v1.@Nullable Payload, ExchangeCommand> submit) {
    StagedBuffer staged = payload.staged();
    if (staged == null) {
      if (payload.sizeBytes() > bytes.maxDataBytes()) {
        result.completeExceptionally(tooMuch(payload.sizeBytes(), "; stage it"));
      } else {
        var _ = submit.apply(payload.sizeBytes() == 0 ? null : data(payload));
      }
      return;
    }
    if (!staged.belongsTo(this)) {
      throw new IllegalArgumentException("the buffer was staged by another sender");
    }
    dev.pagetide.v1.Payload wire = staged.acquire(payload.offset(), payload.sizeBytes());
    ExchangeCommand command;
    try {
      command = submit.apply(wire);
    } catch (RuntimeException | Error e) {
      staged.release(); // nothing was submitted, so no answer is going to do it
      throw e;
    }
    var _ = command.answer().whenComplete((_, _) -> staged.release());
  }

  private static dev.pagetide.v1.Payload data(Payload payload) {
    return dev.pagetide.v1.Payload.newBuilder().setData(payload.bytes()).build();
  }

  private PagetideException tooMuch(long size, String advice) {
    return new PagetideException(
        StatusCode.RESOURCE_EXHAUSTED,
        ErrorReason.TOO_MUCH_DATA,
        size
            + " bytes are more than a message carries, max_data_bytes="
            + bytes.maxDataBytes()
            + advice,
        null,
        false,
        0,
        null);
  }

  private static <R> void settle(
      String name,
      ExchangeCommand command,
      CompletableFuture<R> result,
      EventCase expected,
      Function<ExchangeResponse, R> convert) {
    settle(name, command, result, expected, convert, unwanted -> {});
  }

  /** Completes {@code result} with what the answer says, or hands it to {@code unwanted}. */
  private static <R> void settle(
      String name,
      ExchangeCommand command,
      CompletableFuture<R> result,
      EventCase expected,
      Function<ExchangeResponse, R> convert,
      Consumer<R> unwanted) {
    var _ =
        command
            .answer()
            .whenComplete((event, failure) -> {
              if (failure != null) {
                result.completeExceptionally(failure);
              } else if (event.hasFailed()) {
                result.completeExceptionally(
                    StatusMapping.exception(event.getFailed(), expected == EventCase.REPLIED));
              } else if (event.getEventCase() != expected) {
                result.completeExceptionally(unexpected(name, event));
              } else {
                complete(name, result, () -> convert.apply(event), unwanted);
              }
            });
  }

  private static <R> void complete(
      String name, CompletableFuture<R> result, Supplier<R> convert, Consumer<R> unwanted) {
    R converted;
    try {
      converted = convert.get();
    } catch (PagetideException | Error e) {
      result.completeExceptionally(e);
      return;
    } catch (RuntimeException e) {
      result.completeExceptionally(
          PagetideException.local(
              StatusCode.INTERNAL, "the server's answer to " + name + " is of no use: " + e, e));
      return;
    }
    if (!result.complete(converted)) {
      unwanted.accept(converted);
    }
  }

  private void giveUpWith(
      CompletableFuture<?> result,
      ExchangeCommand command,
      ExchangeRequest.@Nullable Builder cancel) {
    var _ =
        result.whenComplete((_, failure) -> {
          if (failure != null) {
            stream.giveUp(command, cancel);
          }
        });
  }

  /** Fails {@code result} if nothing was heard for {@code longest} and {@code grace} more. */
  private static void limit(
      String command, CompletableFuture<?> result, Duration longest, Duration grace) {
    if (result.isDone()) {
      return;
    }
    long longestNanos = longest.toNanos(); // at most 50 days
    long graceNanos = // a time without end may be more than 63 bits hold
        Math.min(TimeUnit.NANOSECONDS.convert(grace), Long.MAX_VALUE - longestNanos);
    Duration all = Duration.ofNanos(longestNanos + graceNanos);
    CompletableFuture<Void> timer = new CompletableFuture<>();
    var _ =
        timer
            .orTimeout(all.toNanos(), TimeUnit.NANOSECONDS)
            .whenComplete((_, late) -> {
              if (late instanceof TimeoutException) {
                Blocking.deliver(
                    () -> result.completeExceptionally(AnswerTimeouts.noAnswer(command, all)));
              }
            });
    var _ = result.whenComplete((_, _) -> timer.complete(null));
  }

  private static PagetideException unexpected(String command, ExchangeResponse event) {
    return PagetideException.local(
        StatusCode.INTERNAL, "the server answered " + command + " with " + event.getEventCase());
  }
}
