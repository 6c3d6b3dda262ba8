package dev.pagetide.client.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.client.PageInterval;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine.TypeConversionException;

/** Sizes and pages as a person writes them. */
final class NotationTest {

  private final SizeConverter sizes = new SizeConverter();
  private final PagesConverter pages = new PagesConverter();

  @ParameterizedTest
  @CsvSource({
    "0, 0",
    "4096, 4096",
    "7B, 7",
    "64KiB, 65536",
    "4MiB, 4194304",
    "1GiB, 1073741824",
    "2TiB, 2199023255552",
    "9223372036854775807, 9223372036854775807",
  })
  void size_wellFormed_isBytes(String text, long bytes) {
    assertThat(sizes.convert(text)).isEqualTo(bytes);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "4M", "4mib", "-1", "1.5MiB", "MiB", "9223372036854775808", "9999999TiB"})
  void size_malformed_isRefused(String text) {
    assertThatThrownBy(() -> sizes.convert(text)).isInstanceOf(TypeConversionException.class);
  }

  @ParameterizedTest
  @CsvSource({"7, 7, 8", "0..4, 0, 4", "0..2147483647, 0, 2147483647"})
  void pages_wellFormed_areAnInterval(String text, int start, int end) {
    assertThat(pages.convert(text)).isEqualTo(new PageInterval(start, end));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "-1",
        "1..",
        "..4",
        "1...4",
        "a",
        "0-4",
        "4..0",
        "4..4",
        "9..2",
        "2147483647",
        "4294967295"
      })
  void pages_malformed_areRefused(String text) {
    assertThatThrownBy(() -> pages.convert(text)).isInstanceOf(TypeConversionException.class);
  }

  @Test
  void map_longerThanALine_isWrappedWithPageNumbers() {
    assertThat(PageMap.lines("U".repeat(64) + "a".repeat(60) + ".".repeat(4) + "U"))
        .containsExactly("  0  " + "U".repeat(64), " 64  " + "a".repeat(60) + "....", "128  U");
  }
}
