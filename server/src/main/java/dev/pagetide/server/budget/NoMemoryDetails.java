package dev.pagetide.server.budget;

import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Why there was no memory, as numbers, and the message that states them.
 *
 * @param pages how many were asked for
 * @param option the option that sets the limit
 * @param residentPages the pages that are charged to the limit
 * @param limitPages the limit
 * @param holders the ranges below the limit
 * @param pageSize bytes in a page
 * @param hopeless whether the limit could never give as much
 * @param waitedNanos how long the request waited
 * @param waitingFirst the number of waiting requests that go before one that may not wait
 * @param fairSharePages the share that the asker would exceed, and because of which others' recent
 *     pages are spared; -1 if that is not the reason
 * @param headroom the host's use and limit, if the host is the reason
 */
public record NoMemoryDetails(
    long pages,
    String option,
    long residentPages,
    long limitPages,
    Holders holders,
    int pageSize,
    boolean hopeless,
    long waitedNanos,
    int waitingFirst,
    long fairSharePages,
    @Nullable String headroom)
    implements MemoryRefusal {

  /**
   * The ranges that hold the charged pages, without their names.
   *
   * @param availablePages how many of their pages could be reclaimed
   * @param ranges how many ranges there are
   * @param largest how many pages each of the largest ranges holds, the largest first
   */
  public record Holders(long availablePages, int ranges, List<Long> largest) {}

  @Override
  public String limit() {
    return headroom == null ? option : EDGE;
  }

  @Override
  public String message() {
    StringBuilder text = new StringBuilder("no memory for ").append(count(pages));
    if (waitedNanos > 0) {
      text.append(" after ").append(TimeUnit.NANOSECONDS.toMillis(waitedNanos)).append(" ms");
    }
    text.append(": ");
    if (headroom != null) {
      text.append(headroom).append("; ");
    }
    text.append("resident ")
        .append(residentPages)
        .append(" of ")
        .append(count(limitPages))
        .append(", available ")
        .append(holders.availablePages);
    if (holders.ranges > 1) {
      text.append(" (")
          .append(holders.ranges)
          .append(" ranges, the largest hold ")
          .append(holders.largest.stream().map(String::valueOf).collect(Collectors.joining(", ")))
          .append(')');
    }
    if (waitingFirst > 0) {
      text.append("; ")
          .append(waitingFirst)
          .append(
              waitingFirst == 1 ? " request waits and goes first" : " requests wait and go first");
    }
    if (fairSharePages >= 0 && holders.availablePages > 0) {
      text.append("; beyond a range's fair share of ")
          .append(count(fairSharePages))
          .append(" what others stopped lately is spared (--protect-recent)");
    }
    return text.append("; ").append(advice()).toString();
  }

  private String advice() {
    if (headroom != null) {
      return "stop using pages, or raise the control group's limit";
    }
    return String.format(
        Locale.ROOT,
        "%s, or raise %s (now %d bytes)",
        hopeless ? "ask for fewer pages at once" : "stop using pages",
        option,
        limitPages * pageSize);
  }

  private static String count(long pages) {
    return pages + (pages == 1 ? " page" : " pages");
  }
}
