package dev.pagetide.server.page;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A use that is cancelled on its way into the line, which takes two steps. */
final class WaitingCancelTest {
  private final TestRanges ranges = TestRanges.withBudget(20);
  private final ShrinkablePageRange range = ranges.openSession(18);
  private final AllocationQueue queue = ranges.shrinker.allocationQueue();
  private final List<String> told = new ArrayList<>();

  @AfterEach
  void close() {
    ranges.checkInvariants();
    ranges.close();
  }

  private QueuedRequest waiterFor(int pages) {
    return new QueuedRequest(
        queue.arrive(),
        QueuedRequest.Asker.of(range),
        pages,
        0,
        Long.MAX_VALUE,
        () -> told.add("granted"),
        why -> told.add(why.getMessage()));
  }

  @Test
  void cancel_beforeItStandsInLine_isFoundWhenItDoes() {
    QueuedRequest request = waiterFor(1);

    queue.cancel(request);
    queue.join(request);
    queue.cancel(request); // as who joins does, when it finds its use cancelled

    assertThat(queue.size()).isZero();
    queue.serve();
    assertThat(told).isEmpty();
  }

  @Test
  void cancel_whileItStandsInLine_standsInNobodysWay() {
    range.useRange(0, 18);
    QueuedRequest first = waiterFor(2);
    QueuedRequest second = waiterFor(1);
    queue.join(first);
    queue.join(second);
    range.stopUsingRange(0, 1);

    queue.cancel(first);
    queue.serve();

    assertThat(told).containsExactly("granted");
    assertThat(queue.size()).isZero();
    assertThat(ranges.budget.chargedPages()).isEqualTo(20);
    ranges.shrinker.reservations().giveBack(range.budget(), 1);
  }
}
