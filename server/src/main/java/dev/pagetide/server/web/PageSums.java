package dev.pagetide.server.web;

/**
 * How many pages several ranges have together.
 *
 * @param pages in whatever state
 * @param available with memory that nobody uses
 * @param used with memory that somebody uses
 */
record PageSums(long pages, long available, long used) {
  static final PageSums NONE = new PageSums(0, 0, 0);

  /** These and one range's. */
  PageSums plus(long morePages, long moreAvailable, long moreUsed) {
    return new PageSums(pages + morePages, available + moreAvailable, used + moreUsed);
  }
}
