package dev.pagetide.server.web;

/**
 * How many pages several ranges have together.
 *
 * @param pages in any state
 * @param available AVAILABLE pages
 * @param used USED pages
 */
record PageSums(long pages, long available, long used) {
  static final PageSums NONE = new PageSums(0, 0, 0);

  /** The sum of these and the pages of one more range. */
  PageSums plus(long morePages, long moreAvailable, long moreUsed) {
    return new PageSums(pages + morePages, available + moreAvailable, used + moreUsed);
  }
}
