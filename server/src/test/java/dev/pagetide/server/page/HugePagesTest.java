package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Who is blamed for strays while the host forces huge pages; the setting is a file of the test. */
final class HugePagesTest {
  private final AtomicLong nanos = new AtomicLong();
  private final List<Boolean> told = new ArrayList<>();

  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  Path folder;

  @SuppressWarnings("NullAway.Init")
  private HugePages hugePages;

  @BeforeEach
  void watch() throws IOException {
    choose("never");
    hugePages = new HugePages(setting(), nanos::get, told::add);
  }

  private Path setting() {
    return folder.resolve("shmem_enabled");
  }

  private void choose(String chosen) throws IOException {
    String all = "always within_size advise never deny force";
    Files.writeString(setting(), all.replaceFirst("\\b" + chosen + "\\b", "[" + chosen + "]"));
    nanos.addAndGet(TimeUnit.SECONDS.toNanos(1));
  }

  @Test
  void refresh_eachSetting_isForcedByThreeOfThem() throws IOException {
    for (String forcing : List.of("always", "within_size", "force")) {
      choose(forcing);
      hugePages.refresh();
      assertThat(hugePages.areForced()).as(forcing).isTrue();
    }
    for (String other : List.of("advise", "never", "deny")) {
      choose(other);
      hugePages.refresh();
      assertThat(hugePages.areForced()).as(other).isFalse();
    }
    assertThat(told).as("once for each change").containsExactly(true, false);
    Files.delete(setting());
    nanos.addAndGet(TimeUnit.SECONDS.toNanos(1));
    hugePages.refresh();
    assertThat(hugePages.areForced()).isFalse();
  }

  @Test
  void audit_whileHugePagesAreForced_blamesTheHostAndNoClient() throws IOException {
    try (TestRanges ranges = TestRanges.on(hugePages);
        ClientView client = new ClientView(ranges.open(8))) {
      ShrinkablePageRange range = ranges.ranges.getFirst();
      choose("always");
      client.scribble(5, 9);

      ranges.shrinker.audit(range);

      assertThat(range.strays()).isZero();
      assertThat(ranges.shrinker.counters().strays()).isZero();
      assertThat(ranges.shrinker.counters().hostStrays()).isEqualTo(1);
      assertThat(told).containsExactly(true);

      choose("never");
      client.scribble(6, 9);
      ranges.shrinker.audit(range);
      assertThat(range.strays()).as("what the kernel gave before may still lie there").isZero();
      assertThat(ranges.shrinker.counters().hostStrays()).isEqualTo(2);
      assertThat(told).containsExactly(true, false);

      nanos.addAndGet(TimeUnit.MINUTES.toNanos(2));
      client.scribble(7, 9);
      ranges.shrinker.audit(range);
      assertThat(range.strays()).isEqualTo(1);
      assertThat(ranges.shrinker.counters().strays()).isEqualTo(1);
      ranges.checkInvariants();
    }
  }

  @Test
  void useRange_overPagesTheKernelGave_blamesTheHost() throws IOException {
    try (TestRanges ranges = TestRanges.on(hugePages);
        ClientView client = new ClientView(ranges.open(8))) {
      ShrinkablePageRange range = ranges.ranges.getFirst();
      choose("always");
      client.scribble(2, 9);

      range.useRange(2, 3);

      assertThat(range.strays()).isZero();
      assertThat(ranges.shrinker.counters().hostStrays()).isEqualTo(1);
      assertThat(Pages.bytes(range, 2, 3)).containsOnly(0);
      ranges.checkInvariants();
    }
  }
}
