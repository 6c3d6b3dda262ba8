package dev.pagetide.server.pressure;

import static dev.pagetide.server.pressure.RecordedHost.MIB;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.server.host.CgroupHeadroom;
import dev.pagetide.server.host.CgroupMemory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Groups recorded from hosts of both versions: their limits, the edge they are, what they ask. */
final class CgroupMemoryTest {
  private static final int PAGE = 4096;
  private static final long RESERVE = 32 * MIB;
  private static final String V1_NO_LIMIT = "9223372036854771712";

  @TempDir Path root;

  @SuppressWarnings("NullAway.Init")
  private RecordedHost host;

  @BeforeEach
  void recordHost() {
    host = new RecordedHost(root);
  }

  @Test
  void open_noControlGroups_hasNoneAndNoEdge() throws Exception {
    try (CgroupMemory memory = host.open()) {
      assertThat(memory.groups()).isEmpty();
      assertThat(memory.limitBytes()).isEqualTo(Long.MAX_VALUE);
      assertThat(headroom(memory).roomPages()).isEqualTo(Long.MAX_VALUE);
      assertThat(headroom(memory).describe()).isEqualTo("no limit");
    }
  }

  @Test
  void limitBytes_version2_isTheLowestOfTheAncestors() throws Exception {
    host.version2("/system.slice/pagetide.service");
    host.version2Group("/system.slice/pagetide.service", "max", "max", MIB, 0);
    host.version2Group("/system.slice", Long.toString(512 * MIB), "max", MIB, 0);

    try (CgroupMemory memory = host.open()) {
      assertThat(memory.groups()).hasSize(2);
      assertThat(memory.limitBytes()).isEqualTo(512 * MIB);
      assertThat(memory.isLimited()).isTrue();
    }
  }

  @Test
  void limitBytes_unlimited_isTheLargestNumber() throws Exception {
    host.version2("/");
    try (CgroupMemory memory = host.open()) {
      assertThat(memory.groups()).as("version 2's root has no files of memory").isEmpty();
    }
    host.version1("/a", "/");
    host.version1Group("/a", V1_NO_LIMIT, MIB, 0);
    try (CgroupMemory memory = host.open()) {
      assertThat(memory.groups()).hasSize(1);
      assertThat(memory.limitBytes()).isEqualTo(Long.MAX_VALUE);
      assertThat(memory.isLimited()).isFalse();
    }
  }

  @Test
  void limitBytes_version1BesideVersion2_isVersion1s() throws Exception {
    host.version1("/a/b", "/");
    host.version1Group("/a/b", Long.toString(300 * MIB), MIB, 0);
    host.version1Group("/a", V1_NO_LIMIT, 2 * MIB, 0);

    try (CgroupMemory memory = host.open()) {
      assertThat(memory.groups()).hasSize(2);
      assertThat(memory.limitBytes()).isEqualTo(300 * MIB);
    }
  }

  @Test
  void limitBytes_containerThatMountsItsOwnGroup_isThatGroups() throws Exception {
    host.version1("/docker/abc", "/docker/abc");
    host.version1Group("", Long.toString(200 * MIB), MIB, 0);

    try (CgroupMemory memory = host.open()) {
      assertThat(memory.limitBytes()).isEqualTo(200 * MIB);
    }
  }

  @Test
  void limitBytes_groupOutsideTheMount_isTheMounts() throws Exception {
    host.version1("/elsewhere", "/docker/abc");
    host.version1Group("", Long.toString(200 * MIB), MIB, 0);

    try (CgroupMemory memory = host.open()) {
      assertThat(memory.limitBytes()).isEqualTo(200 * MIB);
    }
  }

