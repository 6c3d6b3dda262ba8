package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.v1.ExchangeRequest.CommandCase;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;

/** A receiver of a {@link FakeExchange}; its range is not mapped. */
abstract class ReceiverCase {

  static final String TEXT = "twelve bytes";

  @AutoClose final FakeExchange server = new FakeExchange();
  @AutoClose final PagetideClient client = server.client();
  final List<Throwable> errors = new CopyOnWriteArrayList<>();

  @AfterEach
  void close() {
    client.close();
    server.close();
  }

  ReceiverOptions options() {
    return ReceiverOptions.named("store")
        .withSizeBytes(1024)
        .withErrors((thread, failure) -> errors.add(failure));
  }

  Receiver open(TransactionHandler handler) {
    return open(options(), handler);
  }

  Receiver open(ReceiverOptions options, TransactionHandler handler) {
    Receiver receiver = client.openReceiver(options, handler);
    var attach = server.next(CommandCase.ATTACH).getAttach();
    assertThat(attach.getReceives()).isTrue();
    assertThat(attach.getDeliverData()).isTrue();
    return receiver;
  }

  static String text(ReceivedTransaction transaction) {
    return text(transaction.data());
  }

  static String text(MemorySegment bytes) {
    return new String(bytes.toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
  }

  static Payload payload(String text) {
    return Payload.of(text.getBytes(StandardCharsets.UTF_8));
  }

  void expectFree(long... offsets) {
    List<Long> expected = new ArrayList<>();
    for (long offset : offsets) {
      expected.add(offset);
    }
    List<Long> freed = new ArrayList<>();
    while (freed.size() < expected.size()) {
      freed.addAll(server.next(CommandCase.FREE_BUFFERS).getFreeBuffers().getOffsetsList());
    }
    assertThat(freed).containsExactlyInAnyOrderElementsOf(expected);
  }

  static <T> T join(CompletableFuture<T> future) {
    await().until(future::isDone);
    return future.join();
  }
}
