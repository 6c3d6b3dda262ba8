package dev.pagetide.server.page;

import dev.pagetide.server.budget.Answer;
import dev.pagetide.server.budget.MemoryRefusal;
import java.io.IOException;
import java.util.Locale;

/**
 * Why a page range refused a request. The message of each subclass says what happened, the numbers,
 * and what to do. There is no stack trace, because a refusal is an answer and not a bug.
 */
public abstract sealed class PageFailure extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private PageFailure(String message) {
    super(message, null, false, false);
  }

  /**
   * The exception for a request that waited and was denied. If the exception cannot be made,
   * returns the failure to make it, because the request has left the queue and must get an answer.
   */
  static Throwable of(Answer.Denial denial) {
    try {
      return denial instanceof Answer.Refused refused ? new NoMemory(refused.why()) : new Closed();
    } catch (RuntimeException | Error e) {
      return e;
    }
  }

  /** Pages or bytes beyond the end of the range. */
  public static final class PastEnd extends PageFailure {
    private static final long serialVersionUID = 1L;

    PastEnd(String message) {
      super(message);
    }

    static PastEnd ofPages(long startPage, long endPage, int pageCount) {
      return new PastEnd(
          String.format(
              Locale.ROOT,
              "pages [%s, %s) exceed this range's %d pages; ask for end_page <= %d, or open a "
                  + "larger range, up to the server's --max-range-bytes",
              Long.toString(startPage),
              Long.toString(endPage),
              pageCount,
              pageCount));
    }

    static PastEnd ofBytes(long offset, long length, long dataBytes) {
      return new PastEnd(
          String.format(
              Locale.ROOT,
              "bytes at offset %s, length %s, exceed this range's %d bytes; ask for offset + "
                  + "length <= %d, or open a larger range, up to the server's --max-range-bytes",
              Long.toUnsignedString(offset),
              Long.toUnsignedString(length),
              dataBytes,
              dataBytes));
    }
  }

  /** A size of less than one page. */
  public static final class SizeInvalid extends PageFailure {
    private static final long serialVersionUID = 1L;

    SizeInvalid(long sizeBytes, int pageSize) {
      super(
          String.format(
              Locale.ROOT,
              "size_bytes=%s is less than one page; ask for at least %d bytes",
              Long.toUnsignedString(sizeBytes),
              pageSize));
    }
  }

  /** A copy was asked for that touches a page that is not USED. */
  public static final class NotUsed extends PageFailure {
    private static final long serialVersionUID = 1L;

    NotUsed(String verb, int page, String state) {
      super(
          String.format(
              Locale.ROOT,
              "page %d is %s, not USED: %s; call UseRange(%d, %d) before %s",
              page,
              state,
              state.equals("FREE") ? "it keeps no bytes" : "its bytes may be reclaimed at any time",
              page,
              page + 1,
              verb));
    }
  }

  /** A limit on resident memory is reached, and nothing could be reclaimed. */
  public static final class NoMemory extends PageFailure {
    private static final long serialVersionUID = 1L;

    private final boolean hopeless;
    private final long pages;
    private final String limit;

    NoMemory(MemoryRefusal refusal) {
      super(refusal.message());
      this.hopeless = refusal.hopeless();
      this.pages = refusal.pages();
      this.limit = refusal.limit();
    }

    /** How many pages were asked for. */
    public long pages() {
      return pages;
    }

    /** As {@link MemoryRefusal#limit}. */
    public String limit() {
      return limit;
    }

    /** Whether the request exceeds what the limit can ever give, so that a retry cannot succeed. */
    public boolean hopeless() {
      return hopeless;
    }
  }

  /** The range is closing or closed. */
  public static final class Closed extends PageFailure {
    private static final long serialVersionUID = 1L;

    /** For callers that learn of the range's end by other means than the range's refusal. */
    public Closed() {
      super("the session has ended; open a new range");
    }
  }

  /** The page table holds words that no client may write. */
  public static final class TableCorrupt extends PageFailure {
    private static final long serialVersionUID = 1L;

    TableCorrupt() {
      super(
          "the range's page table changes as no client may change it, and the pages could not be"
              + " used; only AVAILABLE <-> USED is a client's to write");
    }
  }

  /** The kernel refused a system call, which means that the host is in trouble. */
  public static final class SystemRefused extends PageFailure {
    private static final long serialVersionUID = 1L;

    SystemRefused(IOException kernel) {
      super("the kernel refused: " + kernel.getMessage());
    }
  }
}
