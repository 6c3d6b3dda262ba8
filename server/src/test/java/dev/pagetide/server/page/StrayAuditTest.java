package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.testkit.Promise;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * Pages to which a client gives memory behind the server's back: the audit finds it, takes it,
 * counts it, and takes nothing else; a fresh page is zeros wherever strays lay.
 */
@Promise({2, 10})
final class StrayAuditTest {
  private final FailingPageFile.Script script = new FailingPageFile.Script();

  private TestRanges scripted() {
    return new TestRanges(
        TestRanges.UNLIMITED_PAGES,
        PageClock.MONOTONIC,
        (name, layout) -> new FailingPageFile(PageFileMaker.MEMFD.make(name, layout), script));
  }

  /** What a client can do to a page that the server has not given it. */
  private enum Trespass {
    READ {
      @Override
      void on(ClientView client, int page) {
        assertThat(client.get(page, 0)).isZero();
      }
    },
    WRITTEN {
      @Override
      void on(ClientView client, int page) {
        client.scribble(page, 9);
      }
    },
    FALLOCATED {
      @Override
      void on(ClientView client, int page) {
        client.fallocate(page, page + 1);
      }
    };

    abstract void on(ClientView client, int page);
  }

  @Test
  void scan_pageTouchedWrittenOrFallocated_takesAndCountsIt() {
    for (Trespass trespass : Trespass.values()) {
      try (TestRanges ranges = TestRanges.unlimited();
          ClientView client = new ClientView(ranges.open(8))) {
        ShrinkablePageRange range = ranges.ranges.getFirst();
        trespass.on(client, 5);
        assertThat(Invariants.residentPages(range)).as(trespass.name()).isEqualTo(3);

        ScanResult result = ranges.shrinker.scan(1);

        assertThat(result).isEqualTo(ScanResult.NOTHING); // a stray is no page that was reclaimed
        assertThat(range.strays()).as(trespass.name()).isEqualTo(1);
        assertThat(ranges.shrinker.counters().strays()).isEqualTo(1);
        assertThat(TestRanges.map(range)).isEqualTo("FFFFFFFF");
        ranges.checkInvariants();
        assertThat(client.get(5, 0)).as(trespass.name()).isZero();
      }
    }
  }

  @Test
  @Promise(13)
  void scan_straysBesidePagesTheServerGave_takesTheStraysAlone() {
    try (TestRanges ranges = TestRanges.unlimited();
        ClientView client = new ClientView(ranges.open(140))) {
      ShrinkablePageRange range = ranges.ranges.getFirst();
      range.useRange(1, 3);
      range.useRange(62, 66); // across an element of the bits
      range.useRange(138, 139);
      Pages.fill(range, 1, 3, 7);
      Pages.fill(range, 62, 66, 7);
      Pages.fill(range, 138, 139, 7);
      range.stopUsingRange(2, 3);
      range.stopUsingRange(64, 65);
      String map = TestRanges.map(range);
      long[] words = words(range);
      long charged = ranges.budget.chargedPages();
      for (int page : new int[] {0, 3, 61, 66, 67, 100, 137, 139}) {
        client.scribble(page, 9);
      }
      client.fallocate(4, 10);

      ranges.shrinker.audit(range);

      assertThat(range.strays()).isEqualTo(14);
      assertThat(TestRanges.map(range)).isEqualTo(map);
      assertThat(words(range)).isEqualTo(words);
      assertThat(ranges.budget.chargedPages()).isEqualTo(charged);
      assertThat(Pages.bytes(range, 1, 2)).containsOnly(7);
      assertThat(Pages.bytes(range, 62, 64)).containsOnly(7);
      assertThat(Pages.bytes(range, 138, 139)).containsOnly(7);
      ranges.checkInvariants();
      assertThat(client.get(2, 0)).isEqualTo((byte) 7);
      assertThat(range.useRange(64, 65)).isEqualTo(PageSpans.NONE);
      assertThat(Pages.bytes(range, 64, 65)).containsOnly(7);
    }
  }

