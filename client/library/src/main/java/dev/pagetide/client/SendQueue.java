package dev.pagetide.client;

import dev.pagetide.shm.ContractLimits;
import dev.pagetide.v1.ExchangeRequest;
import dev.pagetide.v1.FreeBuffers;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * What one endpoint has to send and has not sent: commands in their order, and buffers to be freed.
 *
 * <p>What waits together goes out in one message. Frees go before the next command, or when they
 * are worth a message of their own, or once {@link #flush} was called. Guarded by its stream's
 * lock.
 */
final class SendQueue {

  /** Commands that are sent in one message at most, and their bytes but for the last one's. */
  private static final int MAX_TOGETHER = 32;

  private static final int MAX_BYTES_TOGETHER = 64 << 10;

  /** How many frees wait for company at most. */
  private static final int MAX_LAZY_FREES = 32;

  /** How many freed bytes wait at most: their space may be what a sender needs. */
  private static final long MAX_LAZY_BYTES = 4 << 20;

  /** And of a small range no more than that part. */
  private static final int LAZY_PART = 16;

  private final long maxLazyBytes;
  private final ArrayDeque<ExchangeCommand> commands = new ArrayDeque<>();
  private final ArrayDeque<Long> frees = new ArrayDeque<>();
  private long bytes;
  private long freedBytes;
  private boolean flushDue;

  /** Nothing to send, of an endpoint whose range has so many bytes. */
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

  /** Adds a buffer to be freed; whether the frees are to go out now. */
  boolean addFree(long offset, long size) {
    frees.add(offset);
    freedBytes += size;
    boolean now = frees.size() >= MAX_LAZY_FREES || freedBytes >= maxLazyBytes;
    flushDue |= now;
    return now;
  }

  /** The frees wait for no company any more. */
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

  /** Frees first, as far as they are due or can ride along. */
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
