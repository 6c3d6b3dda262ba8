package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which gets load, which wait, and which tile goes to a new key. */
final class PageCacheTest extends PageCacheCase {

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
    server.pause();
    try {
      started(first);

      assertThatThrownBy(first::get).cause().isInstanceOf(PagetideException.class);
    } finally {
      server.goOn();
    }

    assertThat(loads("a")).isTrue();
    assertThat(loads("a")).isFalse();
  }

  /**
   * A thread claims the load of a tile that another has loaded meanwhile, and that is stale now.
   */
  @Test
  void load_claimedTileIsLeasedAndInvalidated_leaseKeepsItsBytes() {
    PageRange range = client.open(OpenOptions.ofSize(RANGE_BYTES));
    CacheTiles<String> tiles = new CacheTiles<>(range.tiles(TILE_PAGES), 1_000_000_000);
    cache = new PageCache<>(range.tiles(TILE_PAGES), tiles);
    try (PageCache.Tile leased = cache.get("a", this::fill)) {
      CachedTile<String> claimed = Objects.requireNonNull(tiles.claim("a"));
      cache.invalidate("a");

      assertThat(cache.load(claimed, this::fill)).isNull();

      assertAll(leased.segment(), byteOf("a"));
      assertThat(loaderCalls.get()).isEqualTo(1);
      assertThat(loads("a")).isTrue();
      assertAll(leased.segment(), byteOf("a"));
    }
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

      assertThat(refused.code()).isEqualTo(StatusCode.RESOURCE_EXHAUSTED);
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
}
