package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.pagetide.client.hostile.Footprint;
import dev.pagetide.shm.SharedFileLayout;
import dev.pagetide.v1.Opened;
import dev.pagetide.v1.SharedFile;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** That all steps of an opening together take one call timeout, and a stuck one leaves nothing. */
final class OpeningTimeTest {

  private static final SharedFileLayout LAYOUT = SharedFileLayout.of(4096, 4);
  private static final Duration TIMEOUT = Duration.ofSeconds(1);

  @TempDir Path folder = Path.of("");

  /** A server that opens sessions, hands no file over, and attaches nobody. */
  private FakeHandoff stuckServer() throws IOException {
    Opened promised =
        Opened.newBuilder()
            .setSession("secret")
            .setRangeId(7)
            .setPageSize(LAYOUT.pageSize())
            .setPageCount(LAYOUT.pageCount())
            .setMaxDataBytes(1 << 20)
            .setServerInstance(99)
            .setFile(SharedFile.getDefaultInstance())
            .build();
    return new FakeHandoff(folder, promised, FakeHandoff.SILENT, folder.resolve("none"));
  }

  private PagetideClient client(Duration timeout, AccessMode access) {
    return PagetideClient.connect(
        folder, ClientOptions.DEFAULT.withCallTimeout(timeout).withAccess(access));
  }

  /**
   * A receiver waits for its file and for Attach; the other opening, which began later, for one.
   */
  @Test
  void open_severalStepsAreStuck_failsAfterOneCallTimeout() throws IOException {
    try (FakeHandoff server = stuckServer();
        PagetideClient client = client(TIMEOUT, AccessMode.AUTO);
        PagetideClient longer = client(TIMEOUT.multipliedBy(3).dividedBy(2), AccessMode.SHARED)) {
      CompletableFuture<Receiver> receiver =
          client.openReceiverAsync(ReceiverOptions.named("store"), transaction -> {});
      CompletableFuture<Boolean> receiverWasFirst =
          longer
              .openAsync(OpenOptions.ofSize(LAYOUT.dataBytes()))
              .handle((range, failure) -> receiver.isDone());

      await().until(receiverWasFirst::isDone);

      assertThat(receiverWasFirst.join()).isTrue();
      assertThatThrownBy(receiver::join)
          .cause()
          .isInstanceOfSatisfying(
              PagetideException.class,
              failure -> assertThat(failure.code()).isEqualTo(StatusCode.DEADLINE_EXCEEDED))
          .hasMessageContaining("no answer within " + TIMEOUT);
      assertThat(server.uses).hasValue(0);
    }
  }

  @Test
  void open_handoffIsStuck_rangeIsRemoteWithinTheCallTimeout() throws IOException {
    try (FakeHandoff server = stuckServer();
        PagetideClient client = client(TIMEOUT, AccessMode.AUTO);
        PageRange range = client.open(OpenOptions.ofSize(LAYOUT.dataBytes()))) {
      assertThat(range.whyRemote()).hasValue("the hand-off of the file did not end in time");
      assertThat(server.uses).hasValue(0);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"AUTO", "SHARED"})
  void open_givenUpDuringTheHandoff_closesItsConnections(AccessMode access) throws IOException {
    Footprint before = Footprint.ofThisProcess();
    try (FakeHandoff server = stuckServer();
        PagetideClient client = client(Duration.ofMinutes(5), access)) {
      CompletableFuture<PageRange> opening =
          client.openAsync(OpenOptions.ofSize(LAYOUT.dataBytes()));
      await().until(server.handoffs::get, connections -> connections > 0);

      opening.cancel(true);

      await().until(server.endedHandoffs::get, connections -> connections > 0);
      assertThat(opening).isCancelled();
    }
    await().untilAsserted(() -> Footprint.ofThisProcess().isNoMoreThan(before));
  }
}
