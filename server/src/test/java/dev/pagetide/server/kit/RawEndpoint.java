package dev.pagetide.server.kit;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.pagetide.v1.Accepted;
import dev.pagetide.v1.Allocate;
import dev.pagetide.v1.Attach;
import dev.pagetide.v1.Attached;
import dev.pagetide.v1.Cancel;
import dev.pagetide.v1.ErrorReason;
import dev.pagetide.v1.ExchangeRequest;
import dev.pagetide.v1.ExchangeResponse;
import dev.pagetide.v1.Failed;
import dev.pagetide.v1.FreeBuffers;
import dev.pagetide.v1.OpenRangeRequest;
import dev.pagetide.v1.Payload;
import dev.pagetide.v1.RangeMode;
import dev.pagetide.v1.Replied;
import dev.pagetide.v1.Reply;
import dev.pagetide.v1.Slice;
import dev.pagetide.v1.Transact;
import dev.pagetide.v1.Transaction;
import dev.pagetide.v1.TransactionFlag;
import dev.pagetide.v1.TransactionServiceGrpc;
import io.grpc.Channel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** An endpoint as a client in any language has it: commands go out, answers and news come in. */
public final class RawEndpoint
    implements ClientResponseObserver<ExchangeRequest, ExchangeResponse> {
  public static final int ONE_WAY = TransactionFlag.TRANSACTION_FLAG_ONE_WAY_VALUE;
  public static final int CLEAR_ON_FREE = TransactionFlag.TRANSACTION_FLAG_CLEAR_ON_FREE_VALUE;
  private static final long WAIT_SECONDS = 30;

  private final RawSession session;
  private final boolean reads;
  private final AtomicLong lastId = new AtomicLong();
  private final ConcurrentHashMap<Long, CompletableFuture<ExchangeResponse>> answers =
      new ConcurrentHashMap<>();
  private final LinkedBlockingQueue<Transaction> transactions = new LinkedBlockingQueue<>();
  private final AtomicLong answered = new AtomicLong();
  private final LinkedBlockingQueue<Long> endings = new LinkedBlockingQueue<>();
  private final CompletableFuture<StatusRuntimeException> end = new CompletableFuture<>();
  private @Nullable ClientCallStreamObserver<ExchangeRequest> call;

  private RawEndpoint(RawSession session, boolean reads) {
    this.session = session;
    this.reads = reads;
  }

  /** Opens a BUFFERS session of so many pages. */
  public static RawSession session(Channel channel, String name, int pages) {
    RawSession session =
        RawSession.start(
            channel,
            OpenRangeRequest.newBuilder()
                .setName(name)
                .setSizeBytes((long) pages * RawSession.PAGE)
                .setMode(RangeMode.RANGE_MODE_BUFFERS)
                .build());
    var _ = session.opened();
    return session;
  }

  /** Opens a BUFFERS session and attaches it, to receive. */
  public static RawEndpoint open(Channel channel, String name, int pages) {
    RawEndpoint endpoint = start(channel, session(channel, name, pages), true);
    var _ = endpoint.attach(true);
    return endpoint;
  }

  /** Opens the stream of a session that is there, and sends nothing yet. */
  public static RawEndpoint start(Channel channel, RawSession session, boolean reads) {
    RawEndpoint endpoint = new RawEndpoint(session, reads);
    var _ = TransactionServiceGrpc.newStub(channel).exchange(endpoint);
    return endpoint;
  }

  @Override
  public void beforeStart(ClientCallStreamObserver<ExchangeRequest> stream) {
    call = stream;
    if (!reads) {
      stream.disableAutoRequestWithInitial(0);
    }
  }

  /** Takes so many events more: for an endpoint that was told not to read. */
  public void read(int events) {
    stream().request(events);
  }

  /** Whether the transport takes more commands. */
  public boolean isReady() {
    return stream().isReady();
  }

  private ClientCallStreamObserver<ExchangeRequest> stream() {
    ClientCallStreamObserver<ExchangeRequest> stream = call;
    if (stream == null) {
      throw new AssertionError("not started");
    }
    return stream;
  }

  @Override
  public void onNext(ExchangeResponse message) {
    take(message);
    message.getAlsoList().forEach(this::take);
  }

  private void take(ExchangeResponse event) {
    switch (event.getEventCase()) {
      case TRANSACTION -> transactions.add(event.getTransaction());
      case TRANSACTION_ENDED -> endings.add(event.getTransactionEnded().getTransaction());
      default -> {
        answered.incrementAndGet();
        answer(event.getId()).complete(event);
      }
    }
  }

  @Override
  public void onError(Throwable thrown) {
    StatusRuntimeException status = Status.fromThrowable(thrown).asRuntimeException();
    end.complete(thrown instanceof StatusRuntimeException s ? s : status);
    answers.values().forEach(answer -> answer.completeExceptionally(thrown));
  }

  @Override
  public void onCompleted() {
    onError(Status.OK.asRuntimeException());
  }

  public RawSession session() {
    return session;
  }

  public String name() {
    return "range " + session.opened().getRangeId();
  }

  private CompletableFuture<ExchangeResponse> answer(long id) {
    return answers.computeIfAbsent(id, any -> new CompletableFuture<>());
  }

  /** Sends a command as it is. */
  public synchronized void send(ExchangeRequest request) {
    stream().onNext(request);
  }

  /** Sends a command under a number of its own, which is returned. */
  public synchronized long send(ExchangeRequest.Builder command) {
    long id = lastId.incrementAndGet();
    send(command.setId(id).build());
    return id;
  }

  /** The answer to a command; waits for it. */
  public ExchangeResponse await(long id) {
    return RawSession.get(answer(id));
  }

  /** How many events have answered commands, or told that a command without a number failed. */
  public long answers() {
    return answered.get();
  }

  public boolean isAnswered(long id) {
    return answer(id).isDone();
  }

  public Attached attach(boolean receives) {
    return attach(receives, false);
  }

  public Attached attach(boolean receives, boolean deliverData) {
    long id =
        send(
            ExchangeRequest.newBuilder()
                .setAttach(
                    Attach.newBuilder()
                        .setSession(session.token())
                        .setReceives(receives)
                        .setDeliverData(deliverData)));
    return await(id).getAttached();
  }

  public long allocate(long size) {
    ExchangeResponse answer = await(allocateLater(size, false));
    assertThat(answer.hasAllocated()).as(answer.toString()).isTrue();
    return answer.getAllocated().getOffset();
  }

  public long allocateLater(long size, boolean clearOnFree) {
    return send(
        ExchangeRequest.newBuilder()
            .setAllocate(Allocate.newBuilder().setSize(size).setClearOnFree(clearOnFree)));
  }

  public static Payload bytes(ByteString data) {
    return Payload.newBuilder().setData(data).build();
  }

  public static Payload slice(long offset, long length) {
    return Payload.newBuilder()
        .setSlice(Slice.newBuilder().setOffset(offset).setLength(length))
        .build();
  }

  public static Transact.Builder to(String target, Payload payload) {
    return Transact.newBuilder().setTarget(target).setPayload(payload);
  }

  public long transact(Transact.Builder transact) {
    return send(ExchangeRequest.newBuilder().setTransact(transact));
  }

  /** A one-way transaction that has to be accepted. */
  public Accepted oneWay(String target, Payload payload) {
    ExchangeResponse answer = await(transact(to(target, payload).setFlags(ONE_WAY)));
    assertThat(answer.hasAccepted()).as(answer.toString()).isTrue();
    return answer.getAccepted();
  }

  public long reply(long transaction, Payload payload) {
    return send(
        ExchangeRequest.newBuilder()
            .setReply(Reply.newBuilder().setTransaction(transaction).setPayload(payload)));
  }

  public long refuse(long transaction, String refusal) {
    return send(
        ExchangeRequest.newBuilder()
            .setReply(Reply.newBuilder().setTransaction(transaction).setRefusal(refusal)));
  }

  public long freeLater(Long... offsets) {
    return send(
        ExchangeRequest.newBuilder()
            .setFreeBuffers(FreeBuffers.newBuilder().addAllOffsets(List.of(offsets))));
  }

  /** Frees buffers, all of which can be freed. */
  public void free(Long... offsets) {
    ExchangeResponse answer = await(freeLater(offsets));
    assertThat(answer.hasAccepted()).as(answer.toString()).isTrue();
  }

  public long cancelCommand(long command) {
    return send(ExchangeRequest.newBuilder().setCancel(Cancel.newBuilder().setCommand(command)));
  }

  /** The next transaction for this endpoint; waits for it. */
  public Transaction take() {
    return take(transactions);
  }

  /** The next transaction that is over; waits for it. */
  public long takeEnding() {
    return take(endings);
  }

  public int waiting() {
    return transactions.size();
  }

  private static <T> T take(LinkedBlockingQueue<T> queue) {
    try {
      T next = queue.poll(WAIT_SECONDS, TimeUnit.SECONDS);
      if (next == null) {
        throw new AssertionError("nothing came");
      }
      return next;
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  public Replied replied(long id) {
    ExchangeResponse answer = await(id);
    assertThat(answer.hasReplied()).as(answer.toString()).isTrue();
    return answer.getReplied();
  }

  /** Asserts that a command was accepted. */
  public void accepted(long id) {
    ExchangeResponse answer = await(id);
    assertThat(answer.hasAccepted()).as(answer.toString()).isTrue();
  }

  /** Asserts how a command failed, and what is said. */
  public Failed failed(long id, Status.Code code, ErrorReason reason, String... said) {
    ExchangeResponse answer = await(id);
    assertThat(answer.hasFailed()).as(answer.toString()).isTrue();
    Failed failed = answer.getFailed();
    assertThat(failed.getReason()).as(failed.getMessage()).isEqualTo(reason);
    assertThat(failed.getCode()).isEqualTo(code.value());
    for (String words : said) {
      assertThat(failed.getMessage()).contains(words);
    }
    return failed;
  }

  /** Whether the stream has ended. */
  public boolean hasEnded() {
    return end.isDone();
  }

  /** What the stream ended with; waits for it. */
  public StatusRuntimeException end() {
    return RawSession.get(end);
  }

  public void halfClose() {
    stream().onCompleted();
  }

  public void cancel() {
    stream().cancel("the test ends its Exchange", null);
  }
}
