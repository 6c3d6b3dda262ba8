package dev.pagetide.client.handover;

import dev.pagetide.client.ClientOptions;
import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.Payload;
import dev.pagetide.client.ReceivedTransaction;
import dev.pagetide.client.ReceiverOptions;
import dev.pagetide.client.Reply;
import dev.pagetide.client.SendResult;
import dev.pagetide.client.Sender;
import dev.pagetide.client.Target;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * Pagetide's transactions: two-way ones while one message is on its way at a time; else one-way
 * ones, in both directions, because two-way ones may overtake each other.
 *
 * <p>Both ends are receivers whose handlers run where events come, and read the bytes in place.
 */
abstract class PagetideHandOver implements HandOver {
  /** Half of it is for one-way buffers: room for a window of the largest. */
  static final long RANGE_BYTES = 32L << 20;

  private static final Target CONSUMER = Target.named("consumer");
  private static final Target PRODUCER = Target.named("producer");

  /** Whether both ends map their ranges. */
  abstract ClientOptions options();

  /** What the producer writes messages into, and hands over. */
  abstract Slots slots(Sender sender);

  /** The places for messages that are being written or are on their way. */
  interface Slots {
    /** Another phase begins, of messages of that size; none is on its way. */
    void begin(int sizeBytes, int count);

    /** The next place; waits until what was written there before has been copied. */
    MemorySegment next() throws Exception;

    /** What was written there last. */
    Payload written();

    /** What ends when that has been copied. */
    void copiedBy(CompletableFuture<?> answer);
  }

  @Override
  public int window(int sizeBytes) {
    return Math.clamp((6 << 20) / Math.max(1, sizeBytes), 4, 512);
  }

  @Override
  public AutoCloseable between(Path directory) throws IOException {
    Process server =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx512m",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                "dev.pagetide.server.PagetideServer",
                "--dir=" + directory.resolve("run"),
                "--http=off",
                "--pressure=off",
                "--max-range-bytes=" + RANGE_BYTES)
            .redirectError(new File(directory.toFile(), "server.log"))
            .start();
    BufferedReader output = server.inputReader(StandardCharsets.UTF_8);
    String ready = output.readLine();
    if (ready == null) {
      throw new IOException("the server does not start; see " + directory.resolve("server.log"));
    }
    return () -> {
      server.destroy();
      if (!server.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        server.destroyForcibly();
      }
    };
  }

  private PagetideClient connect(Path directory) {
    return PagetideClient.connect(directory.resolve("run"), options());
  }

  private static ReceiverOptions receiver(String name) {
    return ReceiverOptions.named(name)
        .withSizeBytes(RANGE_BYTES)
        .withMaxQueued(1024)
        .withExecutor(Runnable::run);
  }

  private static Payload number(long number) {
    byte[] bytes = new byte[Long.BYTES];
    ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder()).putLong(number);
    return Payload.of(bytes);
  }

  private static long number(MemorySegment bytes) {
    return bytes.get(ValueLayout.JAVA_LONG_UNALIGNED, 0);
  }

  @Override
  public ConsumerEnd consumer(Path directory, HandOver.Receiver reader) {
    PagetideClient client = connect(directory);
    ConsumerSide side = new ConsumerSide(reader);
    side.sender = client.openReceiver(receiver("consumer"), side::handle).sender();
    return _ -> {};
  }

  private static final class ConsumerSide {
    private final HandOver.Receiver reader;
    private volatile Sender sender;

    @SuppressWarnings("NullAway.Init") // the sender comes before the first message
    ConsumerSide(HandOver.Receiver reader) {
      this.reader = reader;
    }

    void handle(ReceivedTransaction transaction) {
      long answer = reader.received(transaction.data());
      if (!transaction.isOneWay()) {
        CompletableFuture<Void> _ = transaction.replyAsync(number(answer));
      } else if (answer != HandOver.Receiver.NO_ANSWER) {
        CompletableFuture<SendResult> _ = sender.sendAsync(PRODUCER, 0, number(answer));
      }
    }
  }

  @Override
  public ProducerEnd producer(Path directory) {
    PagetideClient client = connect(directory);
    Answers answers = new Answers();
    dev.pagetide.client.Receiver own =
        client.openReceiver(
            receiver("producer"), transaction -> answers.add(number(transaction.data())));
    return new Producer(client, own.sender(), slots(own.sender()), answers);
  }

  private final class Producer implements ProducerEnd {
    private final PagetideClient client;
    private final Sender sender;
    private final Slots slots;
    private final Answers answers;
    private boolean twoWay;
    private CompletableFuture<Reply> asked = new CompletableFuture<>();

    Producer(PagetideClient client, Sender sender, Slots slots, Answers answers) {
      this.client = client;
      this.sender = sender;
      this.slots = slots;
      this.answers = answers;
    }

    @Override
    public void begin(Phase phase) {
      twoWay = phase.answerEvery() == 1;
      slots.begin(phase.sizeBytes(), twoWay ? 1 : window(phase.sizeBytes()));
    }

    @Override
    public MemorySegment buffer() throws Exception {
      return slots.next();
    }

    @Override
    public void send() {
      if (twoWay) {
        asked = sender.askAsync(CONSUMER, 0, slots.written());
        slots.copiedBy(asked);
      } else {
        slots.copiedBy(sender.sendAsync(CONSUMER, 0, slots.written()));
      }
    }

    @Override
    public long awaitAnswer() throws Exception {
      if (!twoWay) {
        return answers.await();
      }
      try (Reply reply = asked.get(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        return number(reply.data());
      }
    }

    @Override
    public void close() {
      client.close();
    }
  }

  /** Waits for an answer whose failure is to be seen. */
  static void await(CompletableFuture<?> answer) throws Exception {
    var _ = answer.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
  }

  /** Nothing that has to be awaited. */
  static List<CompletableFuture<?>> none(int count) {
    return new java.util.ArrayList<>(
        java.util.Collections.nCopies(count, CompletableFuture.completedFuture("")));
  }
}
