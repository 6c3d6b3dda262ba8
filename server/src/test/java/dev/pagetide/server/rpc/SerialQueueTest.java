package dev.pagetide.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** One command after the other, whoever says that it is over, and whatever goes wrong. */
final class SerialQueueTest {
  private static final int MANY = 100_000;

  private final List<Long> over = new ArrayList<>();
  private final List<Long> thrown = new ArrayList<>();
  private final List<String> ran = new ArrayList<>();
  private final List<Long> taken = new ArrayList<>();
  private final SerialQueue queue =
      new SerialQueue(taken::add, over::add, (id, _) -> thrown.add(id));

  private static void notBegun() {
    throw new AssertionError("the command has not begun");
  }

  /** A command that is over when a test says so. */
  private final class Slow implements SerialQueue.Command {
    private final String name;
    private Runnable next = SerialQueueTest::notBegun;

    Slow(String name) {
      this.name = name;
    }

    @Override
    public void run(Runnable toNext) {
      ran.add(name);
      next = toNext;
    }
  }

  @Test
  void submit_whileOneRuns_waitsForItsTurn() {
    Slow first = new Slow("first");
    Slow second = new Slow("second");
    queue.submit(1, 10, first);
    queue.submit(2, 20, second);
    assertThat(ran).containsExactly("first");
    assertThat(queue.waiting()).isEqualTo(1);
    assertThat(queue.waitingBytes()).isEqualTo(20);

    first.next.run();

    assertThat(ran).containsExactly("first", "second");
    assertThat(taken).as("the first begins at once, and is small").containsExactly(20L);
    assertThat(over).containsExactly(0L);
    assertThat(queue.waiting()).isZero();
    assertThat(queue.waitingBytes()).isZero();
  }

  @Test
  void next_saidTwice_countsOnce() {
    Slow first = new Slow("first");
    Slow second = new Slow("second");
    queue.submit(1, 0, first);
    queue.submit(2, 0, second);
    queue.submit(3, 0, new Slow("third"));

    first.next.run();
    first.next.run();

    assertThat(ran).containsExactly("first", "second");
  }

  @Test
  void command_throws_isToldAndTheNextBegins() {
    Slow first = new Slow("first");
    queue.submit(1, 1, first);
    queue.submit(
        2,
        2,
        _ -> {
          throw new IllegalStateException("a bug");
        });
    queue.submit(
        3,
        3,
        next -> {
          next.run();
          throw new IllegalStateException("a bug after it was over");
        });
    queue.submit(4, 4, new Slow("last"));

    first.next.run();

    assertThat(ran).containsExactly("first", "last");
    assertThat(thrown).containsExactly(2L, 3L);
    assertThat(over).containsExactly(0L, 2L, 3L);
  }

  @Test
  void command_throwsAndTellingItThrowsToo_theNextBegins() {
    SerialQueue mute =
        new SerialQueue(
            taken::add,
            over::add,
            (id, _) -> {
              thrown.add(id);
              throw new OutOfMemoryError("as the test says");
            });
    Slow first = new Slow("first");
    mute.submit(1, 1, first);
    for (long id = 2; id <= 3; id++) {
      mute.submit(
          id,
          id,
          _ -> {
            throw new IllegalStateException("a bug");
          });
    }
    Slow last = new Slow("last");
    mute.submit(4, 4, last);

    assertThatThrownBy(first.next::run).isInstanceOf(OutOfMemoryError.class);

    assertThat(thrown).containsExactly(2L, 3L);
    assertThat(ran).containsExactly("first", "last");
    assertThat(over).containsExactly(0L, 2L, 3L);
    last.next.run();
    mute.submit(5, 5, new Slow("one more"));
    assertThat(ran).endsWith("one more");
  }

  @Test
  void manyThatAreOverAtOnce_runWithoutADeepStack() {
    Slow first = new Slow("first");
    queue.submit(0, 0, first);
    for (int i = 1; i <= MANY; i++) {
      queue.submit(i, 0, Runnable::run);
    }

    first.next.run();

    assertThat(over).hasSize(MANY + 1);
    assertThat(queue.waiting()).isZero();
  }

  @Test
  void remove_oneThatWaits_neverRuns() {
    Slow first = new Slow("first");
    queue.submitCancellable(1, 0, first);
    queue.submitCancellable(2, 5, new Slow("second"));

    assertThat(queue.remove(2)).isTrue();
    assertThat(queue.remove(2)).isFalse();
    assertThat(queue.remove(1)).as("it runs").isFalse();
    first.next.run();

    assertThat(ran).containsExactly("first");
    assertThat(over).containsExactly(5L, 0L);
    assertThat(queue.waitingBytes()).isZero();
  }

  @Test
  void remove_sameNumberAsOthersThatWait_takesOnlyWhatMayBeGivenUp() {
    Slow first = new Slow("first");
    Slow reply = new Slow("reply");
    Slow last = new Slow("last");
    queue.submit(9, 0, first);
    queue.submit(0, 3, reply);
    queue.submitCancellable(7, 0, new Slow("given up"));
    queue.submit(7, 4, last);

    assertThat(queue.remove(0)).isFalse();
    assertThat(queue.remove(7)).isTrue();
    assertThat(queue.remove(7)).isFalse();
    assertThat(queue.waitingBytes()).isEqualTo(7);
    first.next.run();
    reply.next.run();

    assertThat(ran).containsExactly("first", "reply", "last");
  }

  @Test
  void clear_dropsWhatWaits() {
    queue.submit(1, 0, new Slow("first"));
    queue.submit(2, 5, new Slow("second"));
    queue.submit(3, 6, new Slow("third"));

    queue.clear();

    assertThat(over).containsExactly(11L);
    assertThat(queue.waiting()).isZero();
    assertThat(queue.waitingBytes()).isZero();
  }

  @Test
  void submit_largeCommandThatBeginsAtOnce_counts() {
    Slow large = new Slow("large");
    queue.submit(1, SerialQueue.UNCOUNTED_BYTES + 1, large);
    assertThat(taken).containsExactly(SerialQueue.UNCOUNTED_BYTES + 1L);
    assertThat(queue.waitingBytes()).isZero();

    large.next.run();

    assertThat(over).isEqualTo(taken);
  }

  @Test
  void submit_mayNotCount_isNotTakenAndTheOthersGoOn() {
    SerialQueue full =
        new SerialQueue(
            bytes -> {
              if (bytes == 13) {
                throw new IllegalStateException("no room");
              }
              taken.add(bytes);
            },
            over::add,
            (id, _) -> thrown.add(id));
    Slow first = new Slow("first");
    full.submit(1, 1, first);
    full.submit(2, 2, new Slow("second"));

    assertThatThrownBy(() -> full.submit(3, 13, new Slow("refused"))).hasMessage("no room");
    first.next.run();

    assertThat(ran).containsExactly("first", "second");
    assertThat(thrown).isEmpty();
    full.clear();
    assertThat(taken).containsExactly(2L);
    assertThat(over).as("what runs still counts").containsExactly(0L, 0L);
  }
}
