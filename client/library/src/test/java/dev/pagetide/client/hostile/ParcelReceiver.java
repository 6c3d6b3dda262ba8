package dev.pagetide.client.hostile;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.client.ErrorReason;
import dev.pagetide.client.PagetideException;
import dev.pagetide.client.Payload;
import dev.pagetide.client.ReceivedTransaction;
import dev.pagetide.client.Sender;
import dev.pagetide.client.SenderIdentity;
import dev.pagetide.client.StagedBuffer;
import dev.pagetide.client.TransactionHandler;
import java.util.ArrayDeque;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Takes parcels, verifies each in place, some of them twice, and does what they ask for. Any number
 * of threads may call it at once.
 */
final class ParcelReceiver implements TransactionHandler {
  /** Begins what an asker is told where the reply has failed. */
  static final String CANNOT_REPLY = "cannot reply: ";

  static final String AS_AGREED = "refused, as agreed";

  private static final int MOST_HELD = 3;

  /**
   * How a reply may fail: its asker was told why, or was gone before.
   *
   * <ul>
   *   <li>TRANSACTION_OVER: it has timed out, was cancelled, or its asker was killed.
   *   <li>the others: there is no room at the asker, or no memory for it.
   * </ul>
   */
  private static final Set<ErrorReason> REPLY_FAILURES =
      EnumSet.of(
          ErrorReason.TRANSACTION_OVER,
          ErrorReason.NO_BUFFER_SPACE,
          ErrorReason.TOO_MANY_BUFFERS,
          ErrorReason.NO_MEMORY);

  private final String name;
  private final OneWayBook book;
  private final Tally tally;
  private final Consumer<Throwable> failed;
  private final CompletableFuture<Sender> sender = new CompletableFuture<>();

  /** One-way parcels whose handler has returned, the oldest first. */
  @GuardedBy("this")
  private final ArrayDeque<Held> held = new ArrayDeque<>();

  @GuardedBy("this")
  private boolean allReleased;

  private record Held(ReceivedTransaction transaction, Parcel parcel) {}

  /**
   * A receiver of parcels.
   *
   * @param failed told of what goes on in threads of its own
   */
  ParcelReceiver(String name, OneWayBook book, Tally tally, Consumer<Throwable> failed) {
    this.name = name;
    this.book = book;
    this.tally = tally;
    this.failed = failed;
  }

  /** Says who stages replies. */
  void repliesBy(Sender own) {
    sender.complete(own);
  }

  @Override
  public void handle(ReceivedTransaction transaction) {
    SenderIdentity from = transaction.sender();
    Parcel parcel =
        Parcel.of(
            from.name(),
            from.pid().orElseThrow(),
            name,
            transaction.isOneWay(),
            transaction.code());
    if (transaction.isClearedOnFree() != parcel.isClearedOnFree()) {
      throw new AssertionError(what(transaction) + ": clear_on_free is not as it was sent");
    }
    verify(transaction, parcel);
    if (parcel.oneWay()) {
      book.came(from, transaction.code());
      if (parcel.isHeld()) {
        hold(transaction, parcel);
      }
      return;
    }
    switch (parcel.conduct()) {
      case ANSWERS -> answer(transaction, parcel);
      case ANSWERS_FROM_ANOTHER_THREAD -> {
        transaction.keep();
        later(transaction, parcel);
      }
      case REFUSES -> transaction.refuse(AS_AGREED);
      case WAITS_UNTIL_IT_IS_OVER -> {
        transaction.keep();
        var _ =
            transaction
                .over()
                .thenRun(() -> later(transaction, parcel)); // an event loop must not be kept
      }
    }
  }

  private static String what(ReceivedTransaction transaction) {
    return "from %s, code %d".formatted(transaction.sender(), transaction.code());
  }

  private static void verify(ReceivedTransaction transaction, Parcel parcel) {
    if (transaction.sizeBytes() != parcel.sizeBytes()) {
      throw new AssertionError(
          "%s: %d bytes, not %d"
              .formatted(what(transaction), transaction.sizeBytes(), parcel.sizeBytes()));
    }
    parcel.verify(transaction.data(), what(transaction));
  }

  /** A kept transaction: on a thread of its own, looks at it again, answers it and frees it. */
  private void later(ReceivedTransaction transaction, Parcel parcel) {
    var _ =
        Thread.startVirtualThread(() -> {
          try (transaction) {
            verify(transaction, parcel);
            if (!transaction.isOver()) {
              answer(transaction, parcel);
            }
          } catch (RuntimeException | Error e) {
            failed.accept(e);
          }
        });
  }

  private void answer(ReceivedTransaction transaction, Parcel parcel) {
    Parcel reply = parcel.reply();
    try (StagedBuffer staged = reply.isStaged() ? stage(reply) : null) {
      transaction.reply(
          staged == null ? Payload.of(reply.bytes().asByteBuffer()) : Payload.of(staged));
      tally.count("replies");
    } catch (PagetideException e) {
      tally.count("reply:" + Tally.nameOf(e));
      ErrorReason reason = e.reason().orElse(null);
      if (reason != null && !REPLY_FAILURES.contains(reason)) {
        throw e;
      }
      ParcelSender.requireLocalRefusal(e);
      transaction.refuse(CANNOT_REPLY + e.getMessage());
    }
  }

  private @Nullable StagedBuffer stage(Parcel reply) {
    return ParcelSender.stage(sender.join(), reply, 0, tally);
  }

  /** Keeps a one-way parcel until some more have come, unless all was let go of before. */
  private void hold(ReceivedTransaction transaction, Parcel parcel) {
    Held oldest;
    synchronized (this) {
      if (allReleased) {
        return; // the others may send on for a while, and nobody would let go of it
      }
      transaction.keep();
      held.addLast(new Held(transaction, parcel));
      oldest = held.size() > MOST_HELD ? held.removeFirst() : null;
    }
    if (oldest != null) {
      release(oldest);
    }
  }

  private static void release(Held oldest) {
    try (ReceivedTransaction transaction = oldest.transaction()) {
      verify(transaction, oldest.parcel());
    }
  }

  /** Lets go of what is held, and holds nothing from now on. */
  void releaseAll() {
    synchronized (this) {
      allReleased = true;
    }
    while (true) {
      Held next;
      synchronized (this) {
        next = held.pollFirst();
      }
      if (next == null) {
        return;
      }
      release(next);
    }
  }
}
