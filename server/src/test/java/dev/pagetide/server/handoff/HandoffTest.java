package dev.pagetide.server.handoff;

import static dev.pagetide.server.kit.RawSession.PAGE;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.pagetide.server.kit.FetchedFile;
import dev.pagetide.server.kit.OtherUid;
import dev.pagetide.server.kit.RawHandoff;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.shm.HandoffStatus;
import dev.pagetide.shm.SharedFileHeader;
import dev.pagetide.shm.SharedFileLayout;
import dev.pagetide.testkit.JavaProcess;
import dev.pagetide.testkit.Requires;
import dev.pagetide.testkit.WithServer;
import dev.pagetide.v1.Opened;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** How a session's process gets its file. */
@WithServer
final class HandoffTest {
  @SuppressWarnings("NullAway.Init")
  private TestServer server;

  @BeforeEach
  void startServer(TestServer started) {
    server = started;
  }

  @Test
  void handoff_ownSession_isItsFile() throws Exception {
    RawSession session = RawSession.open(server.connect(), 4);
    int _ = session.use(0, 2).size();
    session.write(PAGE, ByteString.copyFromUtf8("through gRPC"));
    Opened opened = session.opened();
    SharedFileLayout layout = SharedFileLayout.of(PAGE, 4);

    assertThat(Path.of(opened.getFile().getHandoffSocket()))
        .isAbsolute()
        .isEqualTo(server.parent().resolve("d").resolve("handoff.sock"));
    assertThat(opened.getFile().getSizeBytes()).isEqualTo(layout.sizeBytes());
    assertThat(opened.getFile().getTableOffset()).isEqualTo(layout.tableOffset());
    assertThat(opened.getFile().getDataOffset()).isEqualTo(layout.dataOffset());
    assertThat(opened.getFile().getLayoutVersion()).isEqualTo(SharedFileLayout.VERSION);
    try (FetchedFile file = RawHandoff.fetch(server, session.token())) {
      assertThat(file.sizeBytes()).isEqualTo(layout.sizeBytes());
      assertThat(file.header().magic()).isEqualTo(SharedFileHeader.MAGIC);
      assertThat(file.header().layout()).isEqualTo(layout);
      assertThat(file.header().rangeId()).isEqualTo(opened.getRangeId());
      assertThat(file.header().serverInstance()).isEqualTo(opened.getServerInstance());
      assertThat(file.text(PAGE, 12)).isEqualTo("through gRPC");
    }
    assertThat(server.descriptors("pagetide-range")).as("the duplicate is closed").isEqualTo(1);
  }

  @Test
  void handoff_sessionEnded_leavesZerosToWhoHoldsTheFile() throws Exception {
    RawSession session = RawSession.open(server.connect(), 1);
    int _ = session.use(0, 1).size();
    session.write(0, ByteString.copyFromUtf8("here"));
    try (FetchedFile file = RawHandoff.fetch(server, session.token());
        FetchedFile again = RawHandoff.fetch(server, session.token())) {
      assertThat(again.text(0, 4)).isEqualTo("here");

      session.cancel();

      Awaitility.await().until(() -> file.header().stateAcquire() == SharedFileHeader.CLOSED);
      Awaitility.await().until(() -> server.descriptors("memfd:") == 0);
      assertThat(file.text(0, 4)).isEqualTo("\0\0\0\0");
      assertThat(status(session.token() + "\n")).isEqualTo(HandoffStatus.UNKNOWN_SESSION.code());
    }
    assertThat(server.metric("pagetide_handoffs_total{outcome=\"passed\"}")).isEqualTo(2);
  }

  @Test
  void handoff_halfClosedAfterTheToken_isServed() throws Exception {
    RawSession session = RawSession.open(server.connect(), 1);
    try (RawHandoff connection = RawHandoff.connect(server)) {
      connection.send(session.token() + "\n");
      connection.shutdownOutput();

      assertThat(connection.readStatus()).isEqualTo(HandoffStatus.PASSED.code());
      RawHandoff.closeDescriptor(connection.receiveDescriptor().orElseThrow());
      assertThat(connection.readStatus()).isEqualTo(RawHandoff.END);
    }
  }

  @Test
  void handoff_tokenInPieces_isServed() throws Exception {
    RawSession session = RawSession.open(server.connect(), 1);
    try (RawHandoff connection = RawHandoff.connect(server)) {
      for (char piece : (session.token() + "\n").toCharArray()) {
        assertThat(connection.send(String.valueOf(piece))).isTrue();
      }

      assertThat(connection.readStatus()).isEqualTo(HandoffStatus.PASSED.code());
      RawHandoff.closeDescriptor(connection.receiveDescriptor().orElseThrow());
    }
  }

