package dev.pagetide.shm;

/**
 * How much one message of the gRPC contract may hold, as the contract's comments say at each field.
 * They are the same for every server and every client, so both sides take them from here.
 *
 * <p>What a server decides by its options, such as {@code max_data_bytes}, it tells each session.
 */
public final class ContractLimits {
  /** Most spans in one UseRange or StopUsingRange. */
  public static final int MAX_SPANS = 4096;

  /**
   * Most runs in the answer to one GetRange: about a MiB. So an answer takes as much heap as a
   * large Read's, however large the range and however often its pages alternate.
   */
  public static final int MAX_RUNS = 65_536;

  /** Most bytes of UTF-8 in a session's name. */
  public static final int MAX_NAME_BYTES = 128;

  /** Most ranges in the answer to one ListRanges, also where more are asked for. */
  public static final int MAX_LISTED_RANGES = 1000;

  /** Ranges in the answer to one ListRanges that does not say how many. */
  public static final int DEFAULT_LISTED_RANGES = 100;

  /** Most further commands that come with one, in one message of an Exchange. */
  public static final int MAX_FURTHER_COMMANDS = 256;

  /** Most further events that come with one, in one message of an Exchange. */
  public static final int MAX_FURTHER_EVENTS = 31;

  /** Most buffers in all FreeBuffers of one message of an Exchange. */
  public static final int MAX_FREED_BUFFERS = 4096;

  /** Most bytes of UTF-8 in which a receiver says why it cannot serve a transaction. */
  public static final int MAX_REFUSAL_BYTES = 1024;

  private ContractLimits() {}
}
