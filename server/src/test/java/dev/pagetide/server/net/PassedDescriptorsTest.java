package dev.pagetide.server.net;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.kit.RawHandoff;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.Requires;
import dev.pagetide.testkit.SystemCalls;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A client that sends a descriptor with its bytes. A server that received it would have to close
 * it, on an event loop, and a close can take years.
 */
final class PassedDescriptorsTest {
  /** An option that no kernel knows, as SO_PASSRIGHTS is to an old one. */
  private static final int UNKNOWN_OPTION = 9999;

  @Tag(Requires.TAG)
  @ParameterizedTest
  @ValueSource(strings = {"grpc.sock", "handoff.sock"})
  void send_descriptorToEitherSocket_isRefusedByTheKernelAndOthersAreServed(String name)
      throws Exception {
    Requires.ofKernel(PassedDescriptors.problem().isEmpty(), "SO_PASSRIGHTS (Linux 6.16)");
    try (TestServer server = TestServer.start()) {
      RawSession session = RawSession.open(server.connect(), 1);
      int client = SystemCalls.connect(server.directory().resolve(name));
      int sent = SystemCalls.openPath(Path.of("/"));
      assertThat(client).isPositive();
      assertThat(sent).isPositive();
      try {

        int answer = SystemCalls.sendDescriptor(client, "P", sent);

        assertThat(answer).isEqualTo(-SystemCalls.EPERM);
        assertThat(SystemCalls.send(client, new byte[] {'P'})).as("without it").isEqualTo(1);
        RawHandoff.fetch(server, session.token()).close();
      } finally {
        SystemCalls.close(sent);
        SystemCalls.close(client);
      }
      assertThat(server.stopWithoutStackTrace()).doesNotContain("descriptors that clients send");
    }
  }

  @Test
  void problem_optionUnknownToTheKernel_namesTheKernelAndWhatItMeans() {
    assertThat(PassedDescriptors.problem(UNKNOWN_OPTION).orElseThrow())
        .contains("needs Linux 6.16", "can stop the connections of others", "PagetideLoopStalled");
  }
}
