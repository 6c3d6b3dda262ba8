package dev.pagetide.server.buffer;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The bytes of one range as live buffers and the gaps between them. Not thread-safe: guarded by its
 * allocator's lock.
 */
/*
 * The buffers are ordered by offset. A gap is the space between two of them, or between one and an
 * end of the range. So every gap is as large as it can be by definition, and freeing a buffer makes
 * one gap of its own space and the two gaps beside it. The gaps are kept a second time, ordered by
 * (size, offset). There the first one that is not too small is the best fit, and of equal ones it
 * is the lowest. Every operation is a handful of steps down a tree.
 *
 * Invariant (check): the gaps that are kept are those between the buffers, and their sum is
 * freeBytes.
 */
final class BufferSpace {
  /** Offsets and space are multiples of this: a word, as Binder aligns buffers to a pointer. */
  static final long ALIGNMENT_BYTES = 8;

  private final long totalBytes;
  private final TreeMap<Long, Buffer> buffers = new TreeMap<>();
  private final TreeSet<Gap> gaps = new TreeSet<>();
  private long freeBytes;

  /** One gap. */
  record Gap(long bytes, long offset) implements Comparable<Gap> {
    @Override
    public int compareTo(Gap that) {
      int bySize = Long.compare(bytes, that.bytes);
      return bySize != 0 ? bySize : Long.compare(offset, that.offset);
    }
  }

  /** One gap of all bytes; {@code totalBytes} is a multiple of {@link #ALIGNMENT_BYTES}. */
  BufferSpace(long totalBytes) {
    this.totalBytes = totalBytes;
    addGap(0, totalBytes);
  }

  /** The space that a buffer of some size takes. Works for sizes larger than any range, too. */
  static long spaceFor(long size) {
    long most = Long.MAX_VALUE - ALIGNMENT_BYTES + 1;
    long rounded = Math.min(size, most) + ALIGNMENT_BYTES - 1;
    return Math.max(ALIGNMENT_BYTES, rounded & -ALIGNMENT_BYTES);
  }

  /** The smallest gap of at least so many bytes, the lowest among equals. */
  @Nullable Gap bestFit(long bytes) {
    return gaps.ceiling(new Gap(bytes, 0));
  }

  /** Places a buffer at the start of a gap. */
  void place(Buffer buffer, Gap gap) {
    gaps.remove(gap);
    freeBytes -= gap.bytes;
    addGap(buffer.endOffset(), gap.offset + gap.bytes);
    buffers.put(buffer.offset(), buffer);
  }

  /** Makes a buffer's space free. */
  void remove(Buffer buffer) {
    long gapStart = endBefore(buffer);
    long gapEnd = startAfter(buffer);
    removeGap(gapStart, buffer.offset());
    removeGap(buffer.endOffset(), gapEnd);
    addGap(gapStart, gapEnd);
    buffers.remove(buffer.offset());
  }

  private void addGap(long start, long end) {
    if (start < end) {
      gaps.add(new Gap(end - start, start));
      freeBytes += end - start;
    }
  }

  private void removeGap(long start, long end) {
    if (start < end) {
      gaps.remove(new Gap(end - start, start));
      freeBytes -= end - start;
    }
  }

  /** Where the buffer before a live one ends; 0 if it is the first. */
  long endBefore(Buffer buffer) {
    Map.Entry<Long, Buffer> before = buffers.lowerEntry(buffer.offset());
    return before == null ? 0 : before.getValue().endOffset();
  }

  /** Where the buffer after a live one starts; the range's end if it is the last. */
  long startAfter(Buffer buffer) {
    Long after = buffers.higherKey(buffer.offset());
    return after == null ? totalBytes : after;
  }

  /** The buffer that starts exactly at this offset. */
  @Nullable Buffer startingAt(long offset) {
    return buffers.get(offset);
  }

  /** The buffer whose requested size holds all of {@code [offset, offset + length)}. */
  @Nullable Buffer holding(long offset, long length) {
    Map.Entry<Long, Buffer> floor = offset < 0 ? null : buffers.floorEntry(offset);
    if (floor == null || length < 0) {
      return null;
    }
    long room = floor.getValue().size() - (offset - floor.getKey());
    return length <= room ? floor.getValue() : null;
  }

  /** All live buffers, ascending by offset. */
  Iterable<Buffer> buffers() {
    return buffers.values();
  }

  int count() {
    return buffers.size();
  }

  long totalBytes() {
    return totalBytes;
  }

  long freeBytes() {
    return freeBytes;
  }

  long largestGap() {
    return gaps.isEmpty() ? 0 : gaps.last().bytes;
  }

  /** Forgets all buffers. */
  void clear() {
    buffers.clear();
    gaps.clear();
    freeBytes = 0;
    addGap(0, totalBytes);
  }

  /** Throws if an invariant is broken. */
  void check() {
    List<Gap> between = new ArrayList<>();
    long end = 0;
    long free = 0;
    for (Buffer buffer : buffers.values()) {
      if (buffer.offset() < end) {
        throw new IllegalStateException(buffer + " overlaps the one before it");
      }
      if (buffer.offset() > end) {
        between.add(new Gap(buffer.offset() - end, end));
        free += buffer.offset() - end;
      }
      end = buffer.endOffset();
    }
    if (end < totalBytes) {
      between.add(new Gap(totalBytes - end, end));
      free += totalBytes - end;
    }
    if (end > totalBytes || free != freeBytes) {
      throw new IllegalStateException("free=" + free + " kept=" + freeBytes + " end=" + end);
    }
    if (gaps.size() != between.size() || !gaps.containsAll(between)) {
      throw new IllegalStateException("gaps " + between + ", not " + gaps);
    }
  }
}
