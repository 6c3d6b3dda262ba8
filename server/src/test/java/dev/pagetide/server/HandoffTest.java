package dev.pagetide.server;

import static dev.pagetide.server.RawSession.PAGE;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.pagetide.shm.SharedFileHeader;
import dev.pagetide.shm.SharedFileLayout;
import dev.pagetide.v1.Opened;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** How a session's process gets its file. */
final class HandoffTest {
  @SuppressWarnings("NullAway.Init")
  private TestServer server;

  @BeforeEach
  void startServer() throws Exception {
    server = TestServer.start();
  }

  @AfterEach
  void noStackTraceWasLogged() throws Exception {
    server.closeWithoutStackTrace();
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
}
