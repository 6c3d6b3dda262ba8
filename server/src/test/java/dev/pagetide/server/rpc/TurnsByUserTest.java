package dev.pagetide.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.Test;

/** One piece of work at a time for each user, in order, and nobody waits for another user's. */
final class TurnsByUserTest {
  private static final int ALICE = 1;
  private static final int BOB = 2;

  /** What the threads are to do; it is done when a test says so. */
  private final ArrayDeque<Runnable> handedIn = new ArrayDeque<>();

  private final List<String> done = new ArrayList<>();
  private final TurnsByUser turns = new TurnsByUser(handedIn::add);

  private void submit(int uid, String name) {
    turns.submit(uid, () -> done.add(name));
  }

  @Test
  void submit_manyOfOneUser_takeOneThreadAndKeepTheirOrder() {
    submit(ALICE, "alice 1");
    submit(ALICE, "alice 2");
    submit(ALICE, "alice 3");
    submit(BOB, "bob 1");
    assertThat(handedIn).as("one piece of each user").hasSize(2);

    handedIn.remove().run();
    assertThat(handedIn).hasSize(2);
    handedIn.remove().run();
    assertThat(handedIn).hasSize(1);
    handedIn.remove().run();
    handedIn.remove().run();

    assertThat(done).containsExactly("alice 1", "bob 1", "alice 2", "alice 3");
    assertThat(handedIn).isEmpty();
    assertThat(turns.users()).isZero();
  }

  @Test
  void work_throws_theNextHasItsTurn() {
    turns.submit(
        ALICE,
        () -> {
          throw new IllegalStateException("a bug");
        });
    submit(ALICE, "alice 2");

    long faults = GrpcEndpoint.faults();
    handedIn.remove().run();
    assertThat(GrpcEndpoint.faults()).isEqualTo(faults + 1);
    handedIn.remove().run();

    assertThat(done).containsExactly("alice 2");
    assertThat(turns.users()).isZero();
  }

  @Test
  void submit_noThreadIsToBeHad_isDoneOnTheCallingThread() {
    TurnsByUser stopped =
        new TurnsByUser(task -> {
          throw new RejectedExecutionException("the server stops");
        });

    stopped.submit(ALICE, () -> done.add("alice 1"));

    assertThat(done).containsExactly("alice 1");
    assertThat(stopped.users()).isZero();
  }

  @Test
  void work_endsAndNoThreadIsToBeHadForTheNext_isDoneAllTheSame() {
    boolean[] spent = {false};
    TurnsByUser turnsOfFew =
        new TurnsByUser(task -> {
          if (spent[0]) {
            throw new OutOfMemoryError("as the test says");
          }
          handedIn.add(task);
        });
    turnsOfFew.submit(ALICE, () -> done.add("alice 1"));
    turnsOfFew.submit(ALICE, () -> done.add("alice 2"));
    turnsOfFew.submit(ALICE, () -> done.add("alice 3"));

    spent[0] = true;
    handedIn.remove().run();

    assertThat(done).containsExactly("alice 1", "alice 2", "alice 3");
    assertThat(turnsOfFew.users()).isZero();
  }
}
