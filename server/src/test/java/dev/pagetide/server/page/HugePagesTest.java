package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Who is blamed for strays while the host forces huge pages; the setting is a file of the test. */
final class HugePagesTest {
  private static final String NONE = "null";

  private final AtomicLong nanos = new AtomicLong();
  private final List<String> told = new ArrayList<>();

  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  Path folder;

  @SuppressWarnings("NullAway.Init")
  private HugePages hugePages;

  @BeforeEach
  void watch() throws IOException {
    choose("never");
    chooseOfOneSize("inherit");
    hugePages = new HugePages(folder, nanos::get, by -> told.add(String.valueOf(by)));
  }

  private Path setting() {
    return folder.resolve("shmem_enabled");
  }

  private Path settingOfOneSize() {
    return folder.resolve("hugepages-64kB/shmem_enabled");
  }

  private void choose(String chosen) throws IOException {
    write(setting(), "always within_size advise never deny force", chosen);
    nanos.addAndGet(TimeUnit.SECONDS.toNanos(1));
  }

  private void chooseOfOneSize(String chosen) throws IOException {
    write(settingOfOneSize(), "always inherit within_size advise never", chosen);
    nanos.addAndGet(TimeUnit.SECONDS.toNanos(1));
  }

  private static void write(Path setting, String all, String chosen) throws IOException {
    Files.createDirectories(Objects.requireNonNull(setting.getParent()));
    Files.writeString(setting, all.replaceFirst("\\b" + chosen + "\\b", "[" + chosen + "]"));
  }

  @Test
  void refresh_eachSetting_isForcedByThreeOfThem() throws IOException {
    for (String forcing : List.of("always", "within_size", "force")) {
      choose(forcing);
      hugePages.refresh();
      assertThat(HugePages.forcedBy(folder)).as(forcing).isPresent();
    }
    for (String other : List.of("advise", "never", "deny")) {
      choose(other);
      hugePages.refresh();
      assertThat(HugePages.forcedBy(folder)).as(other).isEmpty();
    }
    assertThat(told).as("once for each change").containsExactly(setting().toString(), NONE);
    Files.delete(setting());
    nanos.addAndGet(TimeUnit.SECONDS.toNanos(1));
    hugePages.refresh();
    assertThat(HugePages.forcedBy(folder)).isEmpty();
  }

  @Test
  void refresh_settingOfOneSize_isForcedByTwoOfThemUnlessTheOtherDenies() throws IOException {
    List<String> one = List.of(settingOfOneSize().toString(), NONE);
    for (String forcing : List.of("always", "within_size")) {
      told.clear();
      chooseOfOneSize(forcing);
      hugePages.refresh();
      assertThat(HugePages.forcedBy(folder)).as(forcing).isPresent();
      assertThat(HugePages.forcedBy(folder)).contains(settingOfOneSize());
      choose("deny");
      hugePages.refresh();
      assertThat(HugePages.forcedBy(folder)).as(forcing + ", denied").isEmpty();
      assertThat(told).isEqualTo(one);
      choose("advise");
    }
    for (String other : List.of("inherit", "advise", "never")) {
      chooseOfOneSize(other);
      hugePages.refresh();
      assertThat(HugePages.forcedBy(folder)).as(other).isEmpty();
      assertThat(HugePages.forcedBy(folder)).isEmpty();
    }
    choose("always");
    assertThat(HugePages.forcedBy(folder)).as("by what they inherit").contains(setting());
  }

  @Test
  void audit_forcedSinceTheLastReading_blamesTheHost() throws IOException {
    try (TestRanges ranges = TestRanges.on(hugePages);
        ClientView client = new ClientView(ranges.open(8))) {
      ShrinkablePageRange range = ranges.ranges.getFirst();
      hugePages.refresh();
      write(setting(), "always never", "always"); // and no time passes
      client.scribble(5, 9);

      ranges.shrinker.audit(range);

      assertThat(range.strays()).isZero();
      assertThat(ranges.shrinker.counters().hostStrays()).isEqualTo(1);
    }
  }

  @Test
  void useRange_forcedSinceTheLastReading_blamesTheHost() throws IOException {
    try (TestRanges ranges = TestRanges.on(hugePages);
        ClientView client = new ClientView(ranges.open(8))) {
      ShrinkablePageRange range = ranges.ranges.getFirst();
      hugePages.refresh();
      write(setting(), "always never", "always"); // and no time passes
      client.scribble(2, 9);
      client.scribble(6, 9);

      assertThat(range.useRange(2, 4)).isEqualTo(PageSpans.of(2, 4));

      assertThat(range.strays()).isZero();
      assertThat(ranges.shrinker.counters().hostStrays()).isEqualTo(2);
      assertThat(Pages.bytes(range, 2, 4)).containsOnly(0);
      ranges.checkInvariants();
    }
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
      assertThat(told).containsExactly(setting().toString());

      choose("never");
      client.scribble(6, 9);
      ranges.shrinker.audit(range);
      assertThat(range.strays()).as("what the kernel gave before may still lie there").isZero();
      assertThat(ranges.shrinker.counters().hostStrays()).isEqualTo(2);
      assertThat(told).containsExactly(setting().toString(), NONE);

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
