package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.shm.ContractLimits;
import dev.pagetide.v1.Cancel;
import dev.pagetide.v1.ExchangeRequest;
import org.junit.jupiter.api.Test;

/** What the library sends in one message. */
final class SendQueueTest {
  private static final int FREES = 2 * ContractLimits.MAX_FREED_BUFFERS + 5;
  private static final int COMMANDS = 100;

  private final SendQueue queue = new SendQueue(1L << 30);

  private static int offsets(ExchangeRequest message) {
    return message.getFreeBuffers().getOffsetsCount()
        + message.getAlsoList().stream().mapToInt(SendQueueTest::offsets).sum();
  }

  @Test
  void poll_manyFreesAndCommandsWait_noMessageExceedsTheContract() {
    for (int i = 1; i <= COMMANDS; i++) {
      queue.add(
          new ExchangeCommand(
              ExchangeRequest.newBuilder()
                  .setId(i)
                  .setCancel(Cancel.newBuilder().setCommand(i))
                  .build()));
    }
    for (int i = 0; i < FREES; i++) {
      boolean _ = queue.addFree(8L * i, 8);
    }

    int freed = 0;
    ExchangeRequest message = queue.poll();
    while (message != null) {
      assertThat(offsets(message)).isBetween(0, ContractLimits.MAX_FREED_BUFFERS);
      assertThat(message.getAlsoCount()).isLessThanOrEqualTo(ContractLimits.MAX_FURTHER_COMMANDS);
      freed += offsets(message);
      message = queue.poll();
    }

    assertThat(freed).isEqualTo(FREES);
  }
}
