package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;

/** A cache of four tiles of two pages, on a range of a server in a process of its own. */
abstract class PageCacheCase {

  static final int TILES = 4;
  static final int TILE_PAGES = 2;
  static final long RANGE_BYTES = TILES * TILE_PAGES * 4096L;
  static final ClientOptions SHARED = ClientOptions.DEFAULT.withAccess(AccessMode.SHARED);

  @SuppressWarnings("NullAway.Init") // started before all tests
  static ServerProcess server;

  @SuppressWarnings("NullAway.Init") // connected before each test
  PagetideClient client;

  @SuppressWarnings("NullAway.Init") // made before each test
  PageCache<String> cache;

  long rangeId;

  final AtomicInteger loaderCalls = new AtomicInteger();

  @BeforeAll
  static void startServer() throws IOException {
    server = ServerProcess.start();
  }

  @AfterAll
  static void stopServer() throws IOException {
    if (server != null) {
      server.close();
    }
  }

  @BeforeEach
  void open() {
    client = PagetideClient.connect(server.directory(), SHARED);
    PageRange range = client.open(OpenOptions.ofSize(RANGE_BYTES));
    rangeId = range.rangeId();
    cache = PageCache.over(range, TILE_PAGES);
  }

  @AfterEach
  void close() {
    if (client != null) {
      client.close();
    }
  }

  void fill(String key, MemorySegment bytes) {
    loaderCalls.incrementAndGet();
    assertAll(bytes, (byte) 0);
    bytes.fill(byteOf(key));
  }

  static byte byteOf(String key) {
    return (byte) key.charAt(0);
  }

  static void assertAll(MemorySegment bytes, byte expected) {
    assertThat(bytes.byteSize()).isEqualTo(TILE_PAGES * 4096L);
    byte[] found = bytes.toArray(ValueLayout.JAVA_BYTE);
    byte[] all = new byte[found.length];
    Arrays.fill(all, expected);
    assertThat(found).isEqualTo(all);
  }

  /** Gets a key, looks at all its bytes, and closes the lease; whether the loader was called. */
  boolean loads(String key) {
    AtomicBoolean called = new AtomicBoolean();
    try (PageCache.Tile tile =
        cache.get(
            key,
            (k, bytes) -> {
              called.set(true);
              fill(k, bytes);
            })) {
      assertAll(tile.segment(), byteOf(key));
    }
    return called.get();
  }

  static Thread started(FutureTask<?> task) {
    return Thread.ofPlatform().start(task);
  }

  static void awaitWaiting(Thread thread) {
    await()
        .until(() ->
            thread.getState() == Thread.State.WAITING
                || thread.getState() == Thread.State.TIMED_WAITING);
  }

  boolean slowly(String key, CountDownLatch loading, CountDownLatch go) throws Exception {
    try (PageCache.Tile tile =
        cache.get(
            key,
            (k, bytes) -> {
              loading.countDown();
              go.await();
              bytes.fill(byteOf(k));
            })) {
      assertAll(tile.segment(), byteOf(key));
      return true;
    }
  }
}
