package dev.pagetide.server.buffer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.kit.RawEndpoint;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.v1.CountRequest;
import dev.pagetide.v1.ScanRequest;
import dev.pagetide.v1.ShrinkerServiceGrpc.ShrinkerServiceBlockingStub;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The vectors of {@link ExhaustiveBuffersTest} through a real server: every vector, from either
 * end, freed in two orders, first to last and last to first.
 */
@Tag("long")
final class WireVectorsTest {
  private static final long ORDERS = 2;

  /** A sixtieth of the totals of all 120 orders. */
  private static final long PAGES = 14_475_000 * ORDERS / 120;

  @Test
  void fiveBuffers_overTheWire_leavePagesAsTheyShould() throws Exception {
    try (TestServer server = TestServer.start()) {
      WireBuffers buffers =
          new WireBuffers(
              RawEndpoint.open(server.connect(), "vectors", BufferVectors.RANGE_PAGES),
              server.shrinkerWithoutDeadline());
      for (long[] ends : BufferVectors.ends()) {
        buffers.runBothOrders(BufferVectors.frontSizes(ends));
        buffers.runBothOrders(BufferVectors.backSizes(ends));
      }

      assertThat(server.metric("pagetide_pages_allocated_total")).isEqualTo(PAGES);
      assertThat(server.metric("pagetide_pages_reused_total")).isEqualTo(PAGES);
      assertThat(server.metric("pagetide_pages_reclaimed_total")).isEqualTo(PAGES);
      var _ = server.stopWithoutStackTrace();
    }
  }

  private record WireBuffers(RawEndpoint endpoint, ShrinkerServiceBlockingStub shrinker) {
    void runBothOrders(long[] sizes) {
      runOnce(sizes, false);
      runOnce(sizes, true);
    }

    private void runOnce(long[] sizes, boolean backwards) {
      int extent = pagesUpTo(Arrays.stream(sizes).sum());
      free(allocate(sizes), backwards);
      expectMap("a".repeat(extent));

      List<Long> again = allocate(sizes);
      assertThat(count()).isZero();
      free(again, backwards);

      long reclaimed = 0;
      for (long count = count(); count > 0; count = count()) {
        reclaimed += shrinker.scan(ScanRequest.newBuilder().setPages(count).build()).getReclaimed();
      }
      assertThat(reclaimed).isEqualTo(extent);
      expectMap("");
    }

    private List<Long> allocate(long[] sizes) {
      List<Long> offsets = new ArrayList<>();
      long end = 0;
      for (long size : sizes) {
        offsets.add(endpoint.allocate(size));
        assertThat(offsets.getLast()).isEqualTo(end);
        end += size;
        assertThat(endpoint.session().map().substring(0, pagesUpTo(end))).matches("U*");
      }
      return offsets;
    }

    private void free(List<Long> offsets, boolean backwards) {
      for (long offset : backwards ? offsets.reversed() : offsets) {
        endpoint.free(offset);
      }
    }

    private long count() {
      return shrinker.count(CountRequest.getDefaultInstance()).getPages();
    }

    private void expectMap(String start) {
      assertThat(endpoint.session().map())
          .isEqualTo(start + ".".repeat(BufferVectors.RANGE_PAGES - start.length()));
    }

    private static int pagesUpTo(long end) {
      return Math.toIntExact((end - 1) / BufferVectors.PAGE_BYTES + 1);
    }
  }
}