  @Test
  void handoff_longerReadThanTheStatus_losesTheDescriptorAndHarmsNobody() throws Exception {
    RawSession session = RawSession.open(server.connect(), 1);
    try (RawHandoff connection = RawHandoff.connect(server)) {
      connection.send(session.token() + "\n");
      assertThat(connection.readStatus()).isEqualTo(HandoffStatus.PASSED.code());

      int second = connection.readStatus();

      assertThat(second).as("the byte beside the descriptor").isNotEqualTo(RawHandoff.END);
      assertThat(connection.receiveDescriptor()).isEmpty();
    }
    assertThat(server.descriptors("memfd:")).isEqualTo(1);
    RawHandoff.fetch(server, session.token()).close();
  }

  @Test
  void handoff_clientSendsDescriptors_keepsNoneOfThem(@TempDir Path folder) throws Exception {
    RawSession session = RawSession.open(server.connect(), 1);
    Path own = Files.createFile(folder.resolve("sent-by-the-client"));
    try (RandomAccessFile opened = new RandomAccessFile(own.toFile(), "r")) {
      int descriptor = descriptorOf(own);
      for (int i = 0; i < 100; i++) {
        try (RawHandoff connection = RawHandoff.connect(server)) {
          connection.sendWithDescriptor(session.token().substring(0, 4), descriptor);
          connection.sendWithDescriptor(session.token().substring(4), descriptor);
          assertThat(server.descriptors("sent-by-the-client")).as("while it waits").isZero();
          connection.sendWithDescriptor("\n", descriptor);

          assertThat(connection.readStatus()).isEqualTo(HandoffStatus.PASSED.code());
          RawHandoff.closeDescriptor(connection.receiveDescriptor().orElseThrow());
        }
      }
      assertThat(opened.length()).isZero();
    }
    assertThat(server.descriptors("sent-by-the-client")).isZero();
  }

  private static int descriptorOf(Path file) throws IOException {
    try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
      for (Path descriptor : descriptors.toList()) {
        if (Files.exists(descriptor) && Files.isSameFile(descriptor, file)) {
          return Integer.parseInt(descriptor.getFileName().toString());
        }
      }
    }
    throw new AssertionError(file + " is not open");
  }

  private int status(String request) throws IOException {
    try (RawHandoff connection = RawHandoff.connect(server)) {
      connection.send(request);
      return connection.readStatus();
    }
  }

  @Test
  void openRange_overTcp_hasNoFileAndItsTokenGetsNone() throws Exception {
    try (TestServer other = TestServer.start("--listen=127.0.0.1:0")) {
      RawSession session = RawSession.open(other.connectTcp(), 1);

      assertThat(session.opened().hasFile()).isFalse();
      try (RawHandoff connection = RawHandoff.connect(other)) {
        connection.send(session.token() + "\n");
        assertThat(connection.readStatus()).isEqualTo(HandoffStatus.UNKNOWN_SESSION.code());
        assertThat(connection.receiveDescriptor()).isEmpty();
      }
      other.stopWithoutStackTrace();
    }
  }

  @Test
  void handoff_anotherProcess_getsItsOwnFileOnly() throws Exception {
    RawSession session = RawSession.open(server.connect(), 1);
    try (JavaProcess other =
        JavaProcess.start(HandoffClient.class, server.target(), session.token())) {
      assertThat(other.readLine()).isEqualTo("status 1");
      assertThat(other.readLine()).isEqualTo("descriptor false");
      assertThat(other.readLine()).isEqualTo("true mine");
      assertThat(other.awaitExit()).isEqualTo(0);
    }
    assertThat(server.metric("pagetide_handoffs_total{outcome=\"unknown_session\"}")).isEqualTo(1);
    assertThat(server.metric("pagetide_handoffs_total{outcome=\"passed\"}")).isEqualTo(1);
  }

  @Tag(Requires.TAG)
  @Test
  void handoff_anotherUid_getsItsOwnFileOnly() throws Exception {
    Requires.otherUid();
    try (TestServer open = TestServer.start("--socket-mode=0666")) {
      RawSession session = RawSession.open(open.connect(), 1);

      List<String> lines =
          OtherUid.run(open.parent(), HandoffClient.class, open.target(), session.token());

      assertThat(lines).containsExactly("status 1", "descriptor false", "true mine");
      RawHandoff.fetch(open, session.token()).close();
      open.stopWithoutStackTrace();
    }
  }
}
