package dev.pagetide.server.budget;

/**
 * How much memory the host has left before it would kill processes rather than refuse memory. At a
 * control group's limit {@code fallocate} does not fail; instead the OOM killer runs.
 *
 * <p>Implementations are thread-safe and quick, because the server calls them before it gives
 * memory.
 */
public interface HostHeadroom {
  /** A host whose limit is not known. */
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
   * Pages that may still be given memory now, after the memory in use and the reserve are
   * subtracted. Negative if the reserve is in use already; {@link Long#MAX_VALUE} if there is no
   * limit.
   */
  long roomPages();

  /** The memory in use, the limit and the reserve in a few words, for a refusal. */
  String describe();
}
