package dev.pagetide.server.transaction;

import static dev.pagetide.server.transaction.TransactionScene.buffers;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.server.transaction.TransactionScene.Step;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Commands during which the server itself fails: each has one answer, the next command may begin,
 * and no buffer is left that nobody was told of.
 */
final class CommandFaultTest {
  private static final long COMMAND = 2;

  /** More bytes than a range has. */
  private static final int TOO_MANY_BYTES = 2 << 20;

  private final TransactionScene scene = new TransactionScene();
  private final AtomicInteger turns = new AtomicInteger();

  @AfterEach
  void close() {
    scene.close();
  }

  private void transact(TransactRequest request) {
    scene.alice.transact(COMMAND, request, TransactionScene.payload(), turns::incrementAndGet);
  }

  private void settle() {
    scene.work();
    scene.sendEvents();
    assertThat(scene.allFailed()).as("what was to fail has failed").isTrue();
  }

  private Throwable onlyAnswer(ToldEvents told) {
    assertThat(told.events())
        .filteredOn(event -> event.command() == COMMAND)
        .singleElement()
        .isInstanceOf(Event.Failed.class);
    return ((Event.Failed) told.events().getLast()).why();
  }

  @Test
  void transact_noRoomAndItsEndFails_passesTheTurnOn() {
    scene.failNext(Step.COUNT_END);

    assertThatThrownBy(() -> transact(scene.request(false, TOO_MANY_BYTES)))
        .isInstanceOf(OutOfMemoryError.class);
    settle();

    assertThat(turns).hasValue(1);
    assertThat(onlyAnswer(scene.toldAlice)).isNotInstanceOf(OutOfMemoryError.class);
    assertThat(scene.alice.asked(COMMAND)).isNull();
  }

  @Test
  void transact_cannotBePostedAndItsEndFails_passesTheTurnOn() {
    transact(scene.request(false));
    scene.failNext(Step.SEND_SOON, Step.COUNT_END);

    settle();

    assertThat(turns).hasValue(1);
    assertThat(onlyAnswer(scene.toldAlice)).isInstanceOf(OutOfMemoryError.class);
    assertThat(scene.toldBob.events()).isEmpty();
    assertThat(buffers(scene.bob)).isEqualTo("0+0");
  }

  @Test
  void reply_noRoomAndItsEndFails_passesTheTurnOn() {
    Transaction asked = scene.ask(COMMAND);
    scene.work();
    scene.sendEvents();
    scene.failNext(Step.COUNT_END);
    Payload payload = new Payload.Bytes(ByteBuffer.allocate(TOO_MANY_BYTES));

    assertThatThrownBy(
            () -> scene.bob.reply(COMMAND, asked.id(), payload, "", turns::incrementAndGet))
        .isInstanceOf(OutOfMemoryError.class);
    settle();

    assertThat(turns).hasValue(1);
    assertThat(onlyAnswer(scene.toldBob)).isInstanceOf(TransactionFailure.Over.class);
    assertThat(asked.isOver()).isTrue();
  }

  /** The sender would wait for an answer until its call's time is up. */
  @Test
  void oneWay_cannotBePosted_senderIsTold() {
    transact(scene.request(true));
    scene.failNext(Step.SEND_SOON);

    settle();

    assertThat(turns).hasValue(1);
    assertThat(onlyAnswer(scene.toldAlice)).isInstanceOf(OutOfMemoryError.class);
    assertThat(scene.toldBob.events()).isEmpty();
    assertThat(buffers(scene.bob)).isEqualTo("0+0");
    assertThat(scene.outcomes()).containsExactly(TransactionOutcome.FAILED);
  }

  @Test
  void oneWay_noThreadToSendTheAnswerFrom_isAnsweredOnceAndAtOnce() {
    scene.toldBob.ready = false; // so the first event that is to be sent is the answer
    transact(scene.request(true));
    scene.failNext(Step.SEND_SOON);

    scene.work();

    assertThat(scene.toldAlice.events()).containsExactly(new Event.Accepted(COMMAND, false));
    settle();
    assertThat(scene.toldAlice.events()).hasSize(1);
    assertThat(turns).hasValue(1);
    assertThat(scene.alice.hasEnded()).isFalse();
    assertThat(scene.bob.waitingEvents()).isEqualTo(1);
  }

  @Test
  void allocate_noThreadToSendTheAnswerFrom_isAnsweredOnceAndAtOnce() {
    scene.alice.allocate(COMMAND, TransactionScene.SIZE, false, turns::incrementAndGet);
    scene.failNext(Step.SEND_SOON);

    settle();

    assertThat(scene.toldAlice.events()).containsExactly(new Event.Allocated(COMMAND, 0));
    assertThat(turns).hasValue(1);
  }

  /** Nobody else would send the answer, so the client learns of it by the end of its stream. */
  @Test
  void answer_canBeSentFromNoThread_endsTheEndpoint() {
    scene.alice.allocate(COMMAND, TransactionScene.SIZE, false, turns::incrementAndGet);
    scene.failNext(Step.SEND_SOON);
    scene.toldAlice.failure = new IllegalStateException("a bug");

    settle();

    assertThat(scene.toldAlice.events()).isEmpty();
    assertThat(scene.toldAlice.ends()).singleElement().isInstanceOf(IllegalStateException.class);
    assertThat(turns).hasValue(1);
  }

  @Test
  void transact_waitForMemoryCannotBegin_leavesNoBufferAndIsAnswered() {
    scene.failNext(Step.READ_CLOCK);

    transact(scene.request(false));
    settle();

    assertThat(onlyAnswer(scene.toldAlice)).isInstanceOf(OutOfMemoryError.class);
    assertThat(turns).hasValue(1);
    assertThat(buffers(scene.bob)).isEqualTo("0+0");
    assertThat(scene.alice.asked(COMMAND)).isNull();
    assertThat(scene.outcomes()).containsExactly(TransactionOutcome.FAILED);
  }

  @Test
  void transact_failedAllocationCannotBeCounted_isAnswered() {
    transact(scene.request(false));
    scene.bob.session().range().close();
    scene.failNext(Step.COUNT_FAILED_ALLOCATION);

    settle();

    assertThat(onlyAnswer(scene.toldAlice)).isInstanceOf(TransactionFailure.TargetDied.class);
    assertThat(turns).hasValue(1);
    assertThat(scene.alice.asked(COMMAND)).isNull();
    assertThat(scene.bob.incoming(1)).isNull();
  }
}
