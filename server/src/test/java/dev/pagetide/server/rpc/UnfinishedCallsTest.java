package dev.pagetide.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.kit.RawHttp2;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.Promise;
import dev.pagetide.testkit.WithServer;
import java.util.ArrayList;
import java.util.List;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/** Clients that begin calls and do not finish them. */
@Promise(32)
final class UnfinishedCallsTest {
  private static final String USE_RANGE = "/pagetide.v1.PageRangeService/UseRange";

  @Test
  @WithServer("--max-requests-in-flight=100")
  void useRange_threeConnectionsUseUpTheLimit_isServedToTheOthersOfThatUid(TestServer server)
      throws Exception {
    RawSession good = RawSession.open(server.connect(), 4);
    List<RawHttp2> hostile = new ArrayList<>();
    try {
      for (int connection = 0; connection < 3; connection++) {
        RawHttp2 bad = RawHttp2.connect(server.target());
        hostile.add(bad);
        for (int call = 0; call < 60; call++) {
          int _ = bad.startCall(USE_RANGE, 1000);
        }
        Awaitility.await().until(() -> bad.endedCalls() >= 10);
      }

      assertThat(good.use(0, 4)).hasSize(1);
      RawSession another = RawSession.open(server.connect(), 1);
      assertThat(another.use(0, 1)).hasSize(1);
      assertThat(hostile.getLast().endedCalls()).as("refused").isEqualTo(60 - 8);
    } finally {
      for (RawHttp2 bad : hostile) {
        bad.close();
      }
    }
  }
}
