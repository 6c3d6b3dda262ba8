package dev.pagetide.client;

import dev.pagetide.shm.ContractLimits;
import dev.pagetide.v1.ExchangeRequest;
import dev.pagetide.v1.FreeBuffers;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * The unsent commands of one endpoint in their order, and its buffers to be freed.
 *
 * <p>Commands that wait together are sent in one message. Frees are sent before the next command,
 * or when there are enough for a message of their own, or once {@link #flush} was called. Guarded
 * by its stream's lock.
 */
final class SendQueue {

  /** Most commands in one message, and most bytes of them without the last one's. */
  private static final int MAX_TOGETHER = 32;

  private static final int MAX_BYTES_TOGETHER = 64 << 10;

  /** Most frees that wait for a command. */
  private static final int MAX_LAZY_FREES = 32;

  /** Most freed bytes that wait, because a sender may need their space. */
  private static final long MAX_LAZY_BYTES = 4 << 20;

  /** For a small range, most freed bytes that wait are this part of it. */
  private static final int LAZY_PART = 16;

  private final long maxLazyBytes;
  private final ArrayDeque<ExchangeCommand> commands = new ArrayDeque<>();
  private final ArrayDeque<Long> frees = new ArrayDeque<>();
  private long bytes;
  private long freedBytes;
  private boolean flushDue;

  /** An empty queue of an endpoint whose range has that many bytes. */
  SendQueue(long rangeBytes) {
    this.maxLazyBytes = Math.min(MAX_LAZY_BYTES, rangeBytes / LAZY_PART);
  }

  /** Bytes of the commands. */
  long bytes() {
    return bytes;
  }

  void add(ExchangeCommand command) {
    commands.add(command);
    bytes += command.sizeBytes();
  }

  /** Takes a command out; false if it is not here. */
  boolean remove(ExchangeCommand command) {
    boolean removed = commands.remove(command);
    if (removed) {
      bytes -= command.sizeBytes();
    }
    return removed;
  }

  /** Adds a buffer to be freed. Returns whether the frees must be sent now. */
  boolean addFree(long offset, long size) {
    frees.add(offset);
    freedBytes += size;
    boolean now = frees.size() >= MAX_LAZY_FREES || freedBytes >= maxLazyBytes;
    flushDue |= now;
    return now;
  }

  /** From now on the frees need not wait for a command. */
  void flush() {
    flushDue = true;
  }

  void clear() {
    commands.clear();
    frees.clear();
    bytes = 0;
  }

  /** The next message; null: there is none, or it waits for company. */
  @Nullable ExchangeRequest poll() {
    ExchangeRequest first = pollFirst();
    if (first == null || commands.isEmpty()) {
      return first;
    }
    ExchangeRequest.Builder together = first.toBuilder();
    int size = first.getSerializedSize();
    while (!commands.isEmpty()
        && together.getAlsoCount() + 1 < MAX_TOGETHER
        && size < MAX_BYTES_TOGETHER) {
      ExchangeRequest next = pollCommand();
      size += next.getSerializedSize();
      together.addAlso(next);
    }
    return together.build();
  }

  /** Takes the frees first, if they are due or can be sent together with a command. */
  private @Nullable ExchangeRequest pollFirst() {
    boolean rideAlong = !commands.isEmpty();
    if ((flushDue || rideAlong) && !frees.isEmpty()) {
      freedBytes = 0;
      FreeBuffers.Builder free = FreeBuffers.newBuilder();
      for (int i = 0; i < ContractLimits.MAX_FREED_BUFFERS && !frees.isEmpty(); i++) {
        free.addOffsets(frees.remove());
      }
      return ExchangeRequest.newBuilder().setFreeBuffers(free).build();
    }
    flushDue = false;
    return rideAlong ? pollCommand() : null;
  }

  private ExchangeRequest pollCommand() {
    ExchangeCommand command = commands.remove();
    command.markSent();
    bytes -= command.sizeBytes();
    return command.request();
  }
}
