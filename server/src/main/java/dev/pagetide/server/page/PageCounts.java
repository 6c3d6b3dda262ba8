package dev.pagetide.server.page;

/**
 * How many pages are in each state, read page by page while other threads may flip them.
 *
 * @param free pages without memory, and pages with memory whose word says FREE
 * @param available pages whose memory no client uses
 * @param used pages whose memory a client uses, and pages with memory whose word says 3
 * @param contradictions pages with memory whose word says FREE or 3, which no client may write; a
 *     page also counts here while it is given memory or loses it
 */
public record PageCounts(long free, long available, long used, long contradictions) {
  /** The counts of no pages. */
  static final PageCounts NONE = new PageCounts(0, 0, 0, 0);

  /** The sum of two counts. */
  PageCounts plus(PageCounts more) {
    return new PageCounts(
        free + more.free,
        available + more.available,
        used + more.used,
        contradictions + more.contradictions);
  }
}
