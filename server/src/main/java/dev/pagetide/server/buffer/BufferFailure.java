package dev.pagetide.server.buffer;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Why a buffer was not allocated, not found or not freed. Each failure has a message that says what
 * happened, the numbers, and what to do. A method that throws one has changed nothing. A failure
 * has no stack trace, because a refusal is an answer and not a fault.
 */
public abstract sealed class BufferFailure extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private BufferFailure(@Nullable String message) {
    super(message, null, false, false);
  }

  /** No gap is large enough. */
  public static final class NoSpace extends BufferFailure {
    private static final long serialVersionUID = 1L;

    private final boolean hopeless;

    NoSpace(long size, long spaceBytes, BufferTotals totals, long totalBytes) {
      super(
          String.format(
              Locale.ROOT,
              "no gap for %s; %s",
              numbers(size, spaceBytes, totals, totalBytes),
              spaceBytes > totalBytes
                  ? "open a range of " + needed(spaceBytes)
                  : "free buffers, or open a larger range, up to the server's"
                      + " --max-range-bytes"));
      this.hopeless = spaceBytes > totalBytes;
    }

    /** Whether it would not fit into an empty range, so that it is useless to try again. */
    public boolean hopeless() {
      return hopeless;
    }
  }

  /** The one-way half of the range is spent. */
  public static final class NoOneWaySpace extends BufferFailure {
    private static final long serialVersionUID = 1L;

    private final boolean hopeless;

    NoOneWaySpace(long size, long spaceBytes, BufferTotals totals, long totalBytes) {
      super(
          String.format(
              Locale.ROOT,
              "no one-way space for %s; one-way buffers may have half of a range: %s",
              numbers(size, spaceBytes, totals, totalBytes),
              spaceBytes > totals.oneWayLimitBytes()
                  ? "open one of " + needed(2 * spaceBytes)
                  : "free some, or open a larger one, up to the server's --max-range-bytes"));
      this.hopeless = spaceBytes > totals.oneWayLimitBytes();
    }

    /** Whether it exceeds the whole one-way half, so that it is useless to try again. */
    public boolean hopeless() {
      return hopeless;
    }
  }

  /** What to open instead, because the buffer does not fit even if all others are freed. */
  private static String needed(long bytes) {
    return String.format(
        Locale.ROOT,
        "at least %s bytes, and raise the server's --max-range-bytes if it is less",
        Long.toUnsignedString(bytes));
  }

  private static String numbers(long size, long spaceBytes, BufferTotals totals, long totalBytes) {
    return String.format(
        Locale.ROOT,
        "%d bytes (rounded %d): largest gap %d, free %d of %d, one-way %d of %d",
        size,
        spaceBytes,
        totals.largestGap(),
        totals.freeBytes(),
        totalBytes,
        totals.oneWayUsedBytes(),
        totals.oneWayLimitBytes());
  }

  /** The range has as many buffers as it may have. */
  public static final class TooMany extends BufferFailure {
    private static final long serialVersionUID = 1L;

    TooMany(int maxBuffers) {
      super(
          String.format(
              Locale.ROOT,
              "this range has %d live buffers, as many as it may; free some, or raise "
                  + "--max-buffers (now %d)",
              maxBuffers,
              maxBuffers));
    }
  }

  /** There is no delivered buffer at that place. */
  public static final class NotABuffer extends BufferFailure {
    private static final long serialVersionUID = 1L;

    private final boolean toFree;
    private final long offset;
    private final long length;

    private NotABuffer(boolean toFree, long offset, long length) {
      super(null);
      this.toFree = toFree;
      this.offset = offset;
      this.length = length;
    }

    static NotABuffer toFree(long offset) {
      return new NotABuffer(true, offset, 0);
    }

    static NotABuffer toPin(long offset, long length) {
      return new NotABuffer(false, offset, length);
    }

    /** Made only if it is asked for, because one message may name thousands that are no buffers. */
    @Override
    public String getMessage() {
      String start = Long.toUnsignedString(offset);
      return toFree
          ? String.format(
              Locale.ROOT,
              "offset=%s is where no live buffer starts: it was freed before, or never was one;"
                  + " free each buffer once, by the offset it came with",
              start)
          : String.format(
              Locale.ROOT,
              "bytes at offset=%s, length=%s are not all in one delivered buffer; name bytes of a"
                  + " buffer that was delivered and is not freed",
              start,
              Long.toUnsignedString(length));
    }
  }

  /** The buffer cannot be freed now. */
  public static final class Busy extends BufferFailure {
    private static final long serialVersionUID = 1L;

    /** What {@link #pins} says of a buffer that is being filled, which nothing can pin. */
    private static final int BUILDING = 0;

    private final long offset;
    private final int pins;

    private Busy(long offset, int pins) {
      super(null);
      this.offset = offset;
      this.pins = pins;
    }

    static Busy building(long offset) {
      return new Busy(offset, BUILDING);
    }

    static Busy pinned(long offset, int pins) {
      return new Busy(offset, pins);
    }

    /** Made only if it is asked for, because one message may name a busy buffer thousandfold. */
    @Override
    public String getMessage() {
      return pins == BUILDING
          ? String.format(
              Locale.ROOT,
              "the buffer at offset=%d is being filled; free it after it was delivered",
              offset)
          : String.format(
              Locale.ROOT,
              "the buffer at offset=%d is being copied (pins=%d); free it after what names it was"
                  + " answered",
              offset,
              pins);
    }
  }
}
