package dev.pagetide.server.session;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.pagetide.server.kit.OtherUid;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.Refusal;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.Promise;
import dev.pagetide.testkit.Requires;
import dev.pagetide.v1.CountRequest;
import dev.pagetide.v1.ListRangesRequest;
import dev.pagetide.v1.ReadRequest;
import dev.pagetide.v1.ScanRequest;
import dev.pagetide.v1.ShrinkerServiceGrpc;
import dev.pagetide.v1.Transport;
import io.grpc.ManagedChannel;
import io.grpc.Status.Code;
import java.nio.file.Files;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Callers of another uid, and callers by TCP. */
@Promise({18, 32})
final class OtherCallersTest {
  private static final ByteString SECRET = ByteString.copyFromUtf8("secret");

  @Tag(Requires.TAG)
  @Test
  void anyRpc_tokenOfAnotherUid_isUnknownAndTheShrinkerIsRefused() throws Exception {
    Requires.otherUid();
    try (TestServer server = TestServer.start("--socket-mode=0666")) {
      Files.setAttribute(server.parent(), "unix:mode", 0755);
      RawSession session = RawSession.open(server.connect(), "same name", 2 * RawSession.PAGE);
      int _ = session.use(0, 1).size();
      session.write(0, SECRET);
      session.stop(0, 1);

      List<String> lines =
          OtherUid.run(
              server.parent(), OtherUidClient.class, server.target(), session.token(), "same name");

      assertThat(lines)
          .containsExactly(
              "NOT_FOUND UNKNOWN_SESSION",
              "NOT_FOUND UNKNOWN_SESSION",
              "NOT_FOUND UNKNOWN_SESSION",
              "PERMISSION_DENIED NOT_PERMITTED",
              "PERMISSION_DENIED NOT_PERMITTED",
              "PERMISSION_DENIED NOT_PERMITTED",
              "own U");
      assertThat(session.map()).as("the owner's session").isEqualTo("a.");
      assertThat(session.use(0, 1)).isEmpty();
      assertThat(session.read(0, SECRET.size())).isEqualTo(SECRET);
      server.stopWithoutStackTrace();
    }
  }

  @Test
  void anyRpc_overTcp_knowsNoUnixSessionAndNoShrinker() throws Exception {
    try (TestServer server = TestServer.start("--listen=127.0.0.1:0")) {
      RawSession unix = RawSession.open(server.connect(), 1);
      int _ = unix.use(0, 1).size();
      unix.stop(0, 1);
      ManagedChannel tcp = server.connectTcp();
      var shrinker =
          ShrinkerServiceGrpc.newBlockingStub(tcp).withDeadlineAfter(30, TimeUnit.SECONDS);
      Refusal.of(() -> shrinker.count(CountRequest.getDefaultInstance()))
          .is(
              Code.PERMISSION_DENIED,
              "NOT_PERMITTED",
              "ShrinkerService is for root and the server's own user, on the server's Unix"
                  + " socket");
      Refusal.of(() -> shrinker.scan(ScanRequest.newBuilder().setPages(100).build()))
          .is(Code.PERMISSION_DENIED, "NOT_PERMITTED");
      Refusal.of(() -> shrinker.listRanges(ListRangesRequest.getDefaultInstance()))
          .is(Code.PERMISSION_DENIED, "NOT_PERMITTED");

      RawSession session = RawSession.open(tcp, 1);
      Refusal.of(
              () -> session.stub().read(ReadRequest.newBuilder().setSession(unix.token()).build()))
          .is(Code.NOT_FOUND, "UNKNOWN_SESSION");
      assertThat(unix.map()).as("nothing was reclaimed").isEqualTo("a");

      assertThat(session.opened().hasFile()).isFalse();
      assertThat(session.use(0, 1)).hasSize(1);
      session.write(0, SECRET);
      assertThat(session.read(0, SECRET.size())).isEqualTo(SECRET);
      assertThat(server.ranges())
          .extracting(range -> range.getTransport())
          .containsExactly(Transport.TRANSPORT_UNIX, Transport.TRANSPORT_TCP);
      server.stopWithoutStackTrace();
    }
  }
}
