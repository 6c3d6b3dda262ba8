package dev.pagetide.server.page;

/**
 * How many pages are in each state, seen page by page while others may flip them.
 *
 * @param free pages without memory, and pages with memory whose word says FREE
 * @param available pages whose memory nobody uses
 * @param used pages whose memory somebody uses, and pages with memory whose word says 3
 * @param contradictions pages with memory whose word says FREE or 3, as no client may write it;
 *     also seen while a page is given memory or loses it
 */
public record PageCounts(long free, long available, long used, long contradictions) {
  /** Of no page. */
  static final PageCounts NONE = new PageCounts(0, 0, 0, 0);

  /** Those of some ranges together with those of others. */
  PageCounts plus(PageCounts more) {
    return new PageCounts(
        free + more.free,
        available + more.available,
        used + more.used,
        contradictions + more.contradictions);
  }
}
