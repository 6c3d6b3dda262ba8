package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import io.grpc.Status;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A cache of four tiles of two pages, on a range of a server in a process of its own. */
final class PageCacheTest {

  private static final int TILES = 4;
  private static final int TILE_PAGES = 2;
  private static final long RANGE_BYTES = TILES * TILE_PAGES * 4096L;
  private static final ClientOptions SHARED = ClientOptions.DEFAULT.withAccess(AccessChoice.SHARED);

  @SuppressWarnings("NullAway.Init") // started before all tests
  private static ServerProcess server;

  @SuppressWarnings("NullAway.Init") // connected before each test
  private PagetideClient client;

  @SuppressWarnings("NullAway.Init") // made before each test
  private PageCache<String> cache;

  private long rangeId;

  private final AtomicInteger loaderCalls = new AtomicInteger();

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

  private void fill(String key, MemorySegment bytes) {
    loaderCalls.incrementAndGet();
    assertAll(bytes, (byte) 0);
    bytes.fill(byteOf(key));
  }

  private static byte byteOf(String key) {
    return (byte) key.charAt(0);
  }

  private static void assertAll(MemorySegment bytes, byte expected) {
    assertThat(bytes.byteSize()).isEqualTo(TILE_PAGES * 4096L);
    byte[] found = bytes.toArray(ValueLayout.JAVA_BYTE);
    byte[] all = new byte[found.length];
    Arrays.fill(all, expected);
    assertThat(found).isEqualTo(all);
  }

