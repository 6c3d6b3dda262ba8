package dev.pagetide.client;

import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.Pipe;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

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
            ClientOptions.DEFAULT.withAccess(AccessMode.SHARED).withConfinedSegments(true));
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

  /** The range's descriptor is closed, and its number is the next file's. */
  @Test
  void segment_rangeWasClosed_touchesNoOtherFile(@TempDir Path folder) throws IOException {
    Path other = Files.writeString(folder.resolve("other"), "8 bytes.");
    UsedPages pages = range.use(0, 1);
    PageCache<String> cache = PageCache.over(client.open(OpenOptions.ofSize(16 << 10)), 1);
    PageCache.Tile tile = cache.get("key", (key, bytes) -> {});
    range.close();
    cache.close();
    List<FileChannel> opened = new ArrayList<>();
    try {
      for (int i = 0; i < 16; i++) {
        opened.add(FileChannel.open(other, READ, WRITE));
      }

      assertThatThrownBy(pages::segment).isInstanceOf(PagetideException.class);
      assertThatThrownBy(tile::segment).isInstanceOf(PagetideException.class);
    } finally {
      for (FileChannel channel : opened) {
        channel.close();
      }
    }
    assertThat(other).hasContent("8 bytes.");
  }

  @Test
  void segment_threadIsInterrupted_isMappedAllTheSame() {
    try (UsedPages pages = range.use(0, 1)) {
      Thread.currentThread().interrupt();

      assertThat(pages.segment().byteSize()).isEqualTo(4096);

      assertThat(Thread.interrupted()).isTrue();
    }
  }

  /** No close can stop a channel's read, so the mapping ends as soon as that has. */
  @Test
  void close_channelReadsIntoTheSegment_pagesAreStoppedAndTheMappingEndsLater() throws Exception {
    Pipe pipe = Pipe.open();
    try (Pipe.SinkChannel sink = pipe.sink();
        Pipe.SourceChannel source = pipe.source()) {
      UsedPages pages = range.use(0, 1);
      MemorySegment bytes = pages.segment();
      FutureTask<Integer> read = new FutureTask<>(() -> source.read(bytes.asByteBuffer()));
      Thread reader = Thread.ofPlatform().start(read);
      await().until(() -> isInNativeRead(reader));

      pages.close();

      assertThat(client.shrinker().count(range.rangeId())).isEqualTo(1);
      assertThat(bytes.scope().isAlive()).isTrue();
      assertThat(sink.write(ByteBuffer.wrap(new byte[] {1}))).isEqualTo(1);
      assertThat(read.get()).isEqualTo(1);
      await().until(() -> !bytes.scope().isAlive());
    }
  }

  private static boolean isInNativeRead(Thread thread) {
    StackTraceElement[] frames = thread.getStackTrace();
    return frames.length > 0
        && frames[0].isNativeMethod()
        && frames[0].getMethodName().startsWith("read");
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
