package dev.pagetide.server.budget;

/**
 * How much memory the host leaves before it would kill rather than refuse: at a control group's
 * limit {@code fallocate} does not fail, the OOM killer runs.
 *
 * <p>Implementations are thread-safe and quick: they are asked before memory is given.
 */
public interface HostHeadroom {
  /** A host without an edge that could be known. */
  HostHeadroom NONE =
      new HostHeadroom() {
        @Override
        public long roomPages() {
          return Long.MAX_VALUE;
        }

        @Override
        public String describe() {
          return "no limit";
        }
      };

  /**
   * Pages that may still be given memory now, what is in use subtracted and the reserve kept;
   * negative if the reserve is eaten into already, {@link Long#MAX_VALUE} if nothing limits.
   */
  long roomPages();

  /** Use, limit and reserve in a few words, for a refusal. */
  String describe();
}
