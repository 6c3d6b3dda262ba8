package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Over what a cache can be, and how a key, a lease and the cache end. */
final class PageCacheEndTest extends PageCacheCase {

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
                server.directory(), ClientOptions.DEFAULT.withAccess(AccessMode.REMOTE));
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
              return e.code() == StatusCode.UNAVAILABLE;
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
