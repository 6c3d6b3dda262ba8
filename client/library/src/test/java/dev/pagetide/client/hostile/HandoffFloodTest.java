package dev.pagetide.client.hostile;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.client.OpenOptions;
import dev.pagetide.client.PageRange;
import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.RangeAccess;
import dev.pagetide.client.ServerProcess;
import dev.pagetide.testkit.Promise;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A process that has the hand-off socket for itself alone. */
@Promise({18, 32})
final class HandoffFloodTest {
  private static final int TOKENS = 20_000;
  private static final int MANY_TOKENS = 100_000;
  private static final int FEWEST_ROUNDS = 3;
  private static final int MOST_ROUNDS = 1_000_000;

  @Test
  void tokens_thousandsOfBogusOnes_openNothingAndHinderNobody() throws Exception {
    flood(TOKENS);
  }

  @Test
  @Tag("long")
  void tokens_aHundredThousandBogusOnes_openNothingAndHinderNobody() throws Exception {
    flood(MANY_TOKENS);
  }

  private static void flood(int tokens) throws Exception {
    try (ServerProcess server = ServerProcess.start("--http", "127.0.0.1:0");
        PagetideClient client = PagetideClient.connect(server.directory());
        HonestClient honest = new HonestClient(client)) {
      openShared(client);
      await().until(() -> server.metric("pagetide_sessions") == 1);
      Footprint before = Footprint.of(server.pid());
      double residentBefore = server.metric("pagetide_resident_bytes");
      try (Child hostile = Child.start(HostileClient.class, server.directory().toString())) {
        assertThat(hostile.readLine()).startsWith("range ");

        CompletableFuture<String> answer = hostile.askAsync("tokens " + tokens);
        for (int round = 0;
            round < FEWEST_ROUNDS || (round < MOST_ROUNDS && !answer.isDone());
            round++) {
          honest.reuse();
          honest.check();
          openShared(client);
        }

        assertThat(answer.join()).isEqualTo("unknown " + tokens + " busy 0 other 0");
      }
      await().until(() -> server.metric("pagetide_sessions") == 1);
      await()
          .untilAsserted(
              () -> assertThat(server.metric("pagetide_resident_bytes")).isEqualTo(residentBefore));
      await().untilAsserted(() -> Footprint.of(server.pid()).isNoMoreThan(before));
      assertThat(server.log()).doesNotContain("\tat ").doesNotContain("ERROR");
    }
  }

  private static void openShared(PagetideClient client) {
    try (PageRange range = client.open(OpenOptions.ofSize(1 << 16))) {
      assertThat(range.access()).as(range.whyRemote().orElse("")).isEqualTo(RangeAccess.SHARED);
      assertThat(range.useRange(0, 1).pageCount()).isEqualTo(1);
    }
  }

  /** A quarter of the slots is one uid's. The honest client waits until the hostile one's end. */
  @Test
  void slots_allTakenByOneWhoSaysNothing_areHadAgainOnceItsTimeIsUp() throws Exception {
    try (ServerProcess server =
            ServerProcess.start(
                "--http", "127.0.0.1:0", "--max-handoffs", "8", "--handoff-wait", "300ms");
        PagetideClient client = PagetideClient.connect(server.directory());
        Child hostile = Child.start(HostileClient.class, server.directory().toString())) {
      assertThat(hostile.readLine()).startsWith("range ");
      openShared(client);
      int sockets = Footprint.of(server.pid()).sockets();
      assertThat(hostile.ask("hold 40")).isEqualTo("held");

      openShared(client);

      await()
          .untilAsserted(
              () -> assertThat(Footprint.of(server.pid()).sockets()).isLessThanOrEqualTo(sockets));
      assertThat(server.log()).doesNotContain("\tat ").doesNotContain("ERROR");
    }
  }
}
