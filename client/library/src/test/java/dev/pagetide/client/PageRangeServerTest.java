package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import dev.pagetide.shm.PageState;
import java.io.IOException;
import java.net.ServerSocket;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The library against a real server process. */
final class PageRangeServerTest {

  private static final int MAX_DATA_BYTES = 64 << 10;

  @SuppressWarnings("NullAway.Init") // started before all tests
  private static ServerProcess server;

  @SuppressWarnings("NullAway.Init") // opened before each test
  private PagetideClient client;

  @SuppressWarnings("NullAway.Init") // opened before each test
  private PageRange range;

  @BeforeAll
  static void startServer() throws IOException {
    server = ServerProcess.start("--max-data-bytes", "64KiB");
  }

  @AfterAll
  static void stopServer() throws IOException {
    server.close();
  }

  @BeforeEach
  void open() {
    client = PagetideClient.connect(server.directory());
    range = client.open(OpenOptions.ofSize(1 << 20));
  }

  @AfterEach
  void close() {
    client.close();
  }

  private long bytes(int pages) {
    return (long) pages * range.pageSize();
  }

  @Test
  void open_sizeWithARest_grantsWholePages() {
    try (PageRange odd = client.open(OpenOptions.atMost(bytes(3) + 1))) {
      assertThat(odd.pageCount()).isEqualTo(3);
      assertThat(odd.maxDataBytes()).isEqualTo(MAX_DATA_BYTES);
      assertThat(odd.serverInstance()).isEqualTo(range.serverInstance()).isNotZero();
      assertThat(odd.rangeId()).isNotEqualTo(range.rangeId());
      assertThat(odd.describe().freePages()).isEqualTo(3);
    }
  }

  @Test
  void open_lessThanAPage_isRefusedWithItsReason() {
    PagetideException failure =
        catchThrowableOfType(
            PagetideException.class, () -> client.open(OpenOptions.ofSize(bytes(1) - 1)));

    assertThat(failure.code()).isEqualTo(StatusCode.INVALID_ARGUMENT);
    assertThat(failure.reason()).contains(ErrorReason.SIZE_INVALID);
    assertThat(failure.outcomeUnknown()).isFalse();
  }

  @Test
  void open_nameTaken_isRefusedUntilItsHolderCloses() {
    PageRange holder = client.open(new OpenOptions("wanted", bytes(1)));
    PagetideException failure =
        catchThrowableOfType(
            PagetideException.class, () -> client.open(new OpenOptions("wanted", bytes(1))));
    assertThat(failure.reason()).contains(ErrorReason.NAME_TAKEN);

    holder.close();

    await()
        .ignoreExceptionsMatching(PagetideException.class::isInstance)
        .untilAsserted(() -> client.open(new OpenOptions("wanted", bytes(1))).close());
  }

  @Test
  void useStopUse_nothingReclaimed_keepsTheBytes() {
    assertThat(range.useRange(0, 4).intervals()).containsExactly(new PageInterval(0, 4));
    byte[] written = new byte[range.pageSize()];
    Arrays.fill(written, (byte) 5);
    range.write(bytes(1), written);
    range.stopUsingRange(0, 4);
    assertThat(range.describe().availablePages()).isEqualTo(4);

    FreshPages fresh = range.useRange(0, 5);

    assertThat(fresh.intervals()).containsExactly(new PageInterval(4, 5));
    assertThat(range.read(bytes(1), range.pageSize())).isEqualTo(written);
  }

  @Test
  void scan_stoppedPages_areFreshAgainAndUsedOnesAreNot() {
    range.useRange(0, 8);
    range.write(0, new byte[] {1, 2, 3});
    range.write(bytes(4), new byte[] {4, 5, 6});
    range.stopUsingRange(0, 4);
    assertThat(client.shrinker().count(range.rangeId())).isEqualTo(4);
    assertThat(client.shrinker().scan(9, range.rangeId(), true).reclaimedPages()).isEqualTo(4);
    assertThat(range.describe().stateOf(0)).isEqualTo(PageState.AVAILABLE);

    ScanResult scan = client.shrinker().scan(9, range.rangeId(), false);

    assertThat(scan.reclaimedPages()).isEqualTo(4);
    assertThat(range.describe().stateOf(3)).isEqualTo(PageState.FREE);
    assertThat(range.read(bytes(4), 3)).containsExactly(4, 5, 6);
    assertThat(range.useRange(0, 8).intervals()).containsExactly(new PageInterval(0, 4));
    assertThat(range.read(0, 3)).containsOnly(0);
  }

  @Test
  void writeAndRead_longerThanTheServersLimit_isTheSame() {
    range.useRange(0, range.pageCount());
    long seed = 42;
    byte[] written = new byte[3 * MAX_DATA_BYTES + 17];
    new Random(seed).nextBytes(written);

    range.write(11, written);

    assertThat(range.read(11, written.length)).as("seed %d", seed).isEqualTo(written);
    range.fillZero(12, written.length - 2);
    byte[] zeroed = range.read(11, written.length);
    assertThat(zeroed[0]).isEqualTo(written[0]);
    assertThat(zeroed[written.length - 1]).isEqualTo(written[written.length - 1]);
    assertThat(Arrays.copyOfRange(zeroed, 1, written.length - 1)).containsOnly(0);
  }

  @Test
  void read_pageNotUsed_isRefusedWithItsReason() {
    PagetideException failure =
        catchThrowableOfType(PagetideException.class, () -> range.read(0, 1));

    assertThat(failure.code()).isEqualTo(StatusCode.FAILED_PRECONDITION);
    assertThat(failure.reason()).contains(ErrorReason.PAGE_NOT_USED);
  }

