package dev.pagetide.server.budget;

/** Why there was no memory, as those who are told of a refusal need it. */
public interface MemoryRefusal {
  /** The {@link #limit} that is the host's edge. */
  String EDGE = "--memory-reserve";

  /** The {@link #limit} where the kernel itself refused. */
  String KERNEL = "kernel";

  /** How many pages were asked for. */
  long pages();

  /**
   * The option that sets the limit: {@code --max-resident-bytes}, one of its narrower kind, or
   * {@link #EDGE}; {@link #KERNEL} where the kernel refused.
   */
  String limit();

  /** Whether the request exceeds what the limit can ever give, so that trying again is no use. */
  boolean hopeless();

  /** What happened, the numbers, and what to do. */
  String message();
}
