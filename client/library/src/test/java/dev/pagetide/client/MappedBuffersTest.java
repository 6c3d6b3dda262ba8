package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.pagetide.v1.ExchangeRequest;
import dev.pagetide.v1.ExchangeRequest.CommandCase;
import dev.pagetide.v1.OpenRangeRequest;
import dev.pagetide.v1.Slice;
import dev.pagetide.v1.Transaction;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Buffers in a mapped range: read and written in place, dead when they are freed, safe when the
 * session ends under them. By slices of the one mapping, and with pieces mapped anew.
 */
final class MappedBuffersTest {

  private static final Target STORE = Target.named("store");

  @TempDir Path temporary = Path.of("");

  @AutoClose private final FakeExchange server = new FakeExchange();
  private final ManagedChannel channel = server.channel();

  @AfterEach
  void close() {
    channel.shutdownNow();
    server.close();
  }

  private static <T> T join(CompletableFuture<T> future) {
    await().until(future::isDone);
    return future.join();
  }

  private OpenedSession session(FakeExchange.Mapped mapped) {
    SessionStream stream = SessionStream.start(channel, OpenRangeRequest.getDefaultInstance());
    join(stream.opened());
    var _ =
        stream
            .ended()
            .thenAccept(end -> {
              if (end.cause() == SessionEnd.Cause.CLOSED) {
                mapped.pages.close(); // as SharedFiles does
              }
            });
    return new OpenedSession(mapped.ticket, stream, mapped.pages, "");
  }

  private Receiver receiver(FakeExchange.Mapped mapped, TransactionHandler handler) {
    UnaryCalls calls = new UnaryCalls(channel, ClientOptions.DEFAULT);
    Receiver receiver =
        join(
            Receiver.attach(
                channel, calls, session(mapped), ReceiverOptions.named("store"), handler));
    assertThat(server.next(CommandCase.ATTACH).getAttach().getDeliverData()).isFalse();
    return receiver;
  }

  private Sender sender(FakeExchange.Mapped mapped, boolean confined) {
    UnaryCalls calls =
        new UnaryCalls(channel, ClientOptions.DEFAULT.withConfinedSegments(confined));
    Sender sender = join(Sender.attach(channel, calls, session(mapped), SenderOptions.DEFAULT));
    assertThat(server.next(CommandCase.ATTACH).getAttach().getDeliverData()).isFalse();
    return sender;
  }