  @Test
  void open_groupWithoutItsUse_isRefusedAndLeavesNothingOpen() throws Exception {
    host.version2("/a");
    host.version2Group("/a", "max", "max", MIB, 0);
    Files.delete(root.resolve("sys/fs/cgroup/a/memory.stat"));

    assertThatThrownBy(host::open).isInstanceOf(IOException.class).hasMessageContaining("ENOENT");

    try (var open = Files.list(Path.of("/proc/self/fd"))) {
      assertThat(open.map(CgroupMemoryTest::target)).noneMatch(file -> file.startsWith(root));
    }
  }

  private static Path target(Path descriptor) {
    try {
      return Files.readSymbolicLink(descriptor);
    } catch (IOException e) {
      return descriptor; // the one that lists the others
    }
  }

  @Test
  void roomPages_severalGroups_isThatOfTheTightest() throws Exception {
    host.version2("/a/b");
    host.version2Group("/a/b", Long.toString(512 * MIB), "max", 100 * MIB, 0);
    host.version2Group("/a", Long.toString(600 * MIB), "max", 400 * MIB, 0);

    try (CgroupMemory memory = host.open()) {
      assertThat(headroom(memory).roomPages()).isEqualTo((600 - 400 - 32) * MIB / PAGE);
      assertThat(headroom(memory).describe())
          .isEqualTo("control group in use 400 MiB of 600 MiB, --memory-reserve=32 MiB");
    }
  }

  @Test
  void roomPages_nearTheEdge_leavesOutPageCacheThatCanBeDropped() throws Exception {
    host.version1("/a", "/");
    host.version1Group("/a", Long.toString(512 * MIB), 500 * MIB, 100 * MIB);

    try (CgroupMemory memory = host.open()) {
      assertThat(headroom(memory).roomPages()).isEqualTo((512 - 400 - 32) * MIB / PAGE);
      assertThat(headroom(memory).describe())
          .isEqualTo("control group in use 400 MiB of 512 MiB, --memory-reserve=32 MiB");
    }
  }

  @Test
  void roomPages_enoughWithoutIt_doesNotLookAtPageCache() throws Exception {
    host.version1("/a", "/");
    host.version1Group("/a", Long.toString(512 * MIB), 400 * MIB, 100 * MIB);

    try (CgroupMemory memory = host.open()) {
      assertThat(headroom(memory).roomPages()).isEqualTo((512 - 400 - 32) * MIB / PAGE);
    }
  }

  @Test
  void roomPages_reserveEatenInto_isNegative() throws Exception {
    host.version2("/a");
    host.version2Group("/a", Long.toString(512 * MIB), "max", 481 * MIB, 0);

    try (CgroupMemory memory = host.open()) {
      assertThat(headroom(memory).roomPages()).isEqualTo(-MIB / PAGE);
    }
  }

  @Test
  void roomPages_limitChangedMeanwhile_isThatOfTheNewOneSoon() throws Exception {
    host.version2("/a");
    host.version2Group("/a", "max", "max", 100 * MIB, 0);

    try (CgroupMemory memory = host.open()) {
      CgroupHeadroom headroom = headroom(memory);
      host.version2Group("/a", Long.toString(256 * MIB), "max", 100 * MIB, 0);
      assertThat(headroom.roomPages()).isEqualTo(Long.MAX_VALUE);

      host.nanos.addAndGet(Duration.ofMillis(100).toNanos());

      assertThat(headroom.roomPages()).isEqualTo((256 - 100 - 32) * MIB / PAGE);
      host.version2Group("/a", "max", "max", 100 * MIB, 0);
      host.nanos.addAndGet(Duration.ofMillis(100).toNanos());
      assertThat(headroom.roomPages()).isEqualTo(Long.MAX_VALUE);
    }
  }

