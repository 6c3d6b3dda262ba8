package dev.pagetide.server.budget;

/** Why there was no memory: the facts that a refusal's receivers need. */
public interface MemoryRefusal {
  /** The {@link #limit} if the host has no headroom. */
  String EDGE = "--memory-reserve";

  /** The {@link #limit} if the kernel itself refused. */
  String KERNEL = "kernel";

  /** How many pages were asked for. */
  long pages();

  /**
   * The option that sets the limit: {@code --max-resident-bytes}, a narrower limit of the same
   * kind, or {@link #EDGE}; {@link #KERNEL} if the kernel refused.
   */
  String limit();

  /**
   * Whether the request exceeds what the limit can ever give, so that it is useless to try again.
   */
  boolean hopeless();

  /** What happened, the numbers, and what to do. */
  String message();
}
