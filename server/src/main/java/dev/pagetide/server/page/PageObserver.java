package dev.pagetide.server.page;

/**
 * What hears how long the costly steps took. Called on the thread that took the step, holding no
 * lock of a range; must be quick, thread-safe, and throw nothing.
 */
public interface PageObserver {
  /** Hears nothing. */
  PageObserver NONE = new PageObserver() {};

  /** One {@code fallocate} gave memory to {@code pages} neighbouring pages. */
  default void allocated(int pages, long nanos) {}

  /** One punch took the memory of {@code pages} neighbouring pages. */
  default void punched(int pages, long nanos) {}

  /** One scan ended. */
  default void scanned(ScanResult result, long nanos) {}

  /** One sweep over the page tables of {@code pages} pages ended. */
  default void swept(long pages, long nanos) {}
}