  private static long[] words(ShrinkablePageRange range) {
    long[] words = new long[range.pageCount()];
    for (int page = 0; page < words.length; page++) {
      words[page] = range.table().wordAcquire(page);
    }
    return words;
  }

  @Test
  void useRange_anyTrespassBefore_readsZeros() {
    for (Trespass trespass : Trespass.values()) {
      try (TestRanges ranges = TestRanges.unlimited();
          ClientView client = new ClientView(ranges.open(8))) {
        ShrinkablePageRange range = ranges.ranges.getFirst();
        range.useRange(0, 8);
        Pages.fill(range, 0, 8, 7);
        range.stopUsingRange(4, 6);
        assertThat(ranges.shrinker.scan(2).reclaimed()).isEqualTo(2);
        trespass.on(client, 5);

        assertThat(range.useRange(4, 6)).isEqualTo(PageSpans.of(4, 6));

        assertThat(Pages.bytes(range, 4, 6)).containsOnly(0);
        assertThat(Pages.bytes(range, 0, 4)).containsOnly(7);
        assertThat(range.strays()).as(trespass.name()).isEqualTo(1);
        ranges.checkInvariants();
      }
    }
  }

  @Test
  void useRange_strayHiddenByAPageTheClientPunched_readsZeros() {
    try (TestRanges ranges = TestRanges.unlimited();
        ClientView client = new ClientView(ranges.open(8))) {
      ShrinkablePageRange range = ranges.ranges.getFirst();
      range.useRange(0, 2);
      client.fallocate(0, 1, "--punch-hole");
      client.scribble(5, 9);
      assertThat(Invariants.residentPages(range)).isEqualTo(4); // as many as there should be

      assertThat(range.useRange(5, 6)).isEqualTo(PageSpans.of(5, 6));

      assertThat(Pages.bytes(range, 5, 6)).containsOnly(0);
      assertThat(client.get(0, 0)).isZero(); // and page 0 has its memory again
      ranges.checkInvariants();
    }
  }

  @Test
  void strays_inEveryPage_reduceNoBudgetAndStayWithinTheRange() throws IOException {
    try (TestRanges ranges = TestRanges.withBudget(2 * 2 + 64);
        ClientView client = new ClientView(ranges.open(64))) {
      ShrinkablePageRange hostile = ranges.ranges.getFirst();
      ShrinkablePageRange honest = ranges.open(64);
      client.fallocate(0, 64);
      assertThat(Invariants.residentPages(hostile)).isEqualTo(66);
      assertThat(ranges.budget.chargedPages()).isEqualTo(4);

      // Another page would lie past the file's end, and that is sealed.
      assertThatThrownBy(() -> client.fallocate(64, 65)).hasMessageContaining("not permitted");
      try (FileChannel file =
          FileChannel.open(ClientView.descriptor(hostile), StandardOpenOption.WRITE)) {
        long end = hostile.file().layout().sizeBytes();
        assertThatThrownBy(() -> file.write(ByteBuffer.allocate(1), end))
            .isInstanceOf(IOException.class);
      }
      assertThat(honest.useRange(0, 64)).isEqualTo(PageSpans.of(0, 64));
      assertThat(ranges.budget.chargedPages()).isEqualTo(ranges.budget.limitPages());
      ranges.shrinker.audit(hostile);

      assertThat(hostile.strays()).isEqualTo(64);
      assertThat(honest.strays()).isZero();
      ranges.checkInvariants();
    }
  }

  @Test
  void counters_rangesEnd_keepTheirStrays() {
    try (TestRanges ranges = TestRanges.unlimited()) {
      for (int round = 1; round <= 3; round++) {
        ShrinkablePageRange range = ranges.open(4);
        try (ClientView client = new ClientView(range)) {
          client.scribble(1, 9);
          ranges.shrinker.audit(range);
        }
        range.close();

        assertThat(ranges.shrinker.counters().strays()).isEqualTo(round);
      }
    }
  }

