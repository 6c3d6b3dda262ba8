package dev.pagetide.server.pressure;

import dev.pagetide.server.budget.ReclaimTrigger;
import dev.pagetide.server.page.Shrinker;

/** The pages that can be taken back when the host is short of memory. Thread-safe. */
public interface ReclaimablePages {
  /** How many there are. This is expensive, because it reads every page. */
  long count();

  /**
   * Reclaims the oldest of them.
   *
   * @return how many it reclaimed, at most {@code pages}
   */
  long reclaim(long pages, ReclaimTrigger trigger);

  /** The AVAILABLE pages of a whole server. */
  static ReclaimablePages of(Shrinker shrinker) {
    return new ReclaimablePages() {
      @Override
      public long count() {
        return shrinker.count();
      }

      @Override
      public long reclaim(long pages, ReclaimTrigger trigger) {
        return shrinker.scan(pages, trigger).reclaimed();
      }
    };
  }
}
