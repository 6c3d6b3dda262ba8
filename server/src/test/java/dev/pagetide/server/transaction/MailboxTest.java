package dev.pagetide.server.transaction;

import static dev.pagetide.server.transaction.TransactionScene.buffers;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** Events on their way to a stream: their order, how many go at once, and what a failure costs. */
final class MailboxTest {
  private final ToldEvents told = new ToldEvents();
  private final ArrayDeque<Runnable> soon = new ArrayDeque<>();
  private final List<Throwable> broken = new ArrayList<>();
  private final Mailbox mailbox = new Mailbox(told, soon::add, broken::add);

  private static Event event(long number) {
    return new Event.Accepted(number, false);
  }

  private void post(Mailbox to, long start, long end) {
    LongStream.range(start, end).forEach(number -> assertThat(to.post(event(number))).isTrue());
  }

  private static Event[] events(long start, long end) {
    return LongStream.range(start, end).mapToObj(MailboxTest::event).toArray(Event[]::new);
  }

  @Test
  void post_many_areSentSoonInTheirOrderInOneMessage() {
    post(mailbox, 0, 100);
    assertThat(told.events()).as("before the thread has done what it is at").isEmpty();
    assertThat(soon).hasSize(1);

    soon.remove().run();

    assertThat(told.events()).containsExactly(events(0, 100));
    assertThat(told.messages()).isEqualTo(1);
    assertThat(mailbox.size()).isZero();
  }

  @Test
  void post_streamNotReady_waitsUntilItIs() {
    told.ready = false;

    post(mailbox, 0, 2);

    assertThat(soon).isEmpty();
    mailbox.drain();
    assertThat(told.events()).isEmpty();
    assertThat(mailbox.size()).isEqualTo(2);
    told.ready = true;
    post(mailbox, 2, 3);
    soon.remove().run();
    assertThat(told.events()).containsExactly(events(0, 3));
  }

  @Test
  void drain_streamTakesOneMessage_sendsNoMoreThanItHolds() {
    told.eventsInMessage = 3;
    post(mailbox, 0, 7);

    soon.remove().run();

    assertThat(told.events()).containsExactly(events(0, 3));
    assertThat(mailbox.size()).isEqualTo(4);
    told.ready = true;
    mailbox.drain();
    told.ready = true;
    mailbox.drain();
    assertThat(told.events()).containsExactly(events(0, 7));
    assertThat(told.messages()).isEqualTo(3);
  }

  @Test
  void drain_streamTakesAll_sendsAsManyMessagesAsItTakes() {
    EventSink twoInMessage =
        new EventSink() {
          private int added;

          @Override
          public boolean isReady() {
            return true;
          }

          @Override
          public boolean add(Event event) {
            added++;
            return told.add(event) || added % 2 == 0;
          }

          @Override
          public void flush() {
            told.flush();
          }

          @Override
          public void end(Throwable why) {}
        };
    Mailbox other = new Mailbox(twoInMessage, soon::add, broken::add);
    post(other, 0, 5);

    soon.remove().run();

    assertThat(told.events()).containsExactly(events(0, 5));
    assertThat(told.messages()).isEqualTo(3);
  }

  @Test
  void close_withEventsThatWait_sendsNoneAndTakesNone() {
    post(mailbox, 0, 5);

    mailbox.close();

    assertThat(mailbox.size()).isZero();
    assertThat(mailbox.post(event(5))).isFalse();
    soon.remove().run();
    assertThat(told.events()).isEmpty();
    assertThat(broken).isEmpty();
  }

  @Test
  void post_noThreadToSendFrom_keepsTheEventForTheNext() {
    boolean[] threads = {false};
    Executor noThreads =
        task -> {
          if (!threads[0]) {
            throw new OutOfMemoryError("unable to create a thread, as the test says");
          }
          soon.add(task);
        };
    Mailbox other = new Mailbox(told, noThreads, broken::add);
    assertThatThrownBy(() -> other.post(event(0))).isInstanceOf(OutOfMemoryError.class);

    threads[0] = true;
    post(other, 1, 2);
    soon.remove().run();

    assertThat(told.events()).containsExactly(events(0, 2));
    assertThat(broken).isEmpty();
  }

