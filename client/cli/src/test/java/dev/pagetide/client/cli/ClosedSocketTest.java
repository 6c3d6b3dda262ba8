package dev.pagetide.client.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.testkit.Requires;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Servers that do not let this user in. Root is such a user once it has given up the capabilities
 * by which it opens everything.
 */
@Tag(Requires.TAG)
final class ClosedSocketTest {

  private static final int NOBODY = 65_534;
  private static final String AS_ANYBODY =
      "exec setpriv --bounding-set=-dac_override,-dac_read_search \"$@\" count --dir ";

  @TempDir Path temporary = Path.of("");

  private CommandProcess count(Path directory) throws IOException, InterruptedException {
    Requires.command("setpriv", "to give up capabilities");
    return CommandProcess.inShell(temporary, Map.of(), AS_ANYBODY + directory);
  }

  /** Another user's directory of that mode. */
  private Path theirs(String name, String mode) throws IOException {
    Path directory = Files.createDirectory(temporary.resolve(name));
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString(mode));
    Requires.giveAway(directory, NOBODY);
    return directory;
  }

  @Test
  void count_directoryBelowAClosedOne_saysWhyAndWhatToDo() throws Exception {
    Path closed = theirs("closed", "rwx------");
    Path directory = Files.createDirectory(closed.resolve("pagetide"));

    CommandProcess run = count(directory);

    assertThat(run.err())
        .startsWith("pagetide: cannot look at the directory " + directory + ": permission denied, ")
        .contains("'chmod a+x'", "--dir", "PAGETIDE_DIR")
        .hasLineCount(1);
    assertThat(run.status()).isEqualTo(1);
  }

  @Test
  void count_socketOfAnotherUser_namesTheServersOptions() throws Exception {
    Path directory = theirs("open", "rwxr-xr-x");
    Path socket = directory.resolve("grpc.sock");
    try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      server.bind(UnixDomainSocketAddress.of(socket));
      Files.setPosixFilePermissions(socket, PosixFilePermissions.fromString("rw-------"));
      Requires.giveAway(socket, NOBODY);

      CommandProcess run = count(directory);

      assertThat(run.err())
          .isEqualTo(
              "pagetide: this user may not connect to "
                  + socket
                  + "; its server's options --socket-group and --socket-mode say who may\n");
      assertThat(run.status()).isEqualTo(1);
    }
  }
}