  @Test
  void roomPages_groupThatCannotBeRead_limitsNothing() throws Exception {
    host.version2("/a/b");
    host.version2Group("/a/b", Long.toString(128 * MIB), "max", 100 * MIB, 0);
    host.version2Group("/a", Long.toString(512 * MIB), "max", 100 * MIB, 0);

    try (CgroupMemory memory = host.open()) {
      host.write("sys/fs/cgroup/a/b/memory.current", "");
      host.write("sys/fs/cgroup/a/b/memory.max", "");
      host.nanos.addAndGet(Duration.ofMillis(100).toNanos());

      assertThat(headroom(memory).roomPages()).isEqualTo((512 - 100 - 32) * MIB / PAGE);
    }
  }

  @Test
  void ask_useBeyondTheMark_asksForWhatBringsItHalfAReserveBelow() throws Exception {
    host.version2("/a");
    for (long use : List.of(464L, 465L, 481L, 497L, 448L)) {
      host.version2Group("/a", Long.toString(512 * MIB), "max", use * MIB, 0);
      try (CgroupMemory memory = host.open()) {
        CgroupSource source = new CgroupSource(memory, RESERVE, PAGE);
        // Given: 512 less one and a half reserves is 464.
        @Nullable PressureDecision decision = source.ask(0, Set.of());
        if (use <= 464) {
          assertThat(decision).isNull();
          assertThat(source.level()).isEqualTo(PressureLevel.NONE);
        } else {
          assertThat(decision)
              .isNotNull()
              .extracting(PressureDecision::pages)
              .isEqualTo((use - 464 + 16) * MIB / PAGE);
        }
      }
    }
  }

  @Test
  void ask_pageCacheAlone_asksForNothing() throws Exception {
    host.version1("/a", "/");
    host.version1Group("/a", Long.toString(512 * MIB), 511 * MIB, 60 * MIB);

    try (CgroupMemory memory = host.open()) {
      CgroupSource source = new CgroupSource(memory, RESERVE, PAGE);

      assertThat(source.ask(0, Set.of())).isNull();
      assertThat(source.level()).isEqualTo(PressureLevel.NONE);
    }
  }

  @Test
  void roomPages_highBelowTheLimit_isThatBelowHigh() throws Exception {
    host.version2("/a");
    host.version2Group("/a", Long.toString(512 * MIB), Long.toString(300 * MIB), 100 * MIB, 0);

    try (CgroupMemory memory = host.open()) {
      assertThat(memory.limitBytes()).isEqualTo(512 * MIB);
      assertThat(memory.lowestLimitBytes()).isEqualTo(300 * MIB);
      assertThat(headroom(memory).roomPages()).isEqualTo((300 - 100 - 32) * MIB / PAGE);
      assertThat(headroom(memory).describe())
          .isEqualTo(
              "control group in use 100 MiB of memory.high=300 MiB, --memory-reserve=32 MiB");
    }
  }

  @Test
  void roomPages_highAlone_limits() throws Exception {
    host.version2("/a/b");
    host.version2Group("/a/b", "max", "max", 100 * MIB, 0);
    host.version2Group("/a", "max", Long.toString(200 * MIB), 100 * MIB, 0);

    try (CgroupMemory memory = host.open()) {
      assertThat(memory.limitBytes()).isEqualTo(Long.MAX_VALUE);
      assertThat(headroom(memory).roomPages()).isEqualTo((200 - 100 - 32) * MIB / PAGE);
    }
  }

  @Test
  void ask_oneGroupHasVanished_theOthersAreStillHeardAndItIsTold() throws Exception {
    for (String vanished : List.of("/a/b", "/a")) {
      host.version2("/a/b");
      host.version2Group("/a/b", Long.toString(512 * MIB), "max", 470 * MIB, 0);
      host.version2Group("/a", Long.toString(512 * MIB), "max", 470 * MIB, 0);
      try (CgroupMemory memory = host.open()) {
        CgroupSource source = new CgroupSource(memory, RESERVE, PAGE);
        host.write("sys/fs/cgroup" + vanished + "/memory.max", "");
        host.write("sys/fs/cgroup" + vanished + "/memory.current", "");
        host.nanos.addAndGet(Duration.ofMillis(100).toNanos());

        assertThat(source.ask(0, Set.of()))
            .as("%s vanished", vanished)
            .isNotNull()
            .extracting(PressureDecision::pages)
            .isEqualTo((470 - 464 + 16) * MIB / PAGE);
        assertThat(source.trouble()).isNotNull().hasMessageContaining(vanished);
      }
    }
  }