  @Test
  void post_serverStops_isTakenAndNeverSent() {
    Executor stopping =
        _ -> {
          throw new RejectedExecutionException("stopping");
        };
    Mailbox other = new Mailbox(told, stopping, broken::add);

    post(other, 0, 2);

    assertThat(told.events()).isEmpty();
  }

  @Test
  void drain_streamFailsToTakeAnEvent_sendsNothingAfterItAndTellsWhy() {
    post(mailbox, 0, 3);
    told.failure = new IllegalStateException("a bug");

    Runnable send = soon.remove();
    assertThatThrownBy(send::run).hasMessage("a bug");

    assertThat(broken).singleElement().hasToString("java.lang.IllegalStateException: a bug");
    mailbox.drain();
    assertThat(told.events()).as("those after the one that was lost").isEmpty();
  }

  @Test
  void drain_streamFailsAndSoDoesItsEnd_throwsWhyItFailed() {
    Mailbox other =
        new Mailbox(
            told,
            soon::add,
            _ -> {
              throw new IllegalStateException("call already closed");
            });
    post(other, 0, 1);
    told.failure = new IllegalArgumentException("a bug");

    Runnable send = soon.remove();
    assertThatThrownBy(send::run)
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("a bug")
        .hasSuppressedException(new IllegalStateException("call already closed"));
  }

  @Test
  void drain_askingWhetherTheStreamIsReadyFails_losesNothing() {
    EventSink unsure =
        new EventSink() {
          private int asked;

          @Override
          public boolean isReady() {
            asked++;
            if (asked == 2) {
              throw new IllegalStateException("a bug");
            }
            return true;
          }

          @Override
          public boolean add(Event event) {
            return told.add(event);
          }

          @Override
          public void flush() {}

          @Override
          public void end(Throwable why) {}
        };
    Mailbox other = new Mailbox(unsure, soon::add, broken::add);
    post(other, 0, 2);
    Runnable send = soon.remove();
    assertThatThrownBy(send::run).hasMessage("a bug");

    other.drain();

    assertThat(broken).isEmpty();
    assertThat(told.events()).containsExactly(events(0, 2));
  }

  @Test
  void remove_transactionThatHasEnded_leavesTheOthersInTheirOrder() {
    try (TransactionScene scene = new TransactionScene()) {
      scene.toldBob.ready = false;
      Transaction first = scene.ask(2);
      Transaction second = scene.ask(3);
      Transaction third = scene.ask(4);
      scene.work();
      assertThat(scene.bob.waitingEvents()).isEqualTo(3);

      scene.alice.cancel(5, 3);

      assertThat(scene.bob.waitingEvents()).isEqualTo(2);
      scene.toldBob.ready = true;
      scene.bob.drain();
      assertThat(scene.toldBob.events())
          .containsExactly(new Event.Delivered(first), new Event.Delivered(third));
      assertThat(second.isOver()).isTrue();
    }
  }

  /** The asker would wait without end for a receiver that was never told of the transaction. */
  @Test
  void drain_receiversStreamFailsToTakeATransaction_endsTheReceiverAndTellsTheAsker() {
    try (TransactionScene scene = new TransactionScene()) {
      Transaction lost = scene.ask(2);
      scene.work();
      scene.toldBob.failure = new IllegalStateException("a bug");

      assertThatThrownBy(scene::sendEvents).hasMessage("a bug");

      assertThat(scene.toldBob.events()).isEmpty();
      assertThat(scene.toldBob.ends()).singleElement().isInstanceOf(IllegalStateException.class);
      assertThat(scene.bob.hasEnded()).isTrue();
      assertThat(lost.isOver()).isTrue();
      assertThat(scene.outcomes()).containsExactly(TransactionOutcome.TARGET_DIED);
      scene.sendEvents();
      assertThat(scene.toldAlice.events())
          .singleElement()
          .isInstanceOfSatisfying(
              Event.Failed.class,
              failed -> assertThat(failed.why()).isInstanceOf(TransactionFailure.TargetDied.class));
      assertThat(buffers(scene.bob)).as("delivered, though Bob was not told").isEqualTo("0+1");
    }
  }
}
