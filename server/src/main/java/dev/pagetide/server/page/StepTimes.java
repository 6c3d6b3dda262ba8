package dev.pagetide.server.page;

import java.util.Arrays;

/**
 * How long the steps took that were taken under one hold of a range's lock: kept until the lock is
 * let go, because nobody calls an observer while holding it. Confined to one thread.
 */
final class StepTimes {
  private int[] pages = new int[4];
  private long[] nanos = new long[4];
  private int size;

  /** What hears of a step. */
  @FunctionalInterface
  interface Listener {
    void step(int pages, long nanos);
  }

  void add(int stepPages, long stepNanos) {
    if (size == pages.length) {
      pages = Arrays.copyOf(pages, 2 * size);
      nanos = Arrays.copyOf(nanos, 2 * size);
    }
    pages[size] = stepPages;
    nanos[size] = stepNanos;
    size++;
  }

  /** Tells of every step, and forgets them. Called holding no lock. */
  void tell(Listener listener) {
    for (int i = 0; i < size; i++) {
      listener.step(pages[i], nanos[i]);
    }
    size = 0;
  }
}
