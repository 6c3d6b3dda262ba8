package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.client.WaitCases.Call;
import dev.pagetide.client.hostile.Footprint;
import java.io.IOException;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * The table in the package's documentation: which method may be called where answers are delivered,
 * and what an interrupt leaves behind. A public method that is new must be put into the table, or
 * into the list of those that never wait, before these tests pass.
 */
final class WaitTableTest {

  private static final int MOST_ATTEMPTS = 1000;

  /** By class: methods that never wait. Those that end in {@code Async} need not be named. */
  private static final Map<String, Set<String>> NEVER_WAIT =
      Map.ofEntries(
          Map.entry("PagetideClient", Set.of("defaultDirectory", "connect", "attach", "shrinker")),
          Map.entry(
              "PageRange",
              Set.of(
                  "pageSize",
                  "pageCount",
                  "sizeBytes",
                  "rangeId",
                  "token",
                  "maxDataBytes",
                  "serverInstance",
                  "access",
                  "whyRemote",
                  "ticket",
                  "ended",
                  "draining",
                  "close")),
          Map.entry(
              "UsedPages",
              Set.of(
                  "startPage",
                  "endPage",
                  "sizeBytes",
                  "fresh",
                  "filled",
                  "segment",
                  "buffer",
                  "toString")),
          Map.entry(
              "PageCache",
              Set.of("over", "tileCount", "tileBytes", "invalidate", "statistics", "close")),
          Map.entry("Tile", Set.of("sizeBytes", "segment", "buffer", "read", "close")),
          Map.entry("ShrinkerClient", Set.of()),
          Map.entry(
              "Sender",
              Set.of(
                  "rangeId", "sizeBytes", "maxDataBytes", "access", "ended", "draining", "close")),
          Map.entry(
              "Receiver",
              Set.of("sender", "rangeId", "sizeBytes", "access", "ended", "draining", "close")),
          Map.entry("StagedBuffer", Set.of("sizeBytes", "segment", "buffer", "close")),
          Map.entry("Reply", Set.of("sizeBytes", "close")),
          Map.entry(
              "ReceivedTransaction",
              Set.of(
                  "code",
                  "isOneWay",
                  "isClearedOnFree",
                  "sender",
                  "sizeBytes",
                  "refuse",
                  "isOver",
                  "over",
                  "keep",
                  "close")),
          Map.entry("Payload", Set.of("of", "sizeBytes")),
          // The caller's own code.
          Map.entry("TileLoader", Set.of("load")),
          Map.entry("TransactionHandler", Set.of("handle")));

  /**
   * Methods of the table that end or answer something, so they have tests of their own: the closes
   * here, and the reply here and in {@link ReplyEndTest}.
   */
  private static final Set<String> OWN_TESTS =
      Set.of("PagetideClient.close", "UsedPages.close", "ReceivedTransaction.reply");

  @SuppressWarnings("NullAway.Init") // made before each test
  private WaitCases cases;

  @BeforeEach
  void open() throws IOException {
    cases = new WaitCases();
  }

  @AfterEach
  void close() throws IOException {
    Blocking.onInterrupt(null);
    var _ = Thread.interrupted();
    cases.close();
  }

  @Test
  void table_namesEveryPublicMethodThatIsNotKnownToNeverWait() throws Exception {
    Map<String, String> rows = WaitTable.rows();
    Set<String> neither = new TreeSet<>();
    Set<String> both = new TreeSet<>();
    Set<String> unknown = new TreeSet<>(rows.keySet());
    Set<String> withoutCase = new TreeSet<>();
    for (String signature : WaitTable.signatures()) {
      String name = WaitTable.name(signature);
      boolean waits = rows.containsKey(name);
      unknown.remove(name);
      if (waits == neverWaits(name)) {
        (waits ? both : neither).add(signature);
      }
      if (waits && !OWN_TESTS.contains(name) && !cases.calls().containsKey(signature)) {
        withoutCase.add(signature);
      }
    }

    assertThat(neither).as("methods to be put into the package's table, or listed here").isEmpty();
    assertThat(both).as("methods in the table that are said to never wait").isEmpty();
    assertThat(unknown).as("methods of the table that there are not").isEmpty();
    assertThat(withoutCase).as("methods of the table that no test calls").isEmpty();
    assertThat(rows).hasSizeGreaterThan(20);
  }

