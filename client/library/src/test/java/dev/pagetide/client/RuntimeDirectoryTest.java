package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which directories a client trusts to hold its server's socket. */
final class RuntimeDirectoryTest {

  @TempDir Path temporary = Path.of("");

  @Test
  void grpcSocket_ownPrivateDirectory_isTrusted() {
    assertThat(RuntimeDirectory.grpcSocket(temporary, true))
        .isEqualTo(temporary.resolve("grpc.sock"));
  }

  @Test
  void grpcSocket_symbolicLink_isRefused() throws IOException {
    Path real = Files.createDirectory(temporary.resolve("real"));
    Path link = Files.createSymbolicLink(temporary.resolve("link"), real);

    assertThatThrownBy(() -> RuntimeDirectory.grpcSocket(link, false))
        .isInstanceOf(PagetideException.class)
        .hasMessageContaining("not a real directory");
  }

  @Test
  void grpcSocket_writableByEverybody_isRefused() throws IOException {
    Path open = Files.createDirectory(temporary.resolve("open"));
    Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));

    PagetideException failure =
        catchThrowableOfType(
            PagetideException.class, () -> RuntimeDirectory.grpcSocket(open, false));

    assertThat(failure.code()).isEqualTo(StatusCode.PERMISSION_DENIED);
    assertThat(failure).hasMessageContaining("0700");
  }

  @Test
  void grpcSocket_missing_saysThatThereIsNoServer() {
    PagetideException failure =
        catchThrowableOfType(
            PagetideException.class,
            () -> RuntimeDirectory.grpcSocket(temporary.resolve("none"), true));

    assertThat(failure.code()).isEqualTo(StatusCode.UNAVAILABLE);
    assertThat(failure).hasMessageContaining("does not exist");
  }

  @Test
  void grpcSocket_pathTooLongForASocket_isRefused() throws IOException {
    Path deep = Files.createDirectory(temporary.resolve("x".repeat(110)));

    assertThatThrownBy(() -> RuntimeDirectory.grpcSocket(deep, true))
        .isInstanceOf(PagetideException.class)
        .hasMessageContaining("at most 107");
  }

  @Test
  void defaultPath_followsTheEnvironment() {
    assertThat(RuntimeDirectory.defaultPath("/run/user/7")).hasToString("/run/user/7/pagetide");
    assertThat(RuntimeDirectory.defaultPath("relative").toString()).startsWith("/tmp/pagetide-");
    assertThat(RuntimeDirectory.defaultPath(null).toString()).startsWith("/tmp/pagetide-");
  }

  @Test
  void connectTcp_notLoopback_isRefused() {
    for (String address : new String[] {"192.0.2.1:70", "127.0.0.1", "127.0.0.1:x", ":70"}) {
      assertThatThrownBy(() -> PagetideClient.connectTcp(address).close())
          .as(address)
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("HOST:PORT");
    }
  }
}
