package dev.pagetide.server.transaction;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.pagetide.server.host.HostLimits;
import dev.pagetide.server.kit.OtherUid;
import dev.pagetide.server.kit.RawEndpoint;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.Requires;
import dev.pagetide.v1.ErrorReason;
import dev.pagetide.v1.Transaction;
import io.grpc.ManagedChannel;
import io.grpc.Status.Code;
import java.nio.file.Files;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Transactions between users, and by TCP: who may transact to whom, and who is seen to. */
final class OtherEndpointsTest {
  private static final int NOBODY = 65534;
  private static final ByteString HELLO = ByteString.copyFromUtf8("hello");

  private static List<String> askedByNobody(TestServer server, int uid) throws Exception {
    Files.setAttribute(server.parent(), "unix:mode", 0755);
    return OtherUid.run(
        server.parent(), OtherUidEndpoint.class, server.target(), Integer.toString(uid));
  }

  @Tag(Requires.TAG)
  @Test
  void transact_anotherUidsReceiver_isDeniedAndTheNameIsNotTold() throws Exception {
    Requires.otherUid();
    try (TestServer server = TestServer.start("--socket-mode=0666")) {
      RawEndpoint bob = RawEndpoint.open(server.connect(), "bob", 1);

      List<String> said = askedByNobody(server, HostLimits.ownUid());

      String denied = "FAILED ERROR_REASON_NOT_PERMITTED";
      assertThat(said.subList(0, 2)).containsExactly(denied, denied);
      assertThat(bob.waiting()).isZero();
      assertThat(bob.session().map()).isEqualTo(".");
      var _ = server.stopWithoutStackTrace();
    }
  }

  @Tag(Requires.TAG)
  @Test
  void transact_anotherUidsReceiver_isDeliveredWhereTheRuleAllowsIt() throws Exception {
    Requires.otherUid();
    int own = HostLimits.ownUid();
    try (TestServer server =
        TestServer.start(
            "--socket-mode=0666", "--allow-transactions=%d:%d".formatted(NOBODY, own))) {
      RawEndpoint bob = RawEndpoint.open(server.connect(), "bob", 1);

      List<String> said = askedByNobody(server, own);

      assertThat(said.get(0)).isEqualTo("ACCEPTED ERROR_REASON_UNSPECIFIED");
      assertThat(said.get(1)).isEqualTo("FAILED ERROR_REASON_TARGET_DIED");
      Transaction got = bob.take();
      assertThat(bob.session().read(got.getOffset(), 5)).isEqualTo(HELLO);
      assertThat(got.getSender().getName()).isEqualTo("nobody's");
      assertThat(got.getSender().getUid()).isEqualTo(NOBODY);
      assertThat(got.getSender().getPid()).isEqualTo(Integer.parseInt(said.get(2)));
      // One way only: the pair is no permission to transact back.
      bob.failed(
          bob.transact(RawEndpoint.to("nobody's", RawEndpoint.bytes(HELLO)).setTargetUid(NOBODY)),
          Code.PERMISSION_DENIED,
          ErrorReason.ERROR_REASON_NOT_PERMITTED);
      var _ = server.stopWithoutStackTrace();
    }
  }

  @Test
  void transact_overTcp_reachesTcpSessionsOnlyAndBytesComeByMessage() throws Exception {
    try (TestServer server =
        TestServer.start("--listen=127.0.0.1:0", "--allow-transactions=any:any")) {
      RawEndpoint local = RawEndpoint.open(server.connect(), "local", 1);
      ManagedChannel tcp = server.connectTcp();
      RawEndpoint far = RawEndpoint.open(tcp, "far", 1);
      RawSession session = RawEndpoint.session(tcp, "further", 1);
      RawEndpoint further = RawEndpoint.start(tcp, session, true);
      var _ = further.attach(true, true);

      far.failed(
          far.transact(
              RawEndpoint.to("local", RawEndpoint.bytes(HELLO)).setTargetUid(HostLimits.ownUid())),
          Code.PERMISSION_DENIED,
          ErrorReason.ERROR_REASON_NOT_PERMITTED);
      local.failed(
          local.transact(RawEndpoint.to("far", RawEndpoint.bytes(HELLO))),
          Code.FAILED_PRECONDITION,
          ErrorReason.ERROR_REASON_TARGET_DIED);
      var _ = far.oneWay("further", RawEndpoint.bytes(HELLO));

      Transaction got = further.take();
      assertThat(got.getData()).isEqualTo(HELLO);
      assertThat(got.getSender().hasUid()).isFalse();
      assertThat(got.getSender().hasPid()).isFalse();
      assertThat(local.waiting()).isZero();
      var _ = server.stopWithoutStackTrace();
    }
  }
}
