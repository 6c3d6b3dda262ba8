package dev.pagetide.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.Refusal;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.Promise;
import dev.pagetide.v1.ReadRequest;
import io.grpc.ManagedChannel;
import io.grpc.Status.Code;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** The end of a server, told and untold. */
@Promise(41)
final class ServerEndTest {
  private static final ByteString DATA = ByteString.copyFromUtf8("still here");

  @Test
  void main_killed_clientsAreToldAndANewServerStartsOnTheSameDirectory() throws Exception {
    try (TestServer server = TestServer.start()) {
      RawSession session = RawSession.open(server.connect(), 4);
      int _ = session.use(0, 4).size();
      Path socket = Path.of(server.target().substring("unix:".length()));

      server.process().kill();

      Refusal.of(session.end()).is(Code.UNAVAILABLE, "");
      assertThat(Refusal.of(() -> session.read(0, 1)).code()).isEqualTo(Code.UNAVAILABLE);
      assertThat(Files.exists(socket)).as("the killed server's socket").isTrue();

      server.startAgain();
      RawSession next = RawSession.open(server.connect(), 4);
      assertThat(next.map()).isEqualTo("....");
      assertThat(next.opened().getServerInstance())
          .isNotEqualTo(session.opened().getServerInstance());
      String oldToken = session.token();
      Refusal refusal =
          Refusal.of(() -> next.stub().read(ReadRequest.newBuilder().setSession(oldToken).build()));
      refusal.is(Code.NOT_FOUND, "UNKNOWN_SESSION");
      server.stopWithoutStackTrace();
    }
  }

  @Test
  void main_terminated_drainsItsSessionsAndThenEndsThem() throws Exception {
    try (TestServer server = TestServer.start("--drain-wait=4s")) {
      ManagedChannel channel = server.connect();
      ManagedChannel second = server.connect();
      RawSession leaves = RawSession.open(channel, 4);
      RawSession stays = RawSession.open(second, 4);
      int _ = stays.use(0, 4).size();
      stays.write(0, DATA);
      assertThat(health(second)).isEqualTo(ServingStatus.SERVING);

      server.process().requestTermination();

      assertThat(leaves.draining().getDrainWaitMs()).isEqualTo(4_000);
      assertThat(stays.draining().getDrainWaitMs()).isEqualTo(4_000);
      assertThat(health(second)).isEqualTo(ServingStatus.NOT_SERVING);
      Refusal refusal = Refusal.of(() -> RawSession.open(second, 1));
      refusal.is(
          Code.UNAVAILABLE,
          "SERVER_STOPPING",
          "the server is stopping; connect again once it has been started");

      // Live sessions are served meanwhile, and keep what they have.
      assertThat(stays.read(0, DATA.size())).isEqualTo(DATA);
      stays.stop(0, 2);
      assertThat(stays.use(0, 2)).isEmpty();
      leaves.cancel();
      assertThat(stays.hasEnded()).isFalse();

      Refusal.of(stays.end())
          .is(
              Code.UNAVAILABLE,
              "SERVER_STOPPING",
              "the server has stopped; connect again once it has been started");
      assertThat(server.process().awaitExit()).isEqualTo(0);
      assertThat(server.process().errors()).doesNotContain("\tat ", "ERROR");
      assertThat(server.process().readLine()).isNull();
    }
  }

  @Test
  void main_terminatedAndAllSessionsLeave_doesNotWaitAnyLonger() throws Exception {
    try (TestServer server = TestServer.start("--drain-wait=600s")) {
      RawSession session = RawSession.open(server.connect(), 4);

      server.process().requestTermination();

      assertThat(session.draining().getDrainWaitMs()).isEqualTo(600_000);
      session.cancel();
      assertThat(server.process().awaitExit()).isEqualTo(0);
      assertThat(server.process().errors()).doesNotContain("\tat ", "ERROR");
    }
  }

  @Test
  void main_terminatedWhileSessionsOpen_endsEveryOneOfThem() throws Exception {
    try (TestServer server = TestServer.start("--drain-wait=100ms")) {
      ManagedChannel channel = server.connect();
      RawSession first = RawSession.open(channel, 1);
      RawSession[] racing = new RawSession[100];
      for (int i = 0; i < racing.length; i++) {
        racing[i] = RawSession.start(channel, "", RawSession.PAGE);
        if (i == racing.length / 2) {
          server.process().requestTermination();
        }
      }

      assertThat(first.end().getStatus().getCode()).isEqualTo(Code.UNAVAILABLE);
      for (RawSession session : racing) {
        assertThat(session.end().getStatus().getCode()).isEqualTo(Code.UNAVAILABLE);
      }
      assertThat(server.process().awaitExit()).isEqualTo(0);
      assertThat(server.process().errors()).doesNotContain("\tat ", "ERROR");
    }
  }

  private static ServingStatus health(ManagedChannel channel) {
    return HealthGrpc.newBlockingStub(channel)
        .withDeadlineAfter(30, TimeUnit.SECONDS)
        .check(HealthCheckRequest.getDefaultInstance())
        .getStatus();
  }
}
