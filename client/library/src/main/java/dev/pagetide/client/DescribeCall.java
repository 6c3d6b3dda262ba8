package dev.pagetide.client;

import dev.pagetide.shm.PageState;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/**
 * One description of a range, by as many GetRanges as it takes: the server tells a bounded number
 * of runs at once.
 *
 * <p>Completing or cancelling the description's future from outside cancels the call under way, and
 * no other follows.
 */
final class DescribeCall {
  private final IntFunction<CompletableFuture<RangeDescription>> from;
  private final CompletableFuture<RangeDescription> result = new CompletableFuture<>();

  /** The runs of several answers; by one thread at a time. */
  private final List<PageRun> runs = new ArrayList<>();

  private DescribeCall(IntFunction<CompletableFuture<RangeDescription>> from) {
    this.from = from;
  }

  /**
   * Describes a whole range.
   *
   * @param from asks for the runs of the pages from one on; of 0, all
   */
  static CompletableFuture<RangeDescription> run(
      IntFunction<CompletableFuture<RangeDescription>> from) {
    DescribeCall call = new DescribeCall(from);
    call.ask(0);
    return call.result;
  }

  private void ask(int startPage) {
    CompletableFuture<RangeDescription> answer = from.apply(startPage);
    var _ = result.whenComplete((_, _) -> answer.cancel(false));
    var _ = answer.whenComplete((told, failure) -> take(startPage, told, failure));
  }

  private void take(int startPage, @Nullable RangeDescription told, @Nullable Throwable failure) {
    if (told == null) {
      result.completeExceptionally(
          failure == null ? new IllegalStateException("no answer") : failure);
      return;
    }
    int end = told.runs().isEmpty() ? startPage : told.runs().getLast().pages().endPage();
    int pageCount = told.freePages() + told.availablePages() + told.usedPages();
    boolean last = end >= pageCount || end <= startPage;
    if (last && startPage == 0) {
      result.complete(told);
      return;
    }
    told.runs().forEach(this::append);
    if (last) {
      result.complete(joined(told));
    } else if (!result.isDone()) {
      ask(end);
    }
  }

  /** Neighbours differ in state, also where one answer ends and the next begins. */
  private void append(PageRun run) {
    PageRun before = runs.isEmpty() ? null : runs.getLast();
    if (before == null || before.state() != run.state()) {
      runs.add(run);
    } else {
      runs.set(
          runs.size() - 1,
          new PageRun(
              run.state(), new PageInterval(before.pages().startPage(), run.pages().endPage())));
    }
  }

  /** Each answer's numbers are of its own moment, so that these are summed up from the runs. */
  private RangeDescription joined(RangeDescription last) {
    return new RangeDescription(
        last.access(),
        pages(PageState.FREE),
        pages(PageState.AVAILABLE),
        pages(PageState.USED),
        last.highWatermark(),
        runs);
  }

  private int pages(PageState state) {
    int pages = 0;
    for (PageRun run : runs) {
      pages += run.state() == state ? run.pages().pageCount() : 0;
    }
    return pages;
  }
}
