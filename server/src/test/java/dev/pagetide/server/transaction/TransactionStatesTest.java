package dev.pagetide.server.transaction;

import static dev.pagetide.server.transaction.TransactionScene.buffers;
import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.page.PageFailure;
import dev.pagetide.server.transaction.Transaction.State;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A two-way transaction in each of its five states, and each of the six events that can end it:
 * what its asker and its receiver are told from then on, how it is counted, and which buffers are
 * left.
 */
final class TransactionStatesTest {
  private static final long ASK = 2;
  private static final long REPLY = 3;
  private static final long AGAIN = 4;
  private static final long CANCEL = 5;

  private final TransactionScene scene = new TransactionScene();

  /** What can end a transaction. */
  enum Ending {
    REPLIES,
    REFUSES,
    CANCELS,
    TIME_IS_UP,
    RECEIVER_ENDS,
    ASKER_ENDS
  }

  /** What can happen to a transaction within the server, besides its end. */
  enum Step {
    ARRIVE(State.COMING, State.WAITING),
    DELIVER(State.WAITING, State.DELIVERED),
    BEGIN_REPLY(State.DELIVERED, State.REPLYING),
    GIVE_UP_REPLY(State.REPLYING, State.DELIVERED);

    private final State from;
    private final State to;

    Step(State from, State to) {
      this.from = from;
      this.to = to;
    }
  }

  @AfterEach
  void close() {
    scene.close();
  }

  /** A transaction that got into a state as a real one does. */
  private Transaction transactionThatIs(State state) {
    scene.toldBob.ready = false;
    Transaction transaction = scene.ask(ASK);
    if (state != State.COMING) {
      scene.work();
    }
    if (state.compareTo(State.WAITING) > 0) {
      scene.toldBob.ready = true;
      scene.bob.drain();
    }
    if (state.compareTo(State.DELIVERED) > 0) {
      reply(transaction, REPLY, "");
    }
    if (state == State.OVER) {
      scene.work();
      scene.sendEvents();
    }
    assertThat(transaction.state()).isEqualTo(state);
    scene.toldAlice.forget();
    scene.toldBob.forget();
    return transaction;
  }

  private void reply(Transaction transaction, long command, String refusal) {
    Payload payload = refusal.isEmpty() ? TransactionScene.payload() : Payload.NONE;
    scene.bob.reply(command, transaction.id(), payload, refusal, () -> {});
  }

  private void happens(Ending event, Transaction transaction) {
    switch (event) {
      case REPLIES -> reply(transaction, AGAIN, "");
      case REFUSES -> reply(transaction, AGAIN, "no");
      case CANCELS -> scene.alice.cancel(CANCEL, ASK);
      case TIME_IS_UP -> scene.timeIsUp();
      case RECEIVER_ENDS -> scene.bob.end(new PageFailure.Closed());
      case ASKER_ENDS -> scene.alice.end(new PageFailure.Closed());
    }
  }

  /** All that waits is done, and all that an endpoint is told is sent. */
  private void settle() {
    scene.work();
    scene.toldBob.ready = true;
    scene.sendEvents();
    scene.bob.drain();
  }

