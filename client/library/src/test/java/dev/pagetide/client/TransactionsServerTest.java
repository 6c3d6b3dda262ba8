package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Transactions from one client to another, through a server in a process of its own. */
final class TransactionsServerTest {

  private static final Target STORE = Target.named("store");
  private static final int MIB = 1 << 20;

  private final List<Throwable> errors = new CopyOnWriteArrayList<>();

  @AutoClose
  @SuppressWarnings("NullAway.Init") // started before each test
  private ServerProcess server;

  @AutoClose
  @SuppressWarnings("NullAway.Init") // connected before each test
  private PagetideClient client;

  @AutoClose
  @SuppressWarnings("NullAway.Init") // connected before each test
  private PagetideClient other;

  @BeforeEach
  void start() throws IOException {
    server = ServerProcess.start();
    client = PagetideClient.connect(server.directory());
    other = PagetideClient.connect(server.directory());
  }

  @AfterEach
  void stop() throws IOException {
    client.close();
    other.close();
    server.close();
    assertThat(errors).isEmpty();
  }

  private Receiver receive(TransactionHandler handler) {
    return other.openReceiver(
        ReceiverOptions.named("store").withErrors((thread, failure) -> errors.add(failure)),
        handler);
  }

  private Sender sender(PagetideClient by) {
    return by.openSender(
        SenderOptions.DEFAULT.withErrors((thread, failure) -> errors.add(failure)));
  }

  private static byte[] bytes(MemorySegment segment) {
    return segment.toArray(ValueLayout.JAVA_BYTE);
  }

  private static byte[] pattern(int length) {
    byte[] bytes = new byte[length];
    for (int i = 0; i < length; i++) {
      bytes[i] = (byte) (i * 31 + (i >>> 12));
    }
    return bytes;
  }

  private void awaitNoUsedPages() {
    await()
        .untilAsserted(() ->
            assertThat(client.shrinker().listRanges())
                .isNotEmpty()
                .allMatch(range -> range.usedPages() == 0));
  }

  @Test
  void ask_stagedMebibyte_isReadInPlaceAndAnsweredAndNothingStaysUsed() {
    byte[] content = pattern(MIB);
    CompletableFuture<byte[]> seen = new CompletableFuture<>();
    CompletableFuture<SenderIdentity> who = new CompletableFuture<>();
    receive(transaction -> {
      who.complete(transaction.sender());
      seen.complete(bytes(transaction.data()));
      transaction.reply(Payload.of(new byte[] {1, 2, 3}));
    });
    Sender sender = sender(client);
    assertThat(sender.access()).isEqualTo(RangeAccess.SHARED);

    try (StagedBuffer staged = sender.stage(MIB)) {
      staged.segment().copyFrom(MemorySegment.ofArray(content));
      try (Reply reply = sender.ask(STORE, 5, Payload.of(staged))) {
        assertThat(bytes(reply.data())).containsExactly(1, 2, 3);
      }
    }

    assertThat(seen.join()).isEqualTo(content);
    assertThat(who.join().name()).startsWith("sender-" + ProcessHandle.current().pid() + "-");
    assertThat(who.join().pid()).hasValue((int) ProcessHandle.current().pid());
    awaitNoUsedPages();
  }

  @ParameterizedTest
  @EnumSource(
      value = AccessMode.class,
      names = {"SHARED", "REMOTE"})
  void ask_bothWays_bytesArriveWhateverLiesBeneath(AccessMode access) {
    ClientOptions options = ClientOptions.DEFAULT.withAccess(access);
    byte[] content = pattern(100_000);
    try (PagetideClient left = PagetideClient.connect(server.directory(), options);
        PagetideClient right = PagetideClient.connect(server.directory(), options);
        Receiver receiver =
            right.openReceiver(
                ReceiverOptions.named("store"),
                transaction -> transaction.reply(Payload.of(bytes(transaction.data()))));
        Sender sender = sender(left)) {
      assertThat(receiver.access().name()).isEqualTo(access.name());
      for (int i = 0; i < 20; i++) {
        try (Reply reply = sender.ask(STORE, i, Payload.of(content))) {
          assertThat(bytes(reply.data())).isEqualTo(content);
        }
      }
      awaitNoUsedPages();
    }
  }

  @Test
  void ask_replyStagedByTheReceiver_arrives() {
    CompletableFuture<Receiver> own = new CompletableFuture<>();
    own.complete(
        receive(transaction -> {
          try (StagedBuffer staged = own.join().sender().stage(2 * MIB)) {
            staged.segment().fill((byte) 9);
            transaction.reply(Payload.of(staged, 1, MIB));
          }
        }));

    try (Reply reply = sender(client).ask(STORE, 1, Payload.NONE)) {
      assertThat(reply.sizeBytes()).isEqualTo(MIB);
      assertThat(bytes(reply.data())).containsOnly(9);
    }
    awaitNoUsedPages();
  }

  @Test
  void send_thousands_arriveInOrderAndAreAllFreed() {
    int many = 5000;
    List<Integer> codes = new CopyOnWriteArrayList<>();
    receive(transaction -> codes.add(transaction.code()));
    Sender sender = sender(client);

    List<CompletableFuture<SendResult>> sent = new ArrayList<>();
    for (int i = 0; i < many; i++) {
      sent.add(
          sender.sendAsync(
              STORE, i, Payload.of(Integer.toString(i).getBytes(StandardCharsets.UTF_8))));
      if (sent.size() == 500) {
        sent.forEach(CompletableFuture::join);
        sent.clear();
      }
    }

    await().until(() -> codes.size() == many);
    assertThat(codes).isEqualTo(IntStream.range(0, many).boxed().toList());
    awaitNoUsedPages();
  }

