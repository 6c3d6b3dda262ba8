package dev.pagetide.client.hostile;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import dev.pagetide.client.AccessMode;
import dev.pagetide.client.ClientOptions;
import dev.pagetide.client.OpenOptions;
import dev.pagetide.client.PageRange;
import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.PagetideException;
import dev.pagetide.client.RangeAccess;
import dev.pagetide.client.ServerProcess;
import dev.pagetide.client.StatusCode;
import dev.pagetide.client.hostile.StepwiseClient.Step;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A server killed with SIGKILL while a client of the library is on its way to a mapped file: the
 * client is told, nothing of the file stays in its process, and the next server on the same
 * directory serves.
 */
final class KilledServerTest {
  /** What the client may take to be told: much more than it needs, much less than its timeout. */
  private static final int MOST_SECONDS = 20;

  /** Steps at which a normal build has a client that wants the file or nothing. */
  private static final Set<Step> SHARED_FIRST =
      EnumSet.of(Step.CONNECTED, Step.OPENED, Step.TOKEN_SENT, Step.DESCRIPTOR_RECEIVED);

  @SuppressWarnings("NullAway.Init") // started before all tests
  private static ServerProcess server;

  @BeforeAll
  static void startServer() throws Exception {
    server = ServerProcess.start();
    serve();
    await().until(() -> Footprint.ofThisProcess().memfds() == 0);
  }

  @AfterAll
  static void stopServer() throws Exception {
    server.close();
  }

  private static void serve() {
    try (PagetideClient client = PagetideClient.connect(server.directory());
        PageRange range = client.open(OpenOptions.ofSize(1 << 16))) {
      assertThat(range.access()).as(range.whyRemote().orElse("")).isEqualTo(RangeAccess.SHARED);
      assertThat(range.useRange(0, 4).pageCount()).isEqualTo(4);
    }
  }

  private static void kill() {
    try {
      server.kill();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @ParameterizedTest
  @EnumSource
  void server_killedAtAStep_isToldToTheClientAndLeavesNothing(Step step) throws Exception {
    killAt(step, SHARED_FIRST.contains(step) ? AccessMode.SHARED : AccessMode.AUTO);
  }

  @ParameterizedTest
  @EnumSource
  @Tag("long")
  void server_killedAtAStepOfTheOtherAccess_isToldToTheClient(Step step) throws Exception {
    killAt(step, SHARED_FIRST.contains(step) ? AccessMode.AUTO : AccessMode.SHARED);
  }

  private static void killAt(Step step, AccessMode access) throws Exception {
    Footprint before = Footprint.ofThisProcess();
    try (Relay relay = new Relay(server.directory().resolveSibling("relay"), server.directory());
        PagetideClient client =
            PagetideClient.connect(
                server.directory().resolveSibling("relay"),
                ClientOptions.DEFAULT.withAccess(access))) {
      assertThat(client.shrinker().count(0)).isZero();
      if (step == Step.CONNECTED) {
        kill();
      } else {
        relay.stopAt(step, KilledServerTest::kill);
      }

      PagetideException failure = openAndUse(client, step);

      assertThat(failure.code()).isEqualTo(StatusCode.UNAVAILABLE);
    }
    await().untilAsserted(() -> Footprint.ofThisProcess().isNoMoreThan(before));
    server.startAgain();
    serve();
  }

  /** What the client is told, by open or, where that came through, by what is done next. */
  private static PagetideException openAndUse(PagetideClient client, Step step) {
    return catchThrowableOfType(
        PagetideException.class,
        () -> {
          PageRange range;
          try {
            range =
                client.openAsync(OpenOptions.ofSize(1 << 16)).get(MOST_SECONDS, TimeUnit.SECONDS);
          } catch (ExecutionException e) {
            throw e.getCause();
          }
          if (step == Step.MAPPED) {
            range.useRange(0, 4);
            kill();
          }
          var _ = range.ended().toCompletableFuture().get(MOST_SECONDS, TimeUnit.SECONDS);
          range.useRange(0, 4);
        });
  }
}