  /*
   * Alice's column has the answers to her command; Bob's has the answers to REPLY (the reply that
   * was on its way) and to AGAIN (the event), and news. Buffers are those that are being built, and
   * that are delivered, of Alice's range and of Bob's. An empty outcome: the transaction goes on.
   */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      nullValues = "-",
      textBlock =
          """
          COMING    | REPLIES       | -                 | AGAIN Over, Delivered      | -           | 0+0 | 0+1
          COMING    | REFUSES       | -                 | AGAIN Over, Delivered      | -           | 0+0 | 0+1
          COMING    | CANCELS       | Cancelled         | -                          | CANCELLED   | 0+0 | 0+0
          COMING    | TIME_IS_UP    | TimedOut          | -                          | TIMED_OUT   | 0+0 | 0+0
          COMING    | RECEIVER_ENDS | TargetDied        | -                          | TARGET_DIED | 0+0 | 0+0
          COMING    | ASKER_ENDS    | -                 | -                          | ASKER_DIED  | 0+0 | 0+0
          WAITING   | REPLIES       | -                 | Delivered, AGAIN Over      | -           | 0+0 | 0+1
          WAITING   | REFUSES       | -                 | Delivered, AGAIN Over      | -           | 0+0 | 0+1
          WAITING   | CANCELS       | Cancelled         | -                          | CANCELLED   | 0+0 | 0+0
          WAITING   | TIME_IS_UP    | TimedOut          | -                          | TIMED_OUT   | 0+0 | 0+0
          WAITING   | RECEIVER_ENDS | TargetDied        | -                          | TARGET_DIED | 0+0 | 0+0
          WAITING   | ASKER_ENDS    | -                 | -                          | ASKER_DIED  | 0+0 | 0+0
          DELIVERED | REPLIES       | Replied           | AGAIN Accepted             | REPLIED     | 0+1 | 0+1
          DELIVERED | REFUSES       | RefusedByReceiver | AGAIN Accepted             | REFUSED     | 0+0 | 0+1
          DELIVERED | CANCELS       | Cancelled         | Ended                      | CANCELLED   | 0+0 | 0+1
          DELIVERED | TIME_IS_UP    | TimedOut          | Ended                      | TIMED_OUT   | 0+0 | 0+1
          DELIVERED | RECEIVER_ENDS | TargetDied        | -                          | TARGET_DIED | 0+0 | 0+1
          DELIVERED | ASKER_ENDS    | -                 | Ended                      | ASKER_DIED  | 0+0 | 0+1
          REPLYING  | REPLIES       | Replied           | AGAIN Over, REPLY Accepted | REPLIED     | 0+1 | 0+1
          REPLYING  | REFUSES       | Replied           | AGAIN Over, REPLY Accepted | REPLIED     | 0+1 | 0+1
          REPLYING  | CANCELS       | Cancelled         | Ended, REPLY Over          | CANCELLED   | 0+0 | 0+1
          REPLYING  | TIME_IS_UP    | TimedOut          | Ended, REPLY Over          | TIMED_OUT   | 0+0 | 0+1
          REPLYING  | RECEIVER_ENDS | TargetDied        | -                          | TARGET_DIED | 0+0 | 0+1
          REPLYING  | ASKER_ENDS    | -                 | Ended, REPLY Over          | ASKER_DIED  | 0+0 | 0+1
          OVER      | REPLIES       | -                 | AGAIN Over                 | REPLIED     | 0+1 | 0+1
          OVER      | REFUSES       | -                 | AGAIN Over                 | REPLIED     | 0+1 | 0+1
          OVER      | CANCELS       | -                 | -                          | REPLIED     | 0+1 | 0+1
          OVER      | TIME_IS_UP    | -                 | -                          | REPLIED     | 0+1 | 0+1
          OVER      | RECEIVER_ENDS | -                 | -                          | REPLIED     | 0+1 | 0+1
          OVER      | ASKER_ENDS    | -                 | -                          | REPLIED     | 0+1 | 0+1
          """)
  void end_inEachState_tellsBothAndFreesWhatNobodyWasSent(
      State state,
      Ending event,
      @Nullable String toldAsker,
      @Nullable String toldReceiver,
      @Nullable TransactionOutcome outcome,
      String askersBuffers,
      String receiversBuffers) {
    Transaction transaction = transactionThatIs(state);

    happens(event, transaction);
    settle();

    assertThat(answersToAsk(scene.toldAlice)).isEqualTo(listed(toldAsker));
    assertThat(allOf(scene.toldBob)).isEqualTo(listed(toldReceiver));
    assertThat(scene.outcomes()).isEqualTo(outcome == null ? List.of() : List.of(outcome));
    assertThat(buffers(scene.alice)).as("the asker's buffers").isEqualTo(askersBuffers);
    assertThat(buffers(scene.bob)).as("the receiver's buffers").isEqualTo(receiversBuffers);
    boolean over = outcome != null;
    assertThat(transaction.isOver()).isEqualTo(over);
    assertThat(scene.alice.asked(ASK))
        .as("what Alice waits for")
        .isEqualTo(over ? null : transaction);
    assertThat(scene.bob.incoming(transaction.id()))
        .as("what Bob may reply to")
        .isEqualTo(over ? null : transaction);
  }

  private static List<String> listed(@Nullable String told) {
    return told == null ? List.of() : List.of(told.split(", "));
  }

  private static List<String> answersToAsk(ToldEvents told) {
    return told.events().stream()
        .filter(event -> event.command() == ASK)
        .map(TransactionStatesTest::name)
        .toList();
  }

  private static List<String> allOf(ToldEvents told) {
    return told.events().stream()
        .map(event ->
            switch ((int) event.command()) {
              case (int) REPLY -> "REPLY " + name(event);
              case (int) AGAIN -> "AGAIN " + name(event);
              default -> name(event);
            })
        .toList();
  }

  private static String name(Event event) {
    Object named = event instanceof Event.Failed failed ? failed.why() : event;
    return named.getClass().getSimpleName();
  }

  static Stream<Arguments> eachStateAndStep() {
    return Stream.of(State.values())
        .flatMap(state -> Stream.of(Step.values()).map(step -> Arguments.of(state, step)));
  }

  @ParameterizedTest
  @MethodSource("eachStateAndStep")
  void step_inEachState_isTakenInItsOwnOnly(State state, Step step) {
    Transaction transaction = transactionThatIs(state);

    boolean taken = tryStep(transaction, step);

    assertThat(taken).isEqualTo(state == step.from);
    assertThat(transaction.state()).isEqualTo(state == step.from ? step.to : state);
    assertThat(scene.outcomes()).hasSize(state == State.OVER ? 1 : 0);
  }

  private boolean tryStep(Transaction transaction, Step step) {
    return switch (step) {
      case ARRIVE -> transaction.tryArrive(scene.buffer());
      case DELIVER -> transaction.tryDeliver();
      case BEGIN_REPLY -> transaction.tryBeginReply();
      case GIVE_UP_REPLY -> {
        State before = transaction.state();
        transaction.giveUpReply();
        yield before != transaction.state();
      }
    };
  }

  @Test
  void deliver_oneWay_isOverAndCannotBeRepliedTo() {
    long id = scene.sendOneWay();

    assertThat(scene.outcomes()).containsExactly(TransactionOutcome.DELIVERED);
    assertThat(scene.bob.incoming(id)).isNull();
    assertThat(buffers(scene.bob)).isEqualTo("0+1");
  }
}