  private void transact(long offset, long size) {
    server.transact(
        Transaction.newBuilder().setTransaction(1).setOffset(offset).setSize(size).setFlags(1));
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void data_isReadInPlaceUntilItIsFreed(boolean mapsAnew) throws IOException {
    FakeExchange.Mapped mapped = server.mapped(temporary, mapsAnew);
    MemorySegment range = mapped.pages.bytes(0, 4);
    range.set(ValueLayout.JAVA_BYTE, 4104, (byte) 5);
    CompletableFuture<MemorySegment> bytes = new CompletableFuture<>();
    CompletableFuture<byte[]> seen = new CompletableFuture<>();
    Receiver receiver =
        receiver(
            mapped,
            transaction -> {
              MemorySegment data = transaction.data();
              range.set(ValueLayout.JAVA_BYTE, 4105, (byte) 6); // in place: it is seen
              seen.complete(data.toArray(ValueLayout.JAVA_BYTE));
              bytes.complete(data);
            });

    transact(4104, 4000);

    assertThat(join(seen)).hasSize(4000).startsWith(5, 6, 0);
    assertThat(server.next(CommandCase.FREE_BUFFERS).getFreeBuffers().getOffsetsList())
        .containsExactly(4104L);
    assertThat(join(bytes).isReadOnly()).isTrue();
    assertThat(bytes.join().scope().isAlive()).isFalse();
    assertThat(receiver.access()).isEqualTo(RangeAccess.SHARED);
    assertThat(mapped.pages.isMapped()).isTrue();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void data_emptyBuffer_hasNoBytes(boolean mapsAnew) throws IOException {
    CompletableFuture<Long> size = new CompletableFuture<>();
    receiver(
        server.mapped(temporary, mapsAnew),
        transaction -> size.complete(transaction.data().byteSize()));

    transact(8, 0);

    assertThat(join(size)).isZero();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void close_whileBytesAreHeld_unmapsWhenTheyAreNot(boolean mapsAnew) throws IOException {
    FakeExchange.Mapped mapped = server.mapped(temporary, mapsAnew);
    mapped.pages.bytes(0, 4).set(ValueLayout.JAVA_BYTE, 16, (byte) 5);
    CompletableFuture<ReceivedTransaction> kept = new CompletableFuture<>();
    Receiver receiver =
        receiver(
            mapped,
            transaction -> {
              transaction.keep();
              kept.complete(transaction);
            });
    transact(16, 8);
    ReceivedTransaction transaction = join(kept);
    MemorySegment bytes = transaction.data();

    receiver.close();

    assertThat(bytes.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 5);
    assertThat(mapped.pages.isMapped()).isEqualTo(!mapsAnew);
    transaction.close();
    assertThat(mapped.pages.isMapped()).isFalse();
    assertThatThrownBy(() -> bytes.get(ValueLayout.JAVA_BYTE, 0))
        .isInstanceOf(IllegalStateException.class);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void data_firstAskedForAfterTheEnd_fails(boolean mapsAnew) throws IOException {
    CompletableFuture<ReceivedTransaction> kept = new CompletableFuture<>();
    Receiver receiver =
        receiver(
            server.mapped(temporary, mapsAnew),
            transaction -> {
              transaction.keep();
              kept.complete(transaction);
            });
    transact(16, 8);
    ReceivedTransaction transaction = join(kept);

    receiver.close();

    assertThatThrownBy(transaction::data)
        .isInstanceOf(PagetideException.class)
        .hasMessageContaining("the session has ended");
    transaction.close();
  }

  @Test
  void stage_isWrittenInPlaceAndSentAsASliceManyTimes() throws IOException {
    FakeExchange.Mapped mapped = server.mapped(temporary, false);
    Sender sender = sender(mapped, false);
    CompletableFuture<StagedBuffer> staging = sender.stageAsync(5000);
    ExchangeRequest allocate = server.next(CommandCase.ALLOCATE);
    assertThat(allocate.getAllocate().getSize()).isEqualTo(5000);
    server.allocate(allocate, 1000);
    StagedBuffer staged = join(staging);

    staged.segment().set(ValueLayout.JAVA_BYTE, 4999, (byte) 3);
    CompletableFuture<SendResult> all = sender.sendAsync(STORE, 1, Payload.of(staged));
    CompletableFuture<Reply> part = sender.askAsync(STORE, 2, Payload.of(staged, 100, 10));

    assertThat(mapped.pages.bytes(0, 4).get(ValueLayout.JAVA_BYTE, 5999)).isEqualTo((byte) 3);
    ExchangeRequest first = server.next(CommandCase.TRANSACT);
    assertThat(first.getTransact().getPayload().getSlice())
        .isEqualTo(Slice.newBuilder().setOffset(1000).setLength(5000).build());
    ExchangeRequest second = server.next(CommandCase.TRANSACT);
    assertThat(second.getTransact().getPayload().getSlice())
        .isEqualTo(Slice.newBuilder().setOffset(1100).setLength(10).build());
    staged.close();
    server.accept(first);
    join(all);
    assertThat(server.waiting()).isZero(); // it is being copied still
    server.reply(second, 8000, "");
    join(part);
    assertThat(server.next(CommandCase.FREE_BUFFERS).getFreeBuffers().getOffsetsList())
        .containsExactly(1000L);
    staged.close();
    assertThat(server.waiting()).isZero();
  }

  @Test
  void stage_cancelled_isFreedWhenItComes() throws IOException {
    Sender sender = sender(server.mapped(temporary, false), false);
    CompletableFuture<StagedBuffer> staging = sender.stageAsync(16);
    ExchangeRequest allocate = server.next(CommandCase.ALLOCATE);

    staging.cancel(true);
    server.allocate(allocate, 4000);

    assertThat(server.next(CommandCase.FREE_BUFFERS).getFreeBuffers().getOffsetsList())
        .containsExactly(4000L);
  }

  @Test
  void stage_confinedSegments_isDeadOnceClosed() throws IOException {
    FakeExchange.Mapped mapped = server.mapped(temporary, true);
    Sender sender = sender(mapped, true);
    CompletableFuture<StagedBuffer> staging = sender.stageAsync(16);
    server.allocate(server.next(CommandCase.ALLOCATE), 4000);
    StagedBuffer staged = join(staging);
    MemorySegment bytes = staged.segment();
    bytes.set(ValueLayout.JAVA_BYTE, 0, (byte) 9);

    staged.close();

    assertThatThrownBy(() -> bytes.set(ValueLayout.JAVA_BYTE, 0, (byte) 1))
        .isInstanceOf(IllegalStateException.class);
    assertThat(mapped.pages.bytes(0, 4).get(ValueLayout.JAVA_BYTE, 4000)).isEqualTo((byte) 9);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void stage_cannotBeMappedHere_isFreed(boolean confined) throws IOException {
    FakeExchange.Mapped mapped = server.mapped(temporary, confined);
    Sender sender = sender(mapped, confined);
    CompletableFuture<StagedBuffer> staging = sender.stageAsync(16);
    ExchangeRequest allocate = server.next(CommandCase.ALLOCATE);

    if (confined) {
      mapped.pages.close();
      server.allocate(allocate, 4000);
    } else {
      server.allocate(allocate, 1L << 40); // not within the range
    }

    await().until(staging::isDone);
    assertThat(staging.exceptionNow()).isInstanceOf(PagetideException.class);
    assertThat(server.next(CommandCase.FREE_BUFFERS).getFreeBuffers().getOffsetsList())
        .containsExactly(confined ? 4000L : 1L << 40);
  }

  @Test
  @SuppressWarnings("NullAway") // what a caller that is not checked may do
  void send_thatIsNotSubmitted_doesNotKeepTheBuffer() throws IOException {
    Sender sender = sender(server.mapped(temporary, false), false);
    CompletableFuture<StagedBuffer> staging = sender.stageAsync(16);
    server.allocate(server.next(CommandCase.ALLOCATE), 1000);
    StagedBuffer staged = join(staging);
    assertThatThrownBy(() -> sender.sendAsync(null, 1, Payload.of(staged)))
        .isInstanceOf(NullPointerException.class);
    assertThatThrownBy(() -> sender.askAsync(null, 1, Payload.of(staged)))
        .isInstanceOf(NullPointerException.class);

    staged.close();

    assertThat(server.next(CommandCase.FREE_BUFFERS).getFreeBuffers().getOffsetsList())
        .containsExactly(1000L);
    assertThat(server.waiting()).isZero();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void close_afterTheServerWasLost_unmaps(boolean receives) throws IOException {
    FakeExchange.Mapped mapped = server.mapped(temporary, false);
    Receiver receiver = receives ? receiver(mapped, transaction -> {}) : null;
    Sender sender = receiver == null ? sender(mapped, false) : receiver.sender();

    server.sessions.endSession(Status.UNAVAILABLE.asRuntimeException());

    assertThat(join(sender.ended().toCompletableFuture()).cause())
        .isEqualTo(SessionEnd.Cause.SERVER_LOST);
    assertThat(mapped.pages.isMapped()).isTrue(); // for those who read what they got
    if (receiver == null) {
      sender.close();
      sender.close();
    } else {
      receiver.close();
      receiver.close();
    }
    assertThat(mapped.pages.isMapped()).isFalse();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void attach_failsBecauseTheServerIsLost_unmaps(boolean receives) throws IOException {
    FakeExchange.Mapped mapped = server.mapped(temporary, false);
    UnaryCalls calls = new UnaryCalls(channel, ClientOptions.DEFAULT);
    server.answersAttach = false;
    OpenedSession session = session(mapped);
    CompletableFuture<?> attaching =
        receives
            ? Receiver.attach(channel, calls, session, ReceiverOptions.named("store"), any -> {})
            : Sender.attach(channel, calls, session, SenderOptions.DEFAULT);
    server.next(CommandCase.ATTACH);

    server.sessions.endSession(Status.UNAVAILABLE.asRuntimeException());

    assertThatThrownBy(() -> join(attaching)).hasCauseInstanceOf(PagetideException.class);
    assertThat(mapped.pages.isMapped()).isFalse();
  }
}
