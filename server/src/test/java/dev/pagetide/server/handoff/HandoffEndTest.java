package dev.pagetide.server.handoff;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.pagetide.server.kit.FetchedFile;
import dev.pagetide.server.kit.RawHandoff;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.shm.HandoffStatus;
import dev.pagetide.testkit.Promise;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The end of a server, told and untold, while it hands over a file. */
@Promise(41)
final class HandoffEndTest {
  private static final ByteString DATA = ByteString.copyFromUtf8("still here");

  /** How far a hand-off has come. */
  enum Step {
    CONNECTED,
    PART_OF_THE_TOKEN_SENT,
    TOKEN_SENT,
    STATUS_READ,
    DESCRIPTOR_RECEIVED
  }

  @ParameterizedTest
  @EnumSource
  void main_killedInAStepOfAHandoff_clientSeesTheEndAndANewServerServes(Step step)
      throws Exception {
    try (TestServer server = TestServer.start("--handoff-wait=60s");
        RawHandoff connection = RawHandoff.connect(server)) {
      RawSession session = RawSession.open(server.connect(), 1);
      int _ = session.use(0, 1).size();
      session.write(0, DATA);
      OptionalInt descriptor = OptionalInt.empty();
      if (step == Step.PART_OF_THE_TOKEN_SENT) {
        connection.send(session.token());
      } else if (step == Step.TOKEN_SENT) {
        // Stopped, so that it cannot have answered.
        signalStop(server);
        connection.send(session.token() + "\n");
      } else if (step != Step.CONNECTED) {
        connection.send(session.token() + "\n");
        assertThat(connection.readStatus()).isEqualTo(HandoffStatus.PASSED.code());
        if (step == Step.DESCRIPTOR_RECEIVED) {
          descriptor = connection.receiveDescriptor();
          assertThat(descriptor).isPresent();
        }
      }

      server.process().kill();

      if (step == Step.STATUS_READ) {
        // It was sent, or was not yet.
        descriptor = connection.receiveDescriptor();
      }
      assertThat(connection.readStatus()).isEqualTo(RawHandoff.END);
      if (descriptor.isPresent()) {
        try (FetchedFile file = new FetchedFile(descriptor.getAsInt())) {
          assertThat(file.text(0, DATA.size())).isEqualTo("still here");
        }
      }
      server.startAgain();
      RawSession next = RawSession.open(server.connect(), 1);
      try (FetchedFile file = RawHandoff.fetch(server, next.token())) {
        assertThat(file.header().serverInstance())
            .isEqualTo(next.opened().getServerInstance())
            .isNotEqualTo(session.opened().getServerInstance());
      }
      try (RawHandoff again = RawHandoff.connect(server)) {
        again.send(session.token() + "\n");
        assertThat(again.readStatus()).isEqualTo(HandoffStatus.UNKNOWN_SESSION.code());
      }
      server.stopWithoutStackTrace();
    }
  }

  private static void signalStop(TestServer server) throws Exception {
    Process kill = new ProcessBuilder("sh", "-c", "kill -STOP " + server.process().pid()).start();
    assertThat(kill.waitFor()).isEqualTo(0);
  }

  @Test
  void main_terminated_handsOverWhileItDrainsAndThenEndsWhoWaits() throws Exception {
    try (TestServer server = TestServer.start("--drain-wait=600s", "--handoff-wait=60s");
        RawHandoff waiting = RawHandoff.connect(server)) {
      RawSession session = RawSession.open(server.connect(), 1);
      int _ = session.use(0, 1).size();
      session.write(0, DATA);
      assertThat(waiting.send("a")).isTrue();

      server.process().requestTermination();

      assertThat(session.draining().getDrainWaitMs()).isEqualTo(600_000);
      try (FetchedFile file = RawHandoff.fetch(server, session.token())) {
        assertThat(file.text(0, DATA.size())).isEqualTo("still here");
        session.cancel();
        assertThat(server.process().awaitExit()).isEqualTo(0);
      }
      assertThat(waiting.readStatus()).isEqualTo(RawHandoff.END);
      assertThat(server.process().errors()).doesNotContain("\tat ", "ERROR");
      assertThat(server.parent().resolve("d").resolve("handoff.sock")).doesNotExist();
    }
  }
}
