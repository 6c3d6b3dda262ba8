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
  private final WaitingLine line = ranges.shrinker.waitingLine();
  private final List<String> told = new ArrayList<>();

  @AfterEach
  void close() {
    ranges.checkInvariants();
    ranges.close();
  }

  private Waiter waiterFor(int pages) {
    return new Waiter(
        line.arrive(),
        Waiter.Asker.of(range),
        pages,
        0,
        Long.MAX_VALUE,
        () -> told.add("granted"),
        why -> told.add(why.getMessage()));
  }

  @Test
  void cancel_beforeItStandsInLine_isFoundWhenItDoes() {
    Waiter waiter = waiterFor(1);

    line.cancel(waiter);
    line.join(waiter);
    line.cancel(waiter); // as who joins does, when it finds its use cancelled

    assertThat(line.size()).isZero();
    line.serve();
    assertThat(told).isEmpty();
  }

  @Test
  void cancel_whileItStandsInLine_standsInNobodysWay() {
    range.useRange(0, 18);
    Waiter first = waiterFor(2);
    Waiter second = waiterFor(1);
    line.join(first);
    line.join(second);
    range.stopUsingRange(0, 1);

    line.cancel(first);
    line.serve();

    assertThat(told).containsExactly("granted");
    assertThat(line.size()).isZero();
    assertThat(ranges.budget.chargedPages()).isEqualTo(20);
    ranges.shrinker.reservations().giveBack(range.budget(), 1);
  }
}
