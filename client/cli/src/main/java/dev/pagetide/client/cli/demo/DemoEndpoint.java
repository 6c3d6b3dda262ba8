package dev.pagetide.client.cli.demo;

import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.Payload;
import dev.pagetide.client.ReceivedTransaction;
import dev.pagetide.client.Receiver;
import dev.pagetide.client.ReceiverOptions;
import dev.pagetide.client.Reply;
import dev.pagetide.client.Sender;
import dev.pagetide.client.SenderOptions;
import dev.pagetide.client.StagedBuffer;
import dev.pagetide.client.Target;
import io.grpc.ManagedChannel;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * The transactions that one of the demo's clients receives and sends, besides the range that it
 * holds.
 */
final class DemoEndpoint implements AutoCloseable {

  private static final int CODE = 1;

  private static final Duration WARM_UP = Duration.ofSeconds(2);
  private static final int ROUNDS = 101;

  private final PagetideClient client;
  private final RelayedBytes relayed = new RelayedBytes();
  private @Nullable Receiver receiver;

  DemoEndpoint(PagetideClient client) {
    this.client = client;
  }

  /** {@code receive NAME}: replies to each transaction with the checksum of its bytes. */
  String receive(List<String> order) {
    Receiver opened =
        client.openReceiver(ReceiverOptions.named(order.get(1)), DemoEndpoint::replyChecksum);
    receiver = opened;
    return opened.rangeId() + " " + opened.sizeBytes() + " " + opened.access();
  }

  private static void replyChecksum(ReceivedTransaction transaction) {
    transaction.reply(Payload.of(checksum(transaction.data()).getBytes(StandardCharsets.US_ASCII)));
  }

  /**
   * {@code hand NAME BYTES}: writes bytes into a staged buffer and sends them, again and again.
   * Answers their checksum, the receiver's reply, the median nanoseconds from the first byte
   * written to the reply, and how the client reaches the buffer.
   */
  String hand(List<String> order) {
    Target target = Target.named(order.get(1));
    byte[] bytes = Pattern.page(3, 0, Integer.parseInt(order.get(2)));
    AtomicReference<String> heard = new AtomicReference<>("");
    try (Sender sender = client.openSender(SenderOptions.DEFAULT);
        StagedBuffer staged = sender.stage(bytes.length)) {
      MemorySegment shared = staged.segment();
      long nanos =
          WarmTiming.medianNanos(
              WARM_UP,
              ROUNDS,
              () -> {
                shared.copyFrom(MemorySegment.ofArray(bytes));
                try (Reply reply = sender.ask(target, CODE, Payload.of(staged))) {
                  heard.set(ascii(reply.data().toArray(ValueLayout.JAVA_BYTE)));
                }
              });
      return checksum(shared) + " " + heard + " " + nanos + " " + sender.access();
    }
  }

  /** {@code receive-relayed SOCKET}: answers each gRPC call with the checksum of its bytes. */
  String receiveRelayed(List<String> order) {
    relayed.receive(
        Path.of(order.get(1)),
        bytes -> checksum(MemorySegment.ofArray(bytes)).getBytes(StandardCharsets.US_ASCII));
    return "receiving";
  }

  /** {@code hand-relayed SOCKET BYTES}: as {@link #hand}, by gRPC to the server at that socket. */
  String handRelayed(List<String> order) {
    byte[] bytes = Pattern.page(3, 0, Integer.parseInt(order.get(2)));
    byte[] written = new byte[bytes.length];
    AtomicReference<String> heard = new AtomicReference<>("");
    ManagedChannel channel = relayed.channel(Path.of(order.get(1)));
    try {
      long nanos =
          WarmTiming.medianNanos(
              WARM_UP,
              ROUNDS,
              () -> {
                System.arraycopy(bytes, 0, written, 0, bytes.length);
                heard.set(ascii(RelayedBytes.call(channel, written)));
              });
      return checksum(MemorySegment.ofArray(written)) + " " + heard + " " + nanos;
    } finally {
      channel.shutdownNow();
    }
  }

  /**
   * {@code copy BYTES}: writes, copies and reads bytes within this process. Answers their checksum,
   * that of the copy, and the median nanoseconds.
   */
  static String copy(List<String> order) {
    byte[] bytes = Pattern.page(3, 0, Integer.parseInt(order.get(1)));
    byte[] written = new byte[bytes.length];
    byte[] copied = new byte[bytes.length];
    AtomicReference<String> heard = new AtomicReference<>("");
    long nanos =
        WarmTiming.medianNanos(
            WARM_UP,
            ROUNDS,
            () -> {
              System.arraycopy(bytes, 0, written, 0, bytes.length);
              System.arraycopy(written, 0, copied, 0, bytes.length);
              heard.set(checksum(MemorySegment.ofArray(copied)));
            });
    return checksum(MemorySegment.ofArray(written)) + " " + heard + " " + nanos;
  }

  private static String ascii(byte[] bytes) {
    return new String(bytes, StandardCharsets.US_ASCII);
  }

  private static String checksum(MemorySegment bytes) {
    CRC32C sum = new CRC32C();
    sum.update(bytes.asByteBuffer());
    return HexFormat.of().toHexDigits((int) sum.getValue());
  }

  /** {@code leave}: stops receiving. */
  String leave() {
    closeReceiver();
    return "left";
  }

  private void closeReceiver() {
    if (receiver != null) {
      receiver.close();
    }
  }

  @Override
  public void close() {
    closeReceiver();
    relayed.close();
  }
}