  @Test
  void audit_moreStraysThanOneHoldTakes_takesAllOfThem() {
    try (TestRanges ranges = TestRanges.unlimited();
        ClientView client = new ClientView(ranges.open(1024))) {
      ShrinkablePageRange range = ranges.ranges.getFirst();
      range.useRange(500, 502);
      client.fallocate(0, 1024);

      ranges.shrinker.audit(range);

      assertThat(range.strays()).isEqualTo(1022);
      ranges.checkInvariants();
    }
  }

  @Test
  void punchStrays_oneHold_takesAtMost256PagesAndGoesOnFromThere() throws Exception {
    try (TestRanges ranges = TestRanges.unlimited();
        ClientView client = new ClientView(ranges.open(1000))) {
      ShrinkablePageRange range = ranges.ranges.getFirst();
      range.useRange(100, 110);
      client.fallocate(0, 1000);
      ResidentPages pages = range.pages();
      List<Integer> lookedAt = new ArrayList<>();
      List<Long> left = new ArrayList<>();

      pages.lock.lock();
      try {
        while (pages.excess() > 0) {
          lookedAt.add(pages.punchStrays(1000));
          left.add(pages.excess());
        }
        assertThat(pages.punchStrays(1000)).isZero();
      } finally {
        pages.lock.unlock();
      }

      assertThat(lookedAt).containsExactly(266, 256, 256, 222);
      assertThat(left).containsExactly(734L, 478L, 222L, 0L);
      assertThat(range.strays()).isEqualTo(990);
      ranges.checkInvariants();
    }
  }

  @Test
  void audit_rangeLocked_leavesItForTheNextRound() {
    try (TestRanges ranges = TestRanges.unlimited();
        ClientView client = new ClientView(ranges.open(8))) {
      ShrinkablePageRange range = ranges.ranges.getFirst();
      client.scribble(3, 9);

      try (HeldLock held = new HeldLock(range)) {
        assertThat(held).isNotNull();
        ranges.shrinker.audit(range);
        ranges.shrinker.scan(1);
        assertThat(range.strays()).isZero();
        assertThat(client.get(3, 0)).isEqualTo((byte) 9);
      }
      ranges.shrinker.scan(1);

      assertThat(range.strays()).isEqualTo(1);
      ranges.checkInvariants();
    }
  }

  @Test
  void audit_somebodyQueuesForTheLock_letsItInAndLeavesTheRest() throws InterruptedException {
    try (TestRanges ranges = scripted();
        ClientView client = new ClientView(ranges.open(1000))) {
      ShrinkablePageRange range = ranges.ranges.getFirst();
      client.fallocate(0, 1000);
      ResidentPages pages = range.pages();
      List<Thread> allocators = new ArrayList<>();
      script.beforeEach(() -> {
        if (pages.lock.isHeldByCurrentThread() && allocators.isEmpty()) {
          allocators.add(Thread.ofPlatform().start(() -> takeAndLetGo(pages)));
          while (!pages.lock.hasQueuedThreads()) {
            Thread.onSpinWait();
          }
        }
      });

      // The queued thread may have come and gone before the second hold is tried: then all is
      // taken.
      ranges.shrinker.audit(range);
      script.beforeEach(() -> {});
      allocators.getFirst().join();

      assertThat(range.strays()).isIn(256L, 1000L);
      ranges.shrinker.audit(range);
      assertThat(range.strays()).isEqualTo(1000);
      ranges.checkInvariants();
    }
  }

  private static void takeAndLetGo(ResidentPages pages) {
    pages.lock.lock();
    try {
      assertThat(pages.lock.isHeldByCurrentThread()).isTrue();
    } finally {
      pages.lock.unlock();
    }
  }

