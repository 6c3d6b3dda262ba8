package dev.pagetide.client.hostile;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.client.OpenOptions;
import dev.pagetide.client.PageRange;
import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.RangeAccess;
import dev.pagetide.client.ServerProcess;
import dev.pagetide.testkit.Promise;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Clients killed with SIGKILL on their way to a mapped file. */
@Promise(31)
final class KilledClientTest {
  @Test
  void client_killedAfterEachStep_leavesNothingAndTheNextIsServed() throws Exception {
    try (ServerProcess server = ServerProcess.start("--http", "127.0.0.1:0");
        PagetideClient client = PagetideClient.connect(server.directory())) {
      serve(client);
      await().until(() -> server.metric("pagetide_sessions") == 0);
      Footprint before = Footprint.of(server.pid());
      Map<StepwiseClient.Step, Child> started = new LinkedHashMap<>();
      try {
        for (StepwiseClient.Step step : StepwiseClient.Step.values()) {
          started.put(step, Child.start(StepwiseClient.class, server.directory().toString()));
        }
        for (Map.Entry<StepwiseClient.Step, Child> next : started.entrySet()) {
          StepwiseClient.Step step = next.getKey();
          Child child = next.getValue();
          assertThat(child.ask(step.name())).isEqualTo(step.name());

          child.kill();

          serve(client);
          nothingIsLeft(server, before, step);
        }
        assertThat(client.shrinker().listRanges()).isEmpty();
        assertThat(server.log()).doesNotContain("\tat ").doesNotContain("ERROR");
      } finally {
        started.values().forEach(Child::close);
      }
    }
  }

  private static void nothingIsLeft(
      ServerProcess server, Footprint before, StepwiseClient.Step after) {
    await()
        .untilAsserted(() -> {
          assertThat(server.metric("pagetide_sessions")).as("after %s", after).isZero();
          assertThat(server.metric("pagetide_resident_bytes")).as("after %s", after).isZero();
          Footprint.of(server.pid()).isNoMoreThan(before);
        });
  }

  private static void serve(PagetideClient client) {
    try (PageRange range = client.open(OpenOptions.ofSize(1 << 16))) {
      assertThat(range.access()).as(range.whyRemote().orElse("")).isEqualTo(RangeAccess.SHARED);
      assertThat(range.useRange(0, 4).pageCount()).isEqualTo(4);
    }
  }
}
