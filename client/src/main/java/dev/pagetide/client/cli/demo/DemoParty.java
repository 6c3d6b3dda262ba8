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
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/** What one of the demo's clients receives and sends, beside the range it holds. */
final class DemoParty implements AutoCloseable {

  private static final int CODE = 1;

  private final PagetideClient client;
  private @Nullable Receiver receiver;

  DemoParty(PagetideClient client) {
    this.client = client;
  }

  /** {@code receive NAME}: replies to each transaction with the checksum of its bytes. */
  String receive(List<String> order) {
    Receiver opened =
        client.openReceiver(ReceiverOptions.named(order.get(1)), DemoParty::replyChecksum);
    receiver = opened;
    return opened.rangeId() + " " + opened.sizeBytes() + " " + opened.access();
  }

  private static void replyChecksum(ReceivedTransaction transaction) {
    transaction.reply(Payload.of(checksum(transaction.data()).getBytes(StandardCharsets.US_ASCII)));
  }

  /**
   * {@code hand NAME BYTES TIMES}: hands over the same staged bytes again and again, and tells
   * their checksum, what the receiver said, and how many nanoseconds the last took until its reply.
   */
  String hand(List<String> order) {
    Target target = Target.named(order.get(1));
    int bytes = Integer.parseInt(order.get(2));
    int times = Integer.parseInt(order.get(3));
    try (Sender sender = client.openSender(SenderOptions.DEFAULT);
        StagedBuffer staged = sender.stage(bytes)) {
      staged.segment().copyFrom(MemorySegment.ofArray(Pattern.page(3, 0, bytes)));
      String heard = "";
      long nanos = 0;
      for (int i = 0; i < times; i++) {
        long start = System.nanoTime();
        try (Reply reply = sender.ask(target, CODE, Payload.of(staged))) {
          nanos = System.nanoTime() - start;
          heard =
              new String(reply.data().toArray(ValueLayout.JAVA_BYTE), StandardCharsets.US_ASCII);
        }
      }
      return checksum(staged.segment()) + " " + heard + " " + nanos + " " + sender.access();
    }
  }

  private static String checksum(MemorySegment bytes) {
    CRC32C sum = new CRC32C();
    sum.update(bytes.asByteBuffer());
    return HexFormat.of().toHexDigits((int) sum.getValue());
  }

  /** {@code leave}: receives no more. */
  String leave() {
    close();
    return "left";
  }

  @Override
  public void close() {
    if (receiver != null) {
      receiver.close();
    }
  }
}