  @Test
  void ask_limitLoweredBesideAGroupThatVanished_isSeen() throws Exception {
    host.version2("/a/b");
    host.version2Group("/a/b", Long.toString(512 * MIB), "max", 100 * MIB, 0);
    host.version2Group("/a", Long.toString(512 * MIB), "max", 100 * MIB, 0);
    try (CgroupMemory memory = host.open()) {
      CgroupSource source = new CgroupSource(memory, RESERVE, PAGE);
      host.write("sys/fs/cgroup/a/b/memory.max", "");
      host.write("sys/fs/cgroup/a/b/memory.current", "");
      host.version2Group("/a", Long.toString(128 * MIB), "max", 100 * MIB, 0);
      host.nanos.addAndGet(Duration.ofMillis(100).toNanos());

      assertThat(source.ask(0, Set.of())).isNotNull();
      assertThat(headroom(memory).roomPages()).isEqualTo((128 - 100 - 32) * MIB / PAGE);
    }
  }

  @Test
  void ask_allGroupsHaveVanished_fails() throws Exception {
    host.version2("/a");
    host.version2Group("/a", Long.toString(512 * MIB), "max", 470 * MIB, 0);
    try (CgroupMemory memory = host.open()) {
      CgroupSource source = new CgroupSource(memory, RESERVE, PAGE);
      host.write("sys/fs/cgroup/a/memory.current", "");

      assertThatThrownBy(() -> source.ask(0, Set.of())).isInstanceOf(IOException.class);
    }
  }

  @Test
  void ask_highBelowTheLimit_isTheLimitThatCounts() throws Exception {
    host.version2("/a");
    host.version2Group("/a", Long.toString(512 * MIB), Long.toString(200 * MIB), 201 * MIB, 0);

    try (CgroupMemory memory = host.open()) {
      CgroupSource source = new CgroupSource(memory, RESERVE, PAGE);

      assertThat(source.ask(0, Set.of()))
          .isNotNull()
          .extracting(PressureDecision::pages)
          .isEqualTo((201 - (200 - 48) + 16) * MIB / PAGE);
      assertThat(source.periodNanos()).isEqualTo(Duration.ofMillis(25).toNanos());
    }
  }

  @Test
  void ask_noLimit_asksForNothingAndSeldom() throws Exception {
    host.version2("/a");
    host.version2Group("/a", "max", "max", 1 << 30, 0);

    try (CgroupMemory memory = host.open()) {
      CgroupSource source = new CgroupSource(memory, RESERVE, PAGE);

      assertThat(source.ask(0, Set.of())).isNull();
      assertThat(source.periodNanos()).isEqualTo(Duration.ofMillis(250).toNanos());
    }
  }

  @Test
  void ask_severalGroups_isTheFurthestBeyondItsMark() throws Exception {
    host.version2("/a/b");
    host.version2Group("/a/b", Long.toString(512 * MIB), "max", 470 * MIB, 0);
    host.version2Group("/a", Long.toString(600 * MIB), "max", 580 * MIB, 0);

    try (CgroupMemory memory = host.open()) {
      CgroupSource source = new CgroupSource(memory, RESERVE, PAGE);

      assertThat(source.ask(0, Set.of()))
          .isNotNull()
          .extracting(PressureDecision::pages)
          .isEqualTo((580 - (600 - 48) + 16) * MIB / PAGE);
    }
  }

  private CgroupHeadroom headroom(CgroupMemory memory) {
    return new CgroupHeadroom(memory, RESERVE, PAGE, /* enoughBytes= */ 64 * MIB);
  }
}
