package dev.pagetide.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.server.host.StartupException;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.Refusal;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.JavaProcess;
import dev.pagetide.testkit.JavaProcess.Launch;
import dev.pagetide.testkit.Requires;
import dev.pagetide.testkit.Tmpfs;
import io.grpc.Status.Code;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Conditions of the host that keep a server from starting or lending: one true sentence each. */
final class HostTroubleTest {
  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  Path folder;

  private static String errorsOfAStartThatEndsWith2(Path temporary, String... options)
      throws Exception {
    return errorsOfAStartThatEndsWith2(
        new Launch(List.of(), List.of("-Djava.io.tmpdir=" + temporary)), options);
  }

  private static String errorsOfAStartThatEndsWith2(Launch launch, String... options)
      throws Exception {
    try (JavaProcess server = JavaProcess.start(launch, PagetideServer.class, options)) {
      assertThat(server.readLine()).isNull();
      assertThat(server.awaitExit()).isEqualTo(2);
      return server.errors();
    }
  }

  @Test
  void main_temporaryFolderRefusesFiles_endsWith2AndOneSentenceBesideTheOthers() throws Exception {
    List<String> errors =
        errorsOfAStartThatEndsWith2(Path.of("/proc"), "--drain-wait=5").lines().toList();

    assertThat(errors).hasSize(2);
    assertThat(errors.getFirst()).contains("--drain-wait=5: unit missing");
    assertThat(errors.getLast())
        .startsWith("pagetide-server: Netty's native library cannot be unpacked to /proc")
        .contains("(java.io.tmpdir)", "-Dio.netty.native.workdir=");
  }

  @Tag(Requires.TAG)
  @Test
  void main_temporaryFolderNoexec_endsWith2AndOneSentence() throws Exception {
    try (Tmpfs _ = Tmpfs.mount(folder, "size=4m,noexec")) {
      assertThat(errorsOfAStartThatEndsWith2(folder, "--http=off").lines())
          .singleElement()
          .asString()
          .contains(folder.toString(), "failed to map segment", "noexec");
    }
  }

  @Tag(Requires.TAG)
  @Test
  void main_temporaryFolderFull_endsWith2AndOneSentence() throws Exception {
    try (Tmpfs _ = Tmpfs.mount(folder, "size=4k")) {
      assertThat(errorsOfAStartThatEndsWith2(folder, "--http=off").lines())
          .singleElement()
          .asString()
          .contains(folder.toString(), "No space left on device");
    }
  }

  @Test
  void main_filesMayNotBeAsLargeAsTheLibrary_namesTheLimitAndNoFolder() throws Exception {
    Launch small = new Launch(List.of("sh", "-c", "ulimit -f 4 && exec \"$@\"", "sh"), List.of());

    assertThat(errorsOfAStartThatEndsWith2(small).lines())
        .singleElement()
        .asString()
        .contains("File too large", "ulimit -f")
        .doesNotContain("noexec", "workdir");
  }

  @Test
  void main_nettyToldToDoWithoutItsLibrary_saysSoAndNoFolder() throws Exception {
    Launch without = new Launch(List.of(), List.of("-Dio.netty.transport.noNative=true"));

    assertThat(errorsOfAStartThatEndsWith2(without).lines())
        .singleElement()
        .asString()
        .contains("-Dio.netty.transport.noNative=true")
        .doesNotContain("noexec", "workdir", "java.io.tmpdir");
  }

  @Test
  void open_beyondTheLimitOnFileSizes_isToldOfUlimit() throws Exception {
    Launch small =
        new Launch(List.of("sh", "-c", "ulimit -f 2048 && exec \"$@\"", "sh"), List.of());
    try (TestServer server = TestServer.start(small)) {
      Refusal refusal = Refusal.of(() -> RawSession.open(server.connect(), 1024));

      refusal.is(
          Code.RESOURCE_EXHAUSTED,
          "NO_MEMORY",
          "the kernel refused the range's file (ftruncate(",
          "EFBIG",
          "larger ulimit -f");
      assertThat(refusal.toString()).doesNotContain("free memory on the host", "no memory for");
      RawSession fits = RawSession.open(server.connect(), 4);
      assertThat(fits.use(0, 4)).isNotEmpty();
      var _ = server.stopWithoutStackTrace();
    }
  }

  @Test
  void probe_hugePages_isToldInNumbersOfPagesThatAreThere() {
    assertThatCode(() -> SharedMemoryProbe.check(2, 2, 3, 2, () -> Path.of("s")))
        .doesNotThrowAnyException();
    assertThatThrownBy(() -> SharedMemoryProbe.check(2, 512, 512, 3, () -> Path.of("/a/setting")))
        .isInstanceOf(StartupException.class)
        .hasMessageContaining(
            "a file that needs 2 pages of shared memory holds 512 on this host, 512 with one page"
                + " more, and 3 after that was taken")
        .hasMessageEndingWith("write never or advise to /a/setting");
  }
}
