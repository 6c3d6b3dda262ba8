package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CyclicBarrier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * A segment of its own mapping, asked for while its scope is closed: it must end with the scope, or
 * not be given out. One that outlives its scope would never be unmapped.
 */
final class ConfinedSegmentTest {

  private static final int ROUNDS = 3000;

  @SuppressWarnings("NullAway.Init") // started before each test
  private ServerProcess server;

  @SuppressWarnings("NullAway.Init") // connected before each test
  private PagetideClient client;

  @SuppressWarnings("NullAway.Init") // opened before each test
  private PageRange range;

  @BeforeEach
  void open() throws IOException {
    server = ServerProcess.start();
    client =
        PagetideClient.connect(
            server.directory(),
            ClientOptions.DEFAULT.withAccess(AccessChoice.SHARED).withConfinedSegments(true));
    range = client.open(OpenOptions.ofSize(64 << 10));
  }

  @AfterEach
  void close() throws IOException {
    if (client != null) {
      client.close();
    }
    if (server != null) {
      server.close();
    }
  }

  @Test
  void segment_scopeClosedAfterItsFirstCheck_isNotGivenOut() {
    UsedPages pages = range.use(0, 1);
    CompletableFuture<MemorySegment> given = new CompletableFuture<>();
    Thread asker = asker(pages, given);

    synchronized (pages) {
      asker.start();
      await().until(() -> asker.getState() == Thread.State.BLOCKED);
      pages.close(); // this thread holds the monitor that the asker waits for
    }
    await().until(given::isDone);

    assertThat(given)
        .failsWithin(java.time.Duration.ZERO)
        .withThrowableOfType(java.util.concurrent.ExecutionException.class)
        .havingCause()
        .isInstanceOf(IllegalStateException.class)
        .withMessageContaining("is closed");
  }

  @Test
  void segment_racesClose_neverOutlivesItsScope() throws Exception {
    for (int round = 0; round < ROUNDS; round++) {
      UsedPages pages = range.use(0, 1);
      CompletableFuture<MemorySegment> given = new CompletableFuture<>();
      CyclicBarrier start = new CyclicBarrier(2);
      Thread asker =
          Thread.ofPlatform()
              .unstarted(() -> {
                meet(start);
                asked(pages, given);
              });
      asker.start();

      meet(start);
      pages.close();
      asker.join();

      assertThat(given.isCompletedExceptionally() || !given.join().scope().isAlive())
          .as("round %d", round)
          .isTrue();
    }
  }

  private static Thread asker(UsedPages pages, CompletableFuture<MemorySegment> given) {
    return Thread.ofPlatform().daemon().unstarted(() -> asked(pages, given));
  }

  private static void asked(UsedPages pages, CompletableFuture<MemorySegment> given) {
    try {
      given.complete(pages.segment());
    } catch (IllegalStateException e) {
      given.completeExceptionally(e);
    }
  }

  private static void meet(CyclicBarrier start) {
    try {
      start.await();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }
}