  /** Gets a key, looks at all its bytes, and closes the lease; whether the loader was called. */
  private boolean loads(String key) {
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

  private static Thread started(FutureTask<?> task) {
    return Thread.ofPlatform().start(task);
  }

  private static void awaitWaiting(Thread thread) {
    await()
        .until(() ->
            thread.getState() == Thread.State.WAITING
                || thread.getState() == Thread.State.TIMED_WAITING);
  }

  @Test
  void get_newKey_isLoadedOnceAndHitAfterwards() {
    assertThat(cache.tileCount()).isEqualTo(TILES);
    assertThat(cache.tileBytes()).isEqualTo(TILE_PAGES * 4096L);

    assertThat(loads("a")).isTrue();
    assertThat(loads(new String("a"))).isFalse();
    assertThat(loads("b")).isTrue();
    assertThat(loads("a")).isFalse();

    assertThat(cache.statistics()).isEqualTo(new PageCacheStatistics(2, 2, 2, 0));
  }

  @Test
  void get_serverTookAPageOfTheTile_loadsAgainAndCountsItLost() {
    assertThat(loads("a")).isTrue();

    assertThat(client.shrinker().scan(1, rangeId, false).reclaimedPages()).isEqualTo(1);

    assertThat(loads("a")).isTrue();
    assertThat(loads("a")).isFalse();
    assertThat(cache.statistics()).isEqualTo(new PageCacheStatistics(1, 2, 2, 1));
  }

  @Test
  void get_leaseIsOpenAndServerScans_keepsItsBytes() {
    assertThat(loads("b")).isTrue();
    PageCache.Tile first = cache.get("a", this::fill);
    try (PageCache.Tile second = cache.get("a", this::fill)) {
      first.close();
      first.close();

      assertThat(client.shrinker().scan(100, rangeId, false).reclaimedPages())
          .isEqualTo(TILE_PAGES);

      assertAll(second.segment(), byteOf("a"));
      assertThat(second.read(4095, 2)).containsExactly('a', 'a');
      assertThatThrownBy(first::segment).isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> second.read(8191, 2)).isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> second.segment().fill((byte) 1))
          .isInstanceOf(IllegalArgumentException.class);
    }
    assertThat(loads("a")).isFalse();
    assertThat(loads("b")).isTrue();
  }

  /** The loader dies before its first byte, halfway, and after its last one. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 4096, 2 * 4096})
  void get_loaderDies_isLoadedAgainFromZeros(int written) {
    assertThatThrownBy(() ->
            cache.get(
                "a",
                (key, bytes) -> {
                  bytes.asSlice(0, written).fill((byte) 7);
                  throw new AssertionError("killed");
                }))
        .isInstanceOf(AssertionError.class)
        .hasMessage("killed");

    assertThat(loads("a")).isTrue();
    assertThat(loads("a")).isFalse();
    assertThat(cache.statistics()).isEqualTo(new PageCacheStatistics(1, 2, 1, 0));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 4096})
  void get_reloadOfALostTileDies_isLoadedAgainFromZeros(int written) {
    assertThat(loads("a")).isTrue();
    var _ = client.shrinker().scan(1, rangeId, false);
    assertThatThrownBy(() ->
            cache.get(
                "a",
                (key, bytes) -> {
                  bytes.asSlice(0, written).fill((byte) 7);
                  throw new IOException("disk gone");
                }))
        .isInstanceOf(IOException.class)
        .hasMessage("disk gone");

    assertThat(loads("a")).isTrue();
    assertThat(cache.statistics()).isEqualTo(new PageCacheStatistics(0, 3, 2, 1));
  }

  @Test
  void get_loaderIsInterrupted_isLoadedAgainAndTheTileIsFree() throws Exception {
    CountDownLatch loading = new CountDownLatch(1);
    FutureTask<Boolean> first =
        new FutureTask<>(() -> {
          cache.get(
              "a",
              (key, bytes) -> {
                bytes.fill((byte) 7);
                loading.countDown();
                new CountDownLatch(1).await();
              });
          return true;
        });
    Thread loader = started(first);
    loading.await();

    loader.interrupt();

    assertThatThrownBy(first::get).hasCauseInstanceOf(InterruptedException.class);
    assertThat(loads("a")).isTrue();
  }

  /** Its own request to the server is interrupted, so nobody knows what became of the pages. */
  @Test
  void get_interruptedBeforeTheServerAnswers_isLoadedAgain() throws Exception {
    FutureTask<Boolean> first =
        new FutureTask<>(() -> {
          Thread.currentThread().interrupt();
          return loads("a");
        });
    started(first);

    assertThatThrownBy(first::get).cause().isInstanceOf(PagetideException.class);

    assertThat(loads("a")).isTrue();
    assertThat(loads("a")).isFalse();
  }

  @Test
  void get_othersLoadTheKey_waitsAndIsAHit() throws Exception {
    CountDownLatch loading = new CountDownLatch(1);
    CountDownLatch go = new CountDownLatch(1);
    FutureTask<Boolean> first = new FutureTask<>(() -> slowly("a", loading, go));
    FutureTask<Boolean> second = new FutureTask<>(() -> loads("a"));
    started(first);
    loading.await();
    awaitWaiting(started(second));

    assertThat(loads("b")).isTrue(); // other keys wait for nobody
    assertThat(second.isDone()).isFalse();
    go.countDown();

    assertThat(first.get()).isTrue();
    assertThat(second.get()).isFalse();
    assertThat(cache.statistics()).isEqualTo(new PageCacheStatistics(1, 2, 2, 0));
  }

  private boolean slowly(String key, CountDownLatch loading, CountDownLatch go) throws Exception {
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

  @Test
  void get_loaderThrowsWhileOthersWait_oneOfThemLoadsWithItsOwn() throws Exception {
    CountDownLatch loading = new CountDownLatch(1);
    CountDownLatch go = new CountDownLatch(1);
    FutureTask<Boolean> first =
        new FutureTask<>(() -> {
          cache.get(
              "a",
              (key, bytes) -> {
                bytes.fill((byte) 7);
                loading.countDown();
                go.await();
                throw new IOException("disk gone");
              });
          return true;
        });
    FutureTask<Boolean> second = new FutureTask<>(() -> loads("a"));
    FutureTask<Boolean> third = new FutureTask<>(() -> loads("a"));
    started(first);
    loading.await();
    awaitWaiting(started(second));
    awaitWaiting(started(third));

    go.countDown();

    assertThatThrownBy(first::get).cause().isInstanceOf(IOException.class);
    second.get();
    third.get();
    assertThat(loaderCalls).hasValue(1);
    assertThat(cache.statistics()).isEqualTo(new PageCacheStatistics(1, 2, 1, 0));
  }

  @Test
  void get_interruptedWhileOthersLoad_isRefusedWithTheFlagSet() throws Exception {
    CountDownLatch loading = new CountDownLatch(1);
    CountDownLatch go = new CountDownLatch(1);
    FutureTask<Boolean> first = new FutureTask<>(() -> slowly("a", loading, go));
    FutureTask<Boolean> second =
        new FutureTask<>(() -> {
          assertThatThrownBy(() -> loads("a"))
              .isInstanceOf(PagetideException.class)
              .hasMessageContaining("interrupted");
          return Thread.interrupted();
        });
    started(first);
    loading.await();
    Thread waiting = started(second);
    awaitWaiting(waiting);

    waiting.interrupt();

    assertThat(second.get()).isTrue();
    go.countDown();
    assertThat(first.get()).isTrue();
  }

  @Test
  void get_fromItsOwnLoader_isRefusedAndOtherKeysAreNot() {
    try (PageCache.Tile tile =
        cache.get(
            "a",
            (key, bytes) -> {
              assertThat(loads("b")).isTrue();
              assertThatThrownBy(() -> loads("a"))
                  .isInstanceOf(IllegalStateException.class)
                  .hasMessage("the loader of key a asks for its own key");
              fill(key, bytes);
            })) {
      assertAll(tile.segment(), byteOf("a"));
    }
    assertThat(loads("b")).isFalse();
  }

  @Test
  void get_loadersAskForEachOthersKeys_oneIsRefused() throws Exception {
    CountDownLatch loading = new CountDownLatch(1);
    FutureTask<Boolean> first =
        new FutureTask<>(() -> {
          cache
              .get(
                  "a",
                  (key, bytes) -> {
                    loading.countDown();
                    assertThat(loads("b")).isTrue();
                    fill(key, bytes);
                  })
              .close();
          return true;
        });
    try (PageCache.Tile tile =
        cache.get(
            "b",
            (key, bytes) -> {
              Thread other = started(first);
              loading.await();
              awaitWaiting(other);
              assertThatThrownBy(() -> loads("a"))
                  .isInstanceOf(IllegalStateException.class)
                  .hasMessageContaining("whose loader waits");
              throw new IllegalStateException("gives up");
            })) {
      throw new AssertionError(tile);
    } catch (IllegalStateException e) {
      assertThat(e).hasMessage("gives up");
    }
    assertThat(first.get()).isTrue();
  }

  @Test
  void get_noTileIsFree_takesTheLeastRecentlyUsedWithoutALease() {
    for (String key : new String[] {"a", "b", "c", "d"}) {
      assertThat(loads(key)).isTrue();
    }
    assertThat(loads("a")).isFalse();
    try (PageCache.Tile held = cache.get("b", this::fill)) {
      assertThat(loads("e")).isTrue(); // takes c's
      assertThat(loads("f")).isTrue(); // takes d's

      assertThat(loads("a")).isFalse();
      assertAll(held.segment(), byteOf("b"));
    }
    assertThat(loads("b")).isFalse();
    assertThat(loads("e")).isFalse();
    assertThat(loads("f")).isFalse();
    assertThat(loads("c")).isTrue(); // takes a's
    assertThat(loads("a")).isTrue();
  }

  @Test
  void get_allTilesLeased_failsAfterTheCallTimeoutAndNamesThem() {
    try (PagetideClient impatient =
            PagetideClient.connect(
                server.directory(), SHARED.withCallTimeout(Duration.ofMillis(200)));
        PageCache<String> small =
            PageCache.over(impatient.open(OpenOptions.ofSize(RANGE_BYTES)), 4);
        PageCache.Tile first = small.get("a", (key, bytes) -> bytes.fill((byte) 1));
        PageCache.Tile second = small.get("b", (key, bytes) -> bytes.fill((byte) 2))) {

      PagetideException refused =
          catchThrowableOfType(PagetideException.class, () -> small.get("c", (key, bytes) -> {}));

      assertThat(refused.code()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
      assertThat(refused)
          .hasMessageContaining("all 2 tiles of the cache are leased")
          .hasMessageContaining("call_timeout_ms=200")
          .hasMessageContaining("OpenOptions.sizeBytes")
          .hasMessageContaining("--max-range-bytes");
      assertThat(first.read(0, 1)).containsExactly(1);
      assertThat(second.read(0, 1)).containsExactly(2);
    }
  }

  @Test
  void get_allTilesLeased_isGivenTheFirstThatIsClosed() throws Exception {
    PageCache.Tile first = cache.get("a", this::fill);
    try (PageCache.Tile second = cache.get("b", this::fill);
        PageCache.Tile third = cache.get("c", this::fill);
        PageCache.Tile fourth = cache.get("d", this::fill)) {
      FutureTask<Boolean> task = new FutureTask<>(() -> loads("e"));
      awaitWaiting(started(task));

      first.close();

      assertThat(task.get()).isTrue();
      assertAll(second.segment(), byteOf("b"));
      assertAll(third.segment(), byteOf("c"));
      assertAll(fourth.segment(), byteOf("d"));
    }
  }

  @Test
  void invalidate_whileLeased_keepsTheLeaseAndLoadsAnew() {
    try (PageCache.Tile old = cache.get("a", this::fill)) {
      cache.invalidate("a");
      cache.invalidate("not there");

      try (PageCache.Tile fresh = cache.get("a", (key, bytes) -> bytes.fill((byte) 9))) {
        assertAll(fresh.segment(), (byte) 9);
        assertAll(old.segment(), byteOf("a"));
      }
    }
    // The old tile is free again: four keys fit.
    for (String key : new String[] {"b", "c", "d"}) {
      assertThat(loads(key)).isTrue();
    }
    cache.get("a", this::fill).close();
    assertThat(loaderCalls).hasValue(4);
  }

  @Test
  void invalidate_withoutALease_freesItsTile() {
    for (int round = 0; round < 3 * TILES; round++) {
      assertThat(loads("a")).isTrue();
      cache.invalidate("a");
    }
    for (String key : new String[] {"b", "c", "d", "e"}) {
      assertThat(loads(key)).isTrue();
    }
    assertThat(loads("b")).isFalse();
  }

  @Test
  void invalidate_whileLoading_givesTheBytesToItsOwnCallerAlone() throws Exception {
    CountDownLatch loading = new CountDownLatch(1);
    CountDownLatch go = new CountDownLatch(1);
    FutureTask<Boolean> first = new FutureTask<>(() -> slowly("a", loading, go));
    FutureTask<Boolean> second = new FutureTask<>(() -> loads("a"));
    started(first);
    loading.await();
    awaitWaiting(started(second));

    cache.invalidate("a");
    go.countDown();

    assertThat(first.get()).isTrue();
    assertThat(second.get()).isTrue();
  }

  @Test
  void over_remoteRange_isRefusedWithTheReasonAndLeavesTheRange() {
    try (PagetideClient remote =
            PagetideClient.connect(
                server.directory(), ClientOptions.DEFAULT.withAccess(AccessChoice.REMOTE));
        PageRange range = remote.open(OpenOptions.ofSize(RANGE_BYTES))) {
      assertThatThrownBy(() -> PageCache.over(range, 1))
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining("remote")
          .hasMessageContaining("the client was told to map no file");

      assertThat(range.useRange(0, 1).pageCount()).isEqualTo(1);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 0, TILES * TILE_PAGES + 1})
  void over_tileDoesNotFit_isRefusedWithTheNumbers(int tilePages) {
    try (PageRange range = client.open(OpenOptions.ofSize(RANGE_BYTES))) {
      assertThatThrownBy(() -> PageCache.over(range, tilePages))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("tilePages=" + tilePages)
          .hasMessageContaining("the 8 pages");
    }
  }

  @Test
  void close_leaseIsOpenAndOthersWait_refusesThemAndClosesTheRange() throws Exception {
    CountDownLatch loading = new CountDownLatch(1);
    CountDownLatch go = new CountDownLatch(1);
    FutureTask<Boolean> first = new FutureTask<>(() -> slowly("a", loading, go));
    FutureTask<Boolean> second = new FutureTask<>(() -> loads("a"));
    PageCache.Tile open = cache.get("b", this::fill);
    MemorySegment bytes = open.segment();
    started(first);
    loading.await();
    awaitWaiting(started(second));

    cache.close();
    cache.close();

    assertThatThrownBy(second::get)
        .cause()
        .isInstanceOf(PagetideException.class)
        .hasMessageContaining("closed");
    assertThatThrownBy(() -> loads("b")).isInstanceOf(PagetideException.class);
    assertThatThrownBy(() -> bytes.get(ValueLayout.JAVA_BYTE, 0))
        .isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> open.read(0, 1)).isInstanceOf(PagetideException.class);
    open.close();
    go.countDown();
    assertThatThrownBy(first::get).cause().isInstanceOf(IllegalStateException.class);
    await()
        .until(
            () -> client.shrinker().listRanges().stream().noneMatch(r -> r.rangeId() == rangeId));
  }

  @Test
  void get_serverKilled_failsAndLeasesStayReadable() throws Exception {
    try (ServerProcess mortal = ServerProcess.start();
        PagetideClient own = PagetideClient.connect(mortal.directory(), SHARED);
        PageCache<String> other =
            PageCache.over(own.open(OpenOptions.ofSize(RANGE_BYTES)), TILE_PAGES);
        PageCache.Tile tile = other.get("a", this::fill)) {
      mortal.kill();
      await()
          .until(() -> {
            try {
              other.get("a", this::fill).close();
              return false;
            } catch (PagetideException e) {
              return e.code() == Status.Code.UNAVAILABLE;
            }
          });

      assertAll(tile.segment(), byteOf("a"));
    }
  }

  @Test
  void segment_confined_failsOnceTheLeaseIsClosed() {
    try (PagetideClient strict =
            PagetideClient.connect(server.directory(), SHARED.withConfinedSegments(true));
        PageCache<String> other =
            PageCache.over(strict.open(OpenOptions.ofSize(RANGE_BYTES)), TILE_PAGES)) {
      PageCache.Tile tile = other.get("a", this::fill);
      MemorySegment bytes = tile.segment();
      assertAll(bytes, byteOf("a"));
      assertThat(tile.buffer().get(4095)).isEqualTo(byteOf("a"));

      tile.close();

      assertThatThrownBy(() -> bytes.get(ValueLayout.JAVA_BYTE, 0))
          .isInstanceOf(IllegalStateException.class);
    }
  }
}