  private static boolean neverWaits(String name) {
    int dot = name.indexOf('.');
    String method = name.substring(dot + 1);
    return method.endsWith("Async")
        || NEVER_WAIT.getOrDefault(name.substring(0, dot), Set.of()).contains(method);
  }

  @Test
  void everyWait_whereAnswersAreDelivered_isRefusedAndChangesNothing() throws Exception {
    String pages = PageLetters.of(cases.range);
    String held = cases.held();
    Footprint footprint = Footprint.ofThisProcess();
    Map<String, String> notRefused = new TreeMap<>();

    cases
        .calls()
        .forEach((signature, call) -> {
          Optional<Throwable> thrown = onLoop(call);
          if (thrown.filter(WaitTableTest::isRefusal).isEmpty()) {
            notRefused.put(signature, thrown.map(Throwable::toString).orElse("returned"));
          }
        });

    assertThat(notRefused).isEmpty();
    assertThat(PageLetters.of(cases.range)).isEqualTo(pages);
    assertThat(cases.held()).isEqualTo(held);
    Footprint.ofThisProcess().isNoMoreThan(footprint);
    try (UsedPages again = cases.range.use(12, 14)) {
      assertThat(again.fresh().pageCount()).isEqualTo(2); // nobody has used them
    }
  }

  private static boolean isRefusal(Throwable thrown) {
    return thrown instanceof IllegalStateException
        && String.valueOf(thrown.getMessage()).contains("where answers are delivered")
        && String.valueOf(thrown.getMessage()).contains("Async");
  }

  /** What a call throws on the channel's event loop. */
  private Optional<Throwable> onLoop(Call call) {
    while (true) {
      CompletableFuture<Optional<Throwable>> ended = new CompletableFuture<>();
      CompletableFuture<Boolean> delivered = new CompletableFuture<>();
      var _ =
          cases
              .range
              .describeAsync()
              .thenRun(() -> {
                delivered.complete(Blocking.isDelivering());
                ended.complete(Blocking.isDelivering() ? thrown(call) : Optional.empty());
              });
      await().until(ended::isDone);
      if (delivered.join()) { // else the answer was there before the stage was
        return ended.join();
      }
    }
  }

  private static Optional<Throwable> thrown(Call call) {
    try {
      closeResult(call.call());
      return Optional.empty();
    } catch (Throwable e) {
      return Optional.of(e);
    }
  }

  @Test
  void everyWait_interrupted_isCancelledAndLeavesNothing() throws Exception {
    interruptEach(_ -> {}, true);
  }

  @Test
  void everyWait_answerComesBetweenInterruptAndCancellation_isAnsweredAndLeavesNothing()
      throws Exception {
    interruptEach(call -> await().until(call::isDone), false);
  }

  private void interruptEach(Consumer<CompletableFuture<?>> listener, boolean cancels)
      throws Exception {
    String held = cases.held();
    Footprint footprint = Footprint.ofThisProcess();
    AtomicInteger interrupts = new AtomicInteger();
    Blocking.onInterrupt(call -> {
      interrupts.incrementAndGet();
      listener.accept(call);
    });

    for (Map.Entry<String, Call> one : cases.calls().entrySet()) {
      if (one.getKey().startsWith("PagetideClient.connectTcp")) {
        continue; // waits for a name's look-up only
      }
      interrupt(one.getKey(), one.getValue(), interrupts, cancels);
    }

    Blocking.onInterrupt(null);
    await()
        .untilAsserted(() -> {
          assertThat(cases.held()).isEqualTo(held);
          Footprint.ofThisProcess().isNoMoreThan(footprint);
        });
  }

