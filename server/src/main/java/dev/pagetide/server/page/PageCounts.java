package dev.pagetide.server.page;

/**
 * How many pages are in each state, seen page by page while others may flip them.
 *
 * @param free pages without memory
 * @param available pages whose memory nobody uses
 * @param used pages whose memory somebody uses, contradictions included
 * @param contradictions pages with memory whose word says FREE or 3, as no client may write it
 */
public record PageCounts(long free, long available, long used, long contradictions) {
  /** Those of some ranges together with those of others. */
  PageCounts plus(PageCounts more) {
    return new PageCounts(
        free + more.free,
        available + more.available,
        used + more.used,
        contradictions + more.contradictions);
  }
}
