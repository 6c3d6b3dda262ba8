package dev.pagetide.server.budget;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A use that is cancelled on its way into the line, which takes two steps. */
final class WaitingCancelTest {
  private final PageBudget server = PageBudget.root("--max-resident-bytes", 20);
  private final PageBudget leaf = server.child("--max-resident-bytes-per-session", 20);
  private final FakeReclaimer reclaimer = new FakeReclaimer(leaf);
  private final AllocationQueue queue = FakeReclaimer.queue(server, reclaimer);
  private final List<String> told = new ArrayList<>();

  private QueuedRequest waiterFor(int pages) {
    return new QueuedRequest(
        queue.arrive(),
        new QueuedRequest.Asker(leaf, () -> false, this),
        pages,
        0,
        Long.MAX_VALUE,
        () -> told.add("granted"),
        why -> told.add(why.toString()),
        why -> told.add(why.toString()));
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
    assertThat(leaf.tryReserve(20)).isNull();
    QueuedRequest first = waiterFor(2);
    QueuedRequest second = waiterFor(1);
    queue.join(first);
    queue.join(second);
    reclaimer.availablePages = 1;

    queue.cancel(first);
    queue.serve();

    assertThat(told).containsExactly("granted");
    assertThat(queue.size()).isZero();
    assertThat(server.chargedPages()).isEqualTo(20);
  }
}