  /** Until the interrupt has met the wait: an answer may be there before the wait begins. */
  private static void interrupt(
      String signature, Call call, AtomicInteger interrupts, boolean cancels) throws Exception {
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      int before = interrupts.get();
      Thread.currentThread().interrupt();
      PagetideException failure = null;
      Object result = null;
      try {
        result = call.call();
      } catch (PagetideException e) {
        failure = e;
      }
      assertThat(Thread.interrupted()).as("the flag after %s", signature).isTrue();
      closeResult(result);
      if (failure != null) {
        assertThat(cancels).as("%s threw %s", signature, failure).isTrue();
        assertThat(failure.code()).as(signature).isEqualTo(StatusCode.CANCELLED);
        assertThat(interrupts.get()).as(signature).isGreaterThan(before);
        return;
      }
      if (!cancels && interrupts.get() > before) {
        return;
      }
    }
    throw new AssertionError("no interrupt has met " + signature);
  }

  private static void closeResult(@Nullable Object result) throws Exception {
    if (result instanceof AutoCloseable open) {
      open.close();
    }
  }

  @Test
  void closeOfAScope_whereAnswersAreDelivered_tellsTheServerWithoutWaiting() {
    UsedPages pages = cases.range.use(12, 14);

    assertThat(onLoop(() -> closed(pages))).isEmpty();

    await().until(() -> PageLetters.of(cases.range).endsWith("aa.."));
  }

  @Test
  void closeOfAScope_interrupted_stopsThePagesAllTheSame() {
    AtomicInteger interrupts = new AtomicInteger();
    Blocking.onInterrupt(_ -> interrupts.incrementAndGet());
    for (int attempt = 0; attempt < MOST_ATTEMPTS && interrupts.get() == 0; attempt++) {
      UsedPages pages = cases.range.use(12, 14);
      Thread.currentThread().interrupt();

      pages.close();

      assertThat(Thread.interrupted()).isTrue();
      await().until(() -> PageLetters.of(cases.range).endsWith("aa.."));
    }
    assertThat(interrupts.get()).isPositive();
  }

  @Test
  void reply_whereAnswersAreDelivered_isSentWithoutWaiting() {
    assertThat(onLoop(() -> replied(cases.waitedFor()))).isEmpty();

    await().until(cases.waitedFor()::isOver);
  }

  private static @Nullable Object replied(ReceivedTransaction transaction) {
    transaction.reply(Payload.NONE);
    return null;
  }

  private static @Nullable Object closed(AutoCloseable open) throws Exception {
    open.close();
    return null;
  }

  @Test
  void closeOfAClient_whereAnswersAreDelivered_leavesNothing() throws Exception {
    try (PagetideClient operator = PagetideClient.connect(cases.server.directory())) {
      CompletableFuture<Boolean> onTheLoop = new CompletableFuture<>();
      PageRange other = cases.shared.open(OpenOptions.ofSize(4096));
      Footprint footprint = Footprint.ofThisProcess();
      var _ =
          other
              .ended()
              .thenRun(() -> {
                cases.shared.close();
                onTheLoop.complete(Blocking.isDelivering());
              });

      other.close();

      await().until(onTheLoop::isDone);
      assertThat(onTheLoop.join()).isTrue();
      assertThat(footprint.mappings()).isPositive();
      await().untilAsserted(() -> assertThat(Footprint.ofThisProcess().mappings()).isZero());
      await().until(() -> operator.shrinker().listRanges().size() == 3); // those of `remote`
    }
  }

  @Test
  void closeOfAClient_interrupted_leavesNothing() throws Exception {
    Thread.currentThread().interrupt();

    cases.shared.close();

    assertThat(Thread.interrupted()).isTrue();
    await().untilAsserted(() -> assertThat(Footprint.ofThisProcess().mappings()).isZero());
    try (PagetideClient operator = PagetideClient.connect(cases.server.directory())) {
      await().until(() -> operator.shrinker().listRanges().size() == 3); // those of `remote`
    }
  }
}