  @Test
  void use_pastTheEndOrTooManySpans_isRefusedAndChangesNothing() {
    int end = range.pageCount();
    assertThat(
            catchThrowableOfType(PagetideException.class, () -> range.useRange(0, end + 1))
                .reason())
        .contains(ErrorReason.PAST_END);
    List<PageInterval> tooMany = Collections.nCopies(5000, new PageInterval(0, 1));
    assertThat(
            catchThrowableOfType(PagetideException.class, () -> range.useRange(tooMany)).reason())
        .contains(ErrorReason.TOO_MANY_SPANS);
    assertThat(range.useRange(end + 7, end).isEmpty()).isTrue();

    assertThat(range.describe().freePages()).isEqualTo(end);
  }

  @Test
  void attach_fromAnotherClient_worksOnTheSamePages() {
    range.useRange(0, 1);
    try (PagetideClient other = PagetideClient.connect(server.directory());
        PageRange attached = other.attach(range.ticket())) {
      attached.write(0, new byte[] {7});
    }

    assertThat(range.read(0, 1)).containsExactly(7);
  }

  @Test
  void close_rangeIsGone() {
    PageRange closing = client.open(new OpenOptions("closing", bytes(2)));
    SessionTicket ticket = closing.ticket();
    assertThat(client.shrinker().listRanges()).extracting(RangeStatus::name).contains("closing");

    closing.close();

    await()
        .untilAsserted(() ->
            assertThat(client.shrinker().listRanges())
                .extracting(RangeStatus::rangeId)
                .doesNotContain(ticket.rangeId()));
    assertThatThrownBy(() -> client.attach(ticket).describe())
        .isInstanceOfSatisfying(
            PagetideException.class,
            failure -> assertThat(failure.reason()).contains(ErrorReason.UNKNOWN_SESSION));
  }

  @Test
  void serverKilled_sessionIsLostAndCallsFail() throws IOException, InterruptedException {
    try (ServerProcess doomed = ServerProcess.start();
        PagetideClient victim = PagetideClient.connect(doomed.directory());
        PageRange lost = victim.open(OpenOptions.ofSize(bytes(1)))) {
      lost.useRange(0, 1);

      doomed.kill();

      CompletableFuture<SessionEnd> ended = lost.ended().toCompletableFuture();
      await().until(ended::isDone);
      assertThat(ended.join().cause()).isEqualTo(SessionEnd.Cause.SERVER_LOST);
      PagetideException failure =
          catchThrowableOfType(PagetideException.class, () -> lost.read(0, 1));
      assertThat(failure.code()).isEqualTo(StatusCode.UNAVAILABLE);
      assertThat(
              catchThrowableOfType(
                      PagetideException.class, () -> victim.open(OpenOptions.ofSize(bytes(1))))
                  .code())
          .isEqualTo(StatusCode.UNAVAILABLE);
    }
  }

  @Test
  void serverTerminated_saysSoBeforeItEnds() throws IOException, InterruptedException {
    try (ServerProcess stopping = ServerProcess.start("--drain-wait", "200ms");
        PagetideClient guest = PagetideClient.connect(stopping.directory());
        PageRange held = guest.open(OpenOptions.ofSize(bytes(1)))) {
      stopping.terminate();

      CompletableFuture<DrainNotice> notice = held.draining().toCompletableFuture();
      await().until(notice::isDone);
      assertThat(notice.join().grace()).hasMillis(200);
      CompletableFuture<SessionEnd> ended = held.ended().toCompletableFuture();
      await().until(ended::isDone);
      assertThat(ended.join().cause()).isEqualTo(SessionEnd.Cause.SERVER_STOPPED);
      assertThat(stopping.awaitExit()).isZero();
    }
  }

  @Test
  void open_overTcpAndForcedToBeShared_failsAndGivesTheSessionUp() throws IOException {
    int port;
    try (var probe = new ServerSocket(0)) {
      port = probe.getLocalPort();
    }
    String address = "127.0.0.1:" + port;
    ClientOptions shared = ClientOptions.DEFAULT.withAccess(AccessMode.SHARED);
    try (ServerProcess listening = ServerProcess.start("--listen", address);
        PagetideClient near = PagetideClient.connect(listening.directory());
        PagetideClient far = PagetideClient.connectTcp(address, shared)) {
      assertThatThrownBy(() -> far.open(OpenOptions.ofSize(bytes(1))))
          .isInstanceOf(PagetideException.class)
          .hasMessageContaining("Unix socket only");

      await().until(() -> near.shrinker().listRanges().isEmpty());
    }
  }

  @Test
  void connectTcp_loopback_servesRangesButNotTheOperator() throws IOException {
    int port;
    try (var probe = new ServerSocket(0)) {
      port = probe.getLocalPort();
    }
    String address = "127.0.0.1:" + port;
    try (ServerProcess listening = ServerProcess.start("--listen", address);
        PagetideClient remote = PagetideClient.connectTcp(address);
        PageRange far = remote.open(OpenOptions.ofSize(bytes(1)))) {
      assertThat(listening.directory()).exists();
      assertThat(far.access()).isEqualTo(RangeAccess.REMOTE);
      assertThat(far.whyRemote()).hasValue("the server hands files over on its Unix socket only");
      far.useRange(0, 1);
      far.write(0, new byte[] {3});
      assertThat(far.read(0, 1)).containsExactly(3);

      PagetideException failure =
          catchThrowableOfType(PagetideException.class, () -> remote.shrinker().count(0));
      assertThat(failure.code()).isIn(StatusCode.PERMISSION_DENIED, StatusCode.UNIMPLEMENTED);
      assertThat(failure.outcomeUnknown()).isFalse();
    }
  }
}
