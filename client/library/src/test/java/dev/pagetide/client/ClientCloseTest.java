package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;

/** Whether the end of a client waits for the end of its connection. */
final class ClientCloseTest {

  @AutoClose private final FakeExchange server = new FakeExchange();

  /** A channel that counts who waits for its end. */
  private static final class CountedChannel extends ManagedChannel {
    private final ManagedChannel channel;
    private final AtomicInteger waits = new AtomicInteger();

    CountedChannel(ManagedChannel channel) {
      this.channel = channel;
    }

    @Override
    public boolean awaitTermination(long timeout, TimeUnit unit) throws InterruptedException {
      waits.incrementAndGet();
      return channel.awaitTermination(timeout, unit);
    }

    @Override
    public ManagedChannel shutdown() {
      return channel.shutdown();
    }

    @Override
    public ManagedChannel shutdownNow() {
      return channel.shutdownNow();
    }

    @Override
    public boolean isShutdown() {
      return channel.isShutdown();
    }

    @Override
    public boolean isTerminated() {
      return channel.isTerminated();
    }

    @Override
    public <Q, A> ClientCall<Q, A> newCall(MethodDescriptor<Q, A> method, CallOptions options) {
      return channel.newCall(method, options);
    }

    @Override
    public String authority() {
      return channel.authority();
    }

    @Override
    public io.grpc.ConnectivityState getState(boolean requestConnection) {
      return channel.getState(requestConnection);
    }
  }

  @Test
  void close_whereAnswersAreDelivered_doesNotWaitForTheConnection() {
    CountedChannel channel = new CountedChannel(server.channel());
    PagetideClient client = new PagetideClient(channel, ClientOptions.DEFAULT);
    PageRange range = client.open(OpenOptions.ofSize(1024));

    Blocking.deliver(client::close);

    assertThat(channel.waits).hasValue(0);
    assertThat(channel.isShutdown()).isTrue();
    CompletableFuture<SessionEnd> ended = range.ended().toCompletableFuture();
    await().until(ended::isDone);
    assertThat(ended.join().cause()).isEqualTo(SessionEnd.Cause.CLOSED);
  }

  @Test
  void close_onAnotherThread_waitsForTheConnection() {
    CountedChannel channel = new CountedChannel(server.channel());

    new PagetideClient(channel, ClientOptions.DEFAULT).close();

    assertThat(channel.waits).hasValue(1);
    assertThat(channel.isTerminated()).isTrue();
  }
}
