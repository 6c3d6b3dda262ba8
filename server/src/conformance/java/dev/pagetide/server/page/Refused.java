package dev.pagetide.server.page;

import java.util.function.Supplier;

/** A refusal, by whichever way it came: the same one in a process and over a wire. */
public final class Refused extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final Why why;

  /** What was the matter. */
  public enum Why {
    /** The size asked for is less than a page. */
    SIZE_INVALID,
    /** Pages or bytes that the range has not; negative ones are among them. */
    PAST_END,
    /** A byte of a page that is not USED. */
    NOT_USED,
    /** No memory for all of it. */
    NO_MEMORY,
    /** The session has ended. */
    ENDED
  }

  /** A refusal that {@code cause} told of. */
  public Refused(Why why, RuntimeException cause) {
    super(why + ": " + cause.getMessage(), cause);
    this.why = why;
  }

  /** What was the matter. */
  public Why why() {
    return why;
  }

  /** Runs a verb of a range in this process. */
  static <T> T told(Supplier<T> verb) {
    try {
      return verb.get();
    } catch (PageFailure e) {
      throw new Refused(
          switch (e) {
            case PageFailure.SizeInvalid _ -> Why.SIZE_INVALID;
            case PageFailure.PastEnd _ -> Why.PAST_END;
            case PageFailure.NotUsed _ -> Why.NOT_USED;
            case PageFailure.NoMemory _ -> Why.NO_MEMORY;
            case PageFailure.Closed _ -> Why.ENDED;
            case PageFailure.TableCorrupt _, PageFailure.SystemRefused _ -> throw e;
          },
          e);
    }
  }

  /** Runs a verb of a range in this process that has no answer. */
  static void told(Runnable verb) {
    told(() -> {
      verb.run();
      return true;
    });
  }
}
