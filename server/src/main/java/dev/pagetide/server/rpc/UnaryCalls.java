package dev.pagetide.server.rpc;

import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import java.util.function.Supplier;

/** Answers a unary call exactly once, with a message or with a status of the contract. */
final class UnaryCalls {
  private UnaryCalls() {}

  /**
   * Drops the answer if the client has cancelled the call meanwhile; without this, answering would
   * throw. Called before the service method returns.
   */
  static void begin(StreamObserver<?> observer) {
    ((ServerCallStreamObserver<?>) observer).setOnCancelHandler(UnaryCalls::nothing);
  }

  private static void nothing() {}

  /** Does the work on this thread, which is the one that serves the call, and answers. */
  static <A> void now(StreamObserver<A> observer, Supplier<A> work) {
    begin(observer);
    finish(observer, work);
  }

  /**
   * Does the work on this thread, and answers. If the call was cancelled while it waited for this
   * thread, this does nothing: a UseRange for which no client waits would keep pages USED without
   * the client's knowledge.
   */
  static <A> void finish(StreamObserver<A> observer, Supplier<A> work) {
    if (((ServerCallStreamObserver<A>) observer).isCancelled()) {
      return;
    }
    A answer;
    try {
      answer = work.get();
    } catch (RuntimeException | Error e) {
      observer.onError(StatusMapper.of(e));
      return;
    }
    answer(observer, answer);
  }

  /**
   * Answers when a future ends, on the thread that ends it. If the client cancels the call, this
   * cancels the future. Called before the service method returns.
   */
  static <T, A> void follow(
      StreamObserver<A> observer, CompletableFuture<T> result, Function<T, A> answer) {
    ((ServerCallStreamObserver<A>) observer).setOnCancelHandler(() -> result.cancel(false));
    var _ =
        result.whenComplete((value, failure) -> {
          if (result.isCancelled()) {
            return; // no client waits for an answer
          }
          if (failure != null) {
            observer.onError(StatusMapper.of(failure));
          } else {
            answer(observer, answer.apply(value));
          }
        });
  }

  static <A> void answer(StreamObserver<A> observer, A answer) {
    observer.onNext(answer);
    observer.onCompleted();
  }
}
