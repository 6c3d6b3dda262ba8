package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.UnixOperatingSystemMXBean;
import dev.pagetide.testkit.Requires;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** No object for a page: what ranges cost in heap, by the ten thousand. */
final class RangeHeapTest {
  private static final int RANGES = 10_000;
  private static final long MOST_BYTES = 200L << 20;
  private static final int DESCRIPTORS_BESIDES = 500;

  @Tag(Requires.TAG)
  @Test
  void register_tenThousandRangesOfFourMebibytes_costAtMost200MebibytesOfHeap() {
    long descriptors =
        ManagementFactory.getPlatformMXBean(UnixOperatingSystemMXBean.class)
            .getMaxFileDescriptorCount();
    Requires.that(
        descriptors > RANGES + DESCRIPTORS_BESIDES,
        "%d descriptors and may have %d: raise `ulimit -n`"
            .formatted(RANGES + DESCRIPTORS_BESIDES, descriptors));
    try (TestRanges ranges = TestRanges.unlimited()) {
      ranges.open(1024).useRange(0, 1);
      long before = usedHeap();

      for (int i = 1; i < RANGES; i++) {
        ranges.open(1024);
      }

      long cost = usedHeap() - before;
      System.out.println(RANGES + " ranges cost " + cost + " bytes of heap");
      assertThat(cost).isLessThan(MOST_BYTES);
      assertThat(ranges.budget.chargedPages()).isEqualTo(3L * RANGES + 1);
      assertThat(ranges.shrinker.counts().free()).isEqualTo(1024 * RANGES - 1);
    }
  }

  private static long usedHeap() {
    System.gc();
    return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
  }
}
