package dev.pagetide.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * One read or write of any length, done as pieces that each fit into one request, one after the
 * other.
 *
 * <p>Completing or cancelling the transfer's future from outside stops it: no piece is sent and no
 * byte is copied into the caller's buffer afterwards.
 *
 * @param <A> the answer to one piece
 */
final class ByteTransfer<A> {

  /** The rpc that moves one piece. */
  interface PieceCall<A> {
    /** Starts moving {@code length} bytes, {@code at} bytes after the transfer's start. */
    CompletableFuture<A> start(int at, int length);
  }

  /** What is done with the answer to one piece. */
  interface PieceEnd<A> {
    /** Takes the answer to the piece that started at {@code at}. */
    void take(int at, A answer);
  }

  private final int length;
  private final PieceCall<A> call;
  private final PieceEnd<A> end;
  private final CompletableFuture<Void> result = new CompletableFuture<>();

  @GuardedBy("this")
  private @Nullable CompletableFuture<A> current;

  @GuardedBy("this")
  private int moved;

  private ByteTransfer(int length, PieceCall<A> call, PieceEnd<A> end) {
    this.length = length;
    this.call = call;
    this.end = end;
  }

  /** Moves {@code length} bytes in pieces of at most {@code pieceBytes}; 0 bytes are one piece. */
  static <A> CompletableFuture<Void> run(
      int length, int pieceBytes, PieceCall<A> call, PieceEnd<A> end) {
    return new ByteTransfer<>(length, call, end).start(pieceBytes);
  }

  private CompletableFuture<Void> start(int pieceBytes) {
    CompletableFuture<Void> chain = piece(0, Math.min(length, pieceBytes));
    for (int at = pieceBytes; at > 0 && at < length; at += pieceBytes) {
      int start = at;
      int bytes = Math.min(length - at, pieceBytes);
      chain = chain.thenCompose(_ -> piece(start, bytes));
    }
    var _ = chain.whenComplete((_, failure) -> settle(failure));
    // Runs inside cancel(), so that nothing touches the caller's buffer once cancel() has returned.
    var _ = result.whenComplete((_, _) -> stop());
    return result;
  }

  private CompletableFuture<Void> piece(int at, int bytes) {
    CompletableFuture<A> started;
    synchronized (this) {
      if (result.isDone()) {
        return CompletableFuture.completedFuture(null);
      }
      started = call.start(at, bytes);
      current = started;
    }
    return started.thenAccept(answer -> take(at, bytes, answer));
  }

  private synchronized void take(int at, int bytes, A answer) {
    if (!result.isDone()) {
      end.take(at, answer);
      moved += bytes;
    }
  }

  private void settle(@Nullable Throwable failure) {
    if (failure == null) {
      result.complete(null);
      return;
    }
    Throwable cause = Blocking.cause(failure);
    int before;
    synchronized (this) {
      before = moved;
    }
    result.completeExceptionally(
        cause instanceof PagetideException e ? e.afterBytes(before, length) : cause);
  }

  private void stop() {
    CompletableFuture<A> running;
    synchronized (this) {
      running = current;
    }
    if (running != null) {
      running.cancel(true);
    }
  }
}
