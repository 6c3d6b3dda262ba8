package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.testkit.Promise;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/**
 * What holds while a client touches its pages all the time: audits race uses, stops, scans and the
 * close. The bugs it would show: an audit that punches a page the server gave (a user's bytes are
 * gone), a fresh page that is not zeros, and books that do not balance at rest.
 */
@Promise({2, 10, 13, 27})
final class StrayStressTest {
  private static final int PAGES = 640;
  private static final int USERS = 3;
  private static final int PAGES_OF_EACH = 160;

  @Test
  void audit_racingUseStopAndScan_takesNoPageTheServerGave() throws InterruptedException {
    long seed = Seeds.next();
    try (TestRanges ranges = TestRanges.withBudget(3 + USERS * PAGES_OF_EACH / 2);
        ClientView client = new ClientView(ranges.open(PAGES))) {
      ShrinkablePageRange range = ranges.ranges.getFirst();
      AtomicInteger users = new AtomicInteger(USERS);
      List<Crowd.Member> members = new ArrayList<>();
      for (int i = 0; i < USERS; i++) {
        members.add(index -> {
          try {
            useAndCheck(range, index * PAGES_OF_EACH, new Random(seed + index));
          } finally {
            users.decrementAndGet();
          }
        });
      }
      members.add(index -> {
        Random random = new Random(seed + index);
        while (users.get() > 0) {
          // Reading alone brings a punched page back, and harms no user's bytes; nobody uses the
          // last pages, which are written to, too.
          int page = random.nextInt(PAGES);
          if (page < USERS * PAGES_OF_EACH) {
            client.get(page, 0);
          } else {
            client.scribble(page, 9);
          }
        }
      });
      members.add(index -> {
        Random random = new Random(seed + index);
        while (users.get() > 0) {
          ranges.shrinker.audit(range);
          ranges.shrinker.scan(random.nextInt(100));
          if (ranges.budget.chargedPages() > ranges.budget.limitPages()) {
            throw new AssertionError(ranges.budget.toString());
          }
        }
      });
      Crowd.run(members);

      ranges.shrinker.audit(range);
      assertThat(range.strays()).isPositive();
      assertThat(ranges.shrinker.counters().strays()).isEqualTo(range.strays());
      ranges.checkInvariants();
    }
  }

  /** One user of some pages, who knows what it wrote. */
  private static void useAndCheck(ShrinkablePageRange range, int firstPage, Random random) {
    byte[] written = new byte[PAGES_OF_EACH];
    for (int i = 0; i < 2_000; i++) {
      int from = random.nextInt(PAGES_OF_EACH);
      int to = Math.min(PAGES_OF_EACH, from + 1 + random.nextInt(12));
      PageSpans fresh;
      try {
        fresh = range.useRange(firstPage + from, firstPage + to);
      } catch (PageFailure.NoMemory e) {
        continue;
      }
      Pages.toBits(fresh).stream().forEach(page -> written[page - firstPage] = 0);
      for (int page = from; page < to; page++) {
        for (byte b : Pages.bytes(range, firstPage + page, firstPage + page + 1)) {
          if (b != written[page]) {
            throw new AssertionError(
                "round %d, page %d: %d, not %d".formatted(i, page, b, written[page]));
          }
        }
        written[page] = (byte) (1 + random.nextInt(100));
        Pages.fill(range, firstPage + page, firstPage + page + 1, written[page]);
      }
      range.stopUsingRange(firstPage + from, firstPage + to);
    }
  }

  @Test
  void audit_racingClose_leavesNothingBehind() throws InterruptedException {
    long descriptors = ClientView.openRangeFiles();
    try (TestRanges ranges = TestRanges.unlimited()) {
      for (int round = 0; round < 50; round++) {
        ShrinkablePageRange range = ranges.open(600);
        try (ClientView client = new ClientView(range)) {
          range.useRange(0, 50);
          Crowd.run(
              List.of(
                  index -> {
                    for (int page = 50; !range.isClosed(); page = page == 599 ? 50 : page + 1) {
                      client.scribble(page, 9);
                    }
                  },
                  index -> {
                    while (!range.isClosed()) {
                      ranges.shrinker.audit(range);
                    }
                  },
                  index -> {
                    while (!range.isClosed()) {
                      ranges.shrinker.scan(7);
                    }
                  },
                  index -> {
                    while (range.strays() < 20) {
                      range.tryUseRange(0, 1);
                    }
                    range.close();
                  }));
        }
        assertThat(ranges.budget.chargedPages()).isZero();
        ranges.ranges.remove(range);
      }
    }
    assertThat(ClientView.openRangeFiles()).isEqualTo(descriptors);
  }
}