  @Test
  void ask_handlerThrows_failsWithItsMessage() {
    receive(transaction -> {
      throw new IllegalArgumentException("no such key");
    });

    PagetideException failure =
        catchThrowableOfType(
            PagetideException.class, () -> sender(client).ask(STORE, 1, Payload.NONE));

    assertThat(failure.code()).isEqualTo(StatusCode.ABORTED);
    assertThat(failure.reason()).contains(ErrorReason.REFUSED_BY_RECEIVER);
    assertThat(failure).hasMessageContaining("no such key");
    awaitNoUsedPages();
  }

  @Test
  void ask_receiverCloses_failsWithTargetDied() {
    CompletableFuture<ReceivedTransaction> arrived = new CompletableFuture<>();
    Receiver receiver =
        receive(transaction -> {
          transaction.keep();
          arrived.complete(transaction);
        });
    CompletableFuture<Reply> asked = sender(client).askAsync(STORE, 1, Payload.NONE);
    arrived.join();

    receiver.close();

    CompletionException thrown =
        catchThrowableOfType(CompletionException.class, () -> asked.join());
    assertThat(thrown)
        .cause()
        .isInstanceOfSatisfying(
            PagetideException.class,
            failure -> assertThat(failure.reason()).contains(ErrorReason.TARGET_DIED));
  }

  @Test
  void ask_timesOutOrIsCancelled_receiverIsTold() {
    List<ReceivedTransaction> arrived = new CopyOnWriteArrayList<>();
    receive(transaction -> {
      transaction.keep();
      arrived.add(transaction);
    });
    Sender sender = sender(client);

    PagetideException late =
        catchThrowableOfType(
            PagetideException.class,
            () ->
                sender.ask(
                    STORE, 1, Payload.NONE, AskOptions.DEFAULT.withTimeout(Duration.ofMillis(50))));
    CompletableFuture<Reply> given = sender.askAsync(STORE, 2, Payload.NONE);
    await().until(() -> arrived.stream().anyMatch(transaction -> transaction.code() == 2));
    given.cancel(true);

    assertThat(late.reason()).contains(ErrorReason.TRANSACTION_TIMED_OUT);
    await().until(() -> arrived.stream().allMatch(ReceivedTransaction::isOver));
    arrived.forEach(ReceivedTransaction::close);
    awaitNoUsedPages();
  }

  @Test
  void serverKilled_everythingFailsAtOnce() throws InterruptedException {
    CompletableFuture<ReceivedTransaction> arrived = new CompletableFuture<>();
    Receiver receiver =
        receive(transaction -> {
          transaction.keep();
          arrived.complete(transaction);
        });
    Sender sender = sender(client);
    CompletableFuture<Reply> asked = sender.askAsync(STORE, 1, Payload.of(new byte[] {7}));
    ReceivedTransaction transaction = arrived.join();
    MemorySegment data = transaction.data();

    server.kill();

    CompletionException thrown =
        catchThrowableOfType(CompletionException.class, () -> asked.join());
    assertThat(thrown)
        .cause()
        .isInstanceOfSatisfying(
            PagetideException.class,
            failure -> assertThat(failure.code()).isEqualTo(StatusCode.UNAVAILABLE));
    assertThat(receiver.ended().toCompletableFuture().join().cause())
        .isEqualTo(SessionEnd.Cause.SERVER_LOST);
    assertThat(transaction.isOver()).isTrue();
    assertThat(bytes(data)).containsExactly(7); // mapped until it is closed
    transaction.close();
  }

  @Test
  void over_moreLongPollsThanMayRunAndTheirSenderIsGone_allAreTold() {
    AtomicInteger told = new AtomicInteger();
    AtomicInteger started = new AtomicInteger();
    Receiver receiver =
        receive(transaction -> {
          started.incrementAndGet();
          transaction.over().toCompletableFuture().join();
          told.incrementAndGet();
        });
    Sender sender = sender(client);
    int many = ReceiverOptions.DEFAULT_MAX_QUEUED + 16;
    List<CompletableFuture<Reply>> asked = new ArrayList<>();
    for (int i = 0; i < many; i++) {
      asked.add(sender.askAsync(STORE, i, Payload.NONE));
    }
    await().until(() -> started.get() == ReceiverOptions.DEFAULT_MAX_QUEUED);

    sender.close();

    await().until(() -> told.get() == started.get());
    assertThat(asked).allMatch(CompletableFuture::isCompletedExceptionally);
    awaitNoUsedPages(); // of those whose turn never came, too
    assertThat(receiver.ended().toCompletableFuture()).isNotDone();
  }

  @Test
  void close_afterTheServerWasKilled_leavesNoFileMapped() throws IOException, InterruptedException {
    long before = mappedFiles();
    Receiver receiver = receive(transaction -> {});
    List<Sender> senders = List.of(sender(client), sender(client), sender(client));
    assertThat(mappedFiles()).isGreaterThanOrEqualTo(4);

    server.kill();

    senders.forEach(sender -> sender.ended().toCompletableFuture().join());
    receiver.ended().toCompletableFuture().join();
    senders.forEach(Sender::close);
    receiver.close();
    await().until(() -> mappedFiles() <= before);
  }

  /** How many memfds are mapped into this process. */
  private static long mappedFiles() throws IOException {
    try (Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
      return maps.filter(line -> line.contains("/memfd:")).count();
    }
  }
}
