package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.shm.PageState;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;

/** A description that the server gives in several answers. */
final class DescribeCallTest {
  private static final int PAGES = 10;
  private static final int RUNS_AT_ONCE = 3;

  private final List<Integer> asked = new ArrayList<>();
  private final List<CompletableFuture<RangeDescription>> answers = new ArrayList<>();

  private CompletableFuture<RangeDescription> ask(int startPage) {
    asked.add(startPage);
    CompletableFuture<RangeDescription> answer = new CompletableFuture<>();
    answers.add(answer);
    return answer;
  }

  private static RangeDescription told(int free, int available, int used, PageRun... runs) {
    return new RangeDescription(RangeAccess.REMOTE, free, available, used, 9, List.of(runs));
  }

  private static PageRun run(PageState state, int startPage, int endPage) {
    return new PageRun(state, new PageInterval(startPage, endPage));
  }

  @Test
  void run_allRunsInOneAnswer_isThatAnswer() throws Exception {
    CompletableFuture<RangeDescription> described = DescribeCall.run(this::ask);
    RangeDescription whole =
        told(8, 0, 2, run(PageState.USED, 0, 2), run(PageState.FREE, 2, PAGES));

    answers.getFirst().complete(whole);

    assertThat(described.get()).isSameAs(whole);
    assertThat(asked).containsExactly(0);
  }

  /** The second answer begins in the state that the first one ended in. */
  @Test
  void run_runsEndBeforeThePagesDo_asksForTheRestAndJoinsThem() throws Exception {
    CompletableFuture<RangeDescription> described = DescribeCall.run(this::ask);

    answers
        .get(0)
        .complete(
            told(
                4,
                1,
                5,
                run(PageState.USED, 0, 1),
                run(PageState.FREE, 1, 2),
                run(PageState.AVAILABLE, 2, RUNS_AT_ONCE)));
    assertThat(described).isNotDone();
    answers
        .get(1)
        .complete(
            told(
                6,
                2,
                2,
                run(PageState.AVAILABLE, RUNS_AT_ONCE, 4),
                run(PageState.FREE, 4, 9),
                run(PageState.USED, 9, PAGES)));

    assertThat(asked).containsExactly(0, RUNS_AT_ONCE);
    assertThat(described.get())
        .isEqualTo(
            told(
                6,
                2,
                2,
                run(PageState.USED, 0, 1),
                run(PageState.FREE, 1, 2),
                run(PageState.AVAILABLE, 2, 4),
                run(PageState.FREE, 4, 9),
                run(PageState.USED, 9, PAGES)));
  }

  @Test
  void run_serverTellsNothingMore_endsWithWhatWasTold() throws Exception {
    CompletableFuture<RangeDescription> described = DescribeCall.run(this::ask);

    answers.get(0).complete(told(8, 0, 2, run(PageState.USED, 0, 2)));
    answers.get(1).complete(told(8, 0, 2));

    assertThat(described.get().runs()).containsExactly(run(PageState.USED, 0, 2));
    assertThat(asked).containsExactly(0, 2);
  }

  @Test
  void run_aLaterAnswerFails_failsWithThat() {
    CompletableFuture<RangeDescription> described = DescribeCall.run(this::ask);
    PagetideException lost = PagetideException.local(StatusCode.UNAVAILABLE, "lost");

    answers.get(0).complete(told(8, 0, 2, run(PageState.USED, 0, 2)));
    answers.get(1).completeExceptionally(lost);

    assertThatThrownBy(described::get).isInstanceOf(ExecutionException.class).hasCause(lost);
  }

  @Test
  void cancel_whileItIsAsked_cancelsTheCallAndAsksNoMore() {
    CompletableFuture<RangeDescription> described = DescribeCall.run(this::ask);
    answers.get(0).complete(told(8, 0, 2, run(PageState.USED, 0, 2)));

    described.cancel(true);

    assertThat(answers.get(1)).isCancelled();
    assertThat(asked).containsExactly(0, 2);
  }
}
