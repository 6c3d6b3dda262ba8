package dev.pagetide.server.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.server.host.StartupException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The key of the tide map outlives the server, and is nobody else's. */
final class MapKeyFileTest {
  @TempDir
  @SuppressWarnings("NullAway.Init")
  private Path directory;

  private Path file() {
    return directory.resolve(MapKeyFile.FILE_NAME);
  }

  @Test
  void keyIn_secondTime_isTheFirstOne() throws Exception {
    String first = MapKeyFile.keyIn(directory).text();

    assertThat(MapKeyFile.keyIn(directory).text()).isEqualTo(first).hasSize(22);
    assertThat(directory).isDirectoryNotContaining("glob:**.new");
  }

  @Test
  void keyIn_otherDirectory_isAnotherOne(@TempDir Path other) throws Exception {
    assertThat(MapKeyFile.keyIn(other).text()).isNotEqualTo(MapKeyFile.keyIn(directory).text());
  }

  @Test
  void keyIn_fileOthersMayRead_isRefused() throws Exception {
    var _ = MapKeyFile.keyIn(directory);
    Files.setPosixFilePermissions(file(), PosixFilePermissions.fromString("rw-r-----"));

    assertThatThrownBy(() -> MapKeyFile.keyIn(directory))
        .isInstanceOf(StartupException.class)
        .hasMessageContaining("mode 0600")
        .hasMessageContaining("remove it");
  }

  @Test
  void keyIn_fileWithoutAKey_isRefused() throws Exception {
    var _ = MapKeyFile.keyIn(directory);
    Files.writeString(file(), "");

    assertThatThrownBy(() -> MapKeyFile.keyIn(directory))
        .isInstanceOf(StartupException.class)
        .hasMessageContaining("holds no key");
    assertThat(file()).as("what was not understood").isEmptyFile();
  }

  @Test
  void keyIn_symbolicLink_isRefused(@TempDir Path other) throws Exception {
    var _ = MapKeyFile.keyIn(other);
    Files.createSymbolicLink(file(), other.resolve(MapKeyFile.FILE_NAME));

    assertThatThrownBy(() -> MapKeyFile.keyIn(directory)).isInstanceOf(StartupException.class);
  }
}
