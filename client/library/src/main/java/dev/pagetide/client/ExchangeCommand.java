package dev.pagetide.client;

import dev.pagetide.v1.ExchangeRequest;
import dev.pagetide.v1.ExchangeResponse;
import java.util.concurrent.CompletableFuture;

/** One command of an {@link ExchangeStream}, and what is to come of it. */
final class ExchangeCommand {

  private final ExchangeRequest request;
  private final CompletableFuture<ExchangeResponse> answer = new CompletableFuture<>();
  private boolean sent; // guarded by the stream's lock

  ExchangeCommand(ExchangeRequest request) {
    this.request = request;
  }

  /** The number by which others name it; 0: nobody does. */
  long id() {
    return request.getId();
  }

  /** What is sent. */
  ExchangeRequest request() {
    return request;
  }

  /** Bytes that it takes on the wire. */
  int sizeBytes() {
    return request.getSerializedSize();
  }

  /** Completes on the event loop; fails with {@link PagetideException} only. */
  CompletableFuture<ExchangeResponse> answer() {
    return answer;
  }

  /** Whether it is on its way to the server. */
  boolean isSent() {
    return sent;
  }

  void markSent() {
    sent = true;
  }
}
