package dev.pagetide.server.os;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class KernelFileTest {
  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({
    "'0\n', 0",
    "'4096', 4096",
    "'9223372036854771712\n', 9223372036854771712",
    "'9223372036854775807\n', 9223372036854775807",
    "'max\n', 9223372036854775807"
  })
  void number_numberFile_isThatNumber(String text, long number) throws IOException {
    try (KernelFile file = KernelFile.open(write(text))) {
      assertThat(file.number()).isEqualTo(number);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "\n", "-1\n", "12 kB\n", "12x\n", "maximum\n", "9223372036854775808\n"})
  void number_otherText_isRefused(String text) throws IOException {
    try (KernelFile file = KernelFile.open(write(text))) {
      assertThatThrownBy(file::number)
          .isInstanceOf(IOException.class)
          .hasMessage(file.path() + " has no number but '" + text.strip() + "'");
    }
  }

  @Test
  void text_fileThatChanged_isWhatItHasNow() throws IOException {
    Path path = write("first\n");
    try (KernelFile file = KernelFile.open(path)) {
      assertThat(file.text()).isEqualTo("first\n");

      Files.writeString(path, "2\n");

      assertThat(file.text()).isEqualTo("2\n");
      assertThat(file.number()).isEqualTo(2);
    }
  }

  @Test
  void text_thisMachinesMeminfo_isWholeAtEachReading() throws IOException {
    try (KernelFile file = KernelFile.open(Path.of("/proc/meminfo"))) {
      for (int i = 0; i < 3; i++) {
        assertThat(file.text()).startsWith("MemTotal:").endsWith(" kB\n").contains("\nDirectMap");
      }
    }
  }

  @Test
  void text_longFile_isRefused() throws IOException {
    try (KernelFile file = KernelFile.open(write("x".repeat(16 * 1024)))) {
      assertThatThrownBy(file::text)
          .isInstanceOf(IOException.class)
          .hasMessage(file.path() + " has 16384 bytes or more: not a file of numbers");
    }
  }

  @Test
  void open_noSuchFile_saysSo() {
    assertThatThrownBy(() -> KernelFile.open(folder.resolve("none")))
        .isInstanceOf(SystemCallException.class)
        .hasMessageContaining("none")
        .hasMessageEndingWith("ENOENT");
  }

  @Test
  void number_closed_isRefusedAndHitsNoOtherFile() throws IOException {
    KernelFile file = KernelFile.open(write("1\n"));
    file.close();

    assertThatThrownBy(file::number)
        .isInstanceOf(IOException.class)
        .hasMessage(file.path() + " was closed");
    file.close();
  }

  private Path write(String text) throws IOException {
    return Files.writeString(folder.resolve("file"), text);
  }
}
