package dev.pagetide.server.rpc;

import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import java.util.function.Supplier;

/** How a unary call is answered: once, with a message or a status, and never with a surprise. */
final class UnaryCalls {
  private UnaryCalls() {}

  /**
   * Makes an answer to a call that the client has cancelled meanwhile go nowhere, instead of
   * failing. Called before the service method returns.
   */
  static void begin(StreamObserver<?> observer) {
    ((ServerCallStreamObserver<?>) observer).setOnCancelHandler(UnaryCalls::nothing);
  }

  private static void nothing() {}

  /** Works on this thread, which is the one that serves the call. */
  static <A> void now(StreamObserver<A> observer, Supplier<A> work) {
    begin(observer);
    finish(observer, work);
  }

  /**
   * Works on this thread and answers. A call that was cancelled while it waited for this thread
   * does nothing: a use that nobody waits for any more would keep pages that nobody knows of.
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
   * Answers when a future ends, on whichever thread it does; a call that the client cancels cancels
   * the future. Called before the service method returns.
   */
  static <T, A> void follow(
      StreamObserver<A> observer, CompletableFuture<T> result, Function<T, A> answer) {
    ((ServerCallStreamObserver<A>) observer).setOnCancelHandler(() -> result.cancel(false));
    var _ =
        result.whenComplete((value, failure) -> {
          if (result.isCancelled()) {
            return; // there is nobody to answer
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
