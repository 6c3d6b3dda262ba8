package dev.pagetide.server.rpc;

import com.google.rpc.Code;
import dev.pagetide.server.page.PageSpans;
import dev.pagetide.server.page.RangeMode;
import dev.pagetide.server.page.ShrinkablePageRange;
import dev.pagetide.server.page.StateRuns;
import dev.pagetide.shm.ContractLimits;
import dev.pagetide.shm.PageState;
import dev.pagetide.v1.ErrorReason;
import dev.pagetide.v1.PageSpan;
import dev.pagetide.v1.StateRun;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Translates between messages and the types of the packages below. Only this class reads unsigned
 * fields.
 */
final class PageMessages {
  private PageMessages() {}

  /**
   * The pages that a request names.
   *
   * @throws dev.pagetide.server.page.PageFailure.PastEnd if the range does not have all of them
   */
  static PageSpans spans(ShrinkablePageRange range, List<PageSpan> spans) {
    if (spans.size() > ContractLimits.MAX_SPANS) {
      throw StatusMapper.status(
          Code.INVALID_ARGUMENT,
          ErrorReason.ERROR_REASON_TOO_MANY_SPANS,
          String.format(
              Locale.ROOT,
              "%d spans in one request; send at most %d",
              spans.size(),
              ContractLimits.MAX_SPANS));
    }
    PageSpans.Builder pages = range.spans();
    for (PageSpan span : spans) {
      pages.add(
          Integer.toUnsignedLong(span.getStartPage()), Integer.toUnsignedLong(span.getEndPage()));
    }
    return pages.build();
  }

  /** The mode of a range. */
  static RangeMode mode(dev.pagetide.v1.RangeMode mode) {
    return switch (mode) {
      case RANGE_MODE_UNSPECIFIED, RANGE_MODE_PAGES -> RangeMode.PAGES;
      case RANGE_MODE_BUFFERS -> RangeMode.BUFFERS;
      case UNRECOGNIZED ->
          throw StatusMapper.status(
              Code.INVALID_ARGUMENT,
              ErrorReason.ERROR_REASON_MODE_INVALID,
              "mode is none of the RangeModes; ask for RANGE_MODE_PAGES or RANGE_MODE_BUFFERS");
    };
  }

  static List<PageSpan> spans(PageSpans pages) {
    List<PageSpan> spans = new ArrayList<>(pages.size());
    for (int i = 0; i < pages.size(); i++) {
      spans.add(span(pages.startPage(i), pages.endPage(i)));
    }
    return spans;
  }

  private static PageSpan span(int startPage, int endPage) {
    return PageSpan.newBuilder().setStartPage(startPage).setEndPage(endPage).build();
  }

  /**
   * The length of a Read or Write, if one message may carry that many bytes.
   *
   * @param length as the message has it: unsigned
   */
  static int dataLength(int length, int maxDataBytes) {
    if (Integer.compareUnsigned(length, maxDataBytes) > 0) {
      throw StatusMapper.status(
          Code.RESOURCE_EXHAUSTED,
          ErrorReason.ERROR_REASON_TOO_MUCH_DATA,
          String.format(
              Locale.ROOT,
              "%s bytes in one request; send at most --max-data-bytes=%d",
              Integer.toUnsignedString(length),
              maxDataBytes));
    }
    return length;
  }

  /** The runs of adjacent pages in one state. */
  static List<StateRun> runs(StateRuns found) {
    List<StateRun> runs = new ArrayList<>(found.size());
    for (int run = 0; run < found.size(); run++) {
      runs.add(
          StateRun.newBuilder()
              .setState(state(found.state(run)))
              .setPages(span(found.startPage(run), found.endPage(run)))
              .build());
    }
    return runs;
  }

  private static dev.pagetide.v1.PageState state(PageState state) {
    return switch (state) {
      case FREE -> dev.pagetide.v1.PageState.PAGE_STATE_FREE;
      case AVAILABLE -> dev.pagetide.v1.PageState.PAGE_STATE_AVAILABLE;
      case USED -> dev.pagetide.v1.PageState.PAGE_STATE_USED;
    };
  }
}