  @Test
  void audit_kernelRefuses_leavesTheRestForTheNextRound() {
    try (TestRanges ranges = scripted();
        ClientView client = new ClientView(ranges.open(600))) {
      ShrinkablePageRange range = ranges.ranges.getFirst();
      range.useRange(0, 4);
      range.stopUsingRange(0, 2);
      client.fallocate(4, 600);
      script.failEvery(FailingPageFile.Call.RESIDENT_PAGES);
      assertThat(ranges.shrinker.scan(1).reclaimed()).isEqualTo(1);
      assertThat(range.strays()).isZero();

      script.failEvery(FailingPageFile.Call.PUNCH);
      ranges.shrinker.audit(range);
      assertThat(range.strays()).isZero();

      script.failNone();
      ranges.shrinker.audit(range);

      assertThat(range.strays()).isEqualTo(596);
      assertThat(TestRanges.map(range)).startsWith("AFUUF");
      ranges.checkInvariants();
    }
  }

  @Test
  void audit_rangeClosed_findsNothing() {
    try (TestRanges ranges = TestRanges.unlimited();
        ClientView client = new ClientView(ranges.open(8))) {
      ShrinkablePageRange range = ranges.ranges.getFirst();
      range.close();
      client.scribble(3, 9);

      ranges.shrinker.audit(range);

      assertThat(range.strays()).isZero();
      assertThat(client.get(3, 0)).isEqualTo((byte) 9); // nobody's but the client's own now
    }
  }

  @Test
  void scan_nothingToFind_looksOncePerRangeAndPunchesOnlyWhatItReclaims() {
    try (TestRanges ranges = scripted()) {
      for (int i = 0; i < 5; i++) {
        ShrinkablePageRange range = ranges.open(16);
        range.useRange(0, 8);
        range.stopUsingRange(0, 4);
      }
      script.failFrom(Integer.MAX_VALUE, Integer.MAX_VALUE, FailingPageFile.Call.RESIDENT_PAGES);
      ranges.shrinker.scan(1);
      assertThat(script.calls()).isEqualTo(5);

      script.failFrom(Integer.MAX_VALUE, Integer.MAX_VALUE, FailingPageFile.Call.PUNCH);
      ranges.shrinker.scan(1);
      assertThat(script.calls()).isEqualTo(1);

      script.failFrom(Integer.MAX_VALUE, Integer.MAX_VALUE, FailingPageFile.Call.RESIDENT_PAGES);
      ranges.shrinker.scan(1000); // walks the tables, and audits all
      assertThat(script.calls()).isEqualTo(5);
    }
  }

  @Test
  void scan_candidatesQueuedBefore_auditsSomeRangesInTurn() {
    List<ClientView> clients = new ArrayList<>();
    try (TestRanges ranges = TestRanges.unlimited()) {
      for (int i = 0; i < 10; i++) {
        ShrinkablePageRange range = ranges.open(16);
        range.useRange(0, 8);
        range.stopUsingRange(0, 8);
        clients.add(new ClientView(range));
      }
      ranges.shrinker.scan(1); // queues the rest
      clients.forEach(client -> client.scribble(12, 9));
      List<Long> found = new ArrayList<>();
      for (int scan = 0; scan < 3; scan++) {
        ranges.shrinker.scan(1);
        found.add(ranges.shrinker.counters().strays());
      }

      assertThat(found).containsExactly(4L, 8L, 10L);
      assertThat(ranges.ranges).allSatisfy(range -> assertThat(range.strays()).isEqualTo(1));
      ranges.checkInvariants();
    } finally {
      clients.forEach(ClientView::close);
    }
  }

  @Test
  void scan_ofOneBudget_auditsTheRangesBelowItAlone() {
    try (TestRanges ranges = TestRanges.unlimited()) {
      PageBudget session = ranges.budget.child("--max-resident-bytes-per-session", 100);
      ShrinkablePageRange within = ranges.open(8, session);
      ShrinkablePageRange outside = ranges.open(8);
      try (ClientView one = new ClientView(within);
          ClientView other = new ClientView(outside)) {
        one.scribble(1, 9);
        other.scribble(1, 9);

        ranges.shrinker.scan(1, session);

        assertThat(within.strays()).isEqualTo(1);
        assertThat(outside.strays()).isZero();
        assertThat(other.get(1, 0)).isEqualTo((byte) 9);
      }
    }
  }
}
