package dev.pagetide.server.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class OptionNotationTest {
  @ParameterizedTest
  @CsvSource({
    "0, 0",
    "65536, 65536",
    "64KiB, 65536",
    "4MiB, 4194304",
    "1GiB, 1073741824",
    "2TiB, 2199023255552",
    "9223372036854775807, 9223372036854775807"
  })
  void sizeBytes_sizeWithUnit_isThatManyBytes(String text, long bytes) {
    assertThat(OptionNotation.sizeBytes(text)).isEqualTo(bytes);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "x", "-1", "1.5MiB", "4 MiB", "0x10", "MiB"})
  void sizeBytes_noSize_isRefused(String text) {
    assertThatThrownBy(() -> OptionNotation.sizeBytes(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("not a size; write a size as 65536, 64KiB, 4MiB or 1GiB");
  }

  @ParameterizedTest
  @ValueSource(strings = {"4MB", "4M", "4mib", "4s"})
  void sizeBytes_unknownUnit_isRefused(String text) {
    assertThatThrownBy(() -> OptionNotation.sizeBytes(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("unknown unit '" + text.substring(1) + "'");
  }

  @ParameterizedTest
  @ValueSource(strings = {"9223372036854775808", "8388608TiB", "99999999999999999999GiB"})
  void sizeBytes_overflow_isRefused(String text) {
    assertThatThrownBy(() -> OptionNotation.sizeBytes(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("over 9223372036854775807");
  }

  @ParameterizedTest
  @CsvSource({"0s, 0", "500ms, 500", "2s, 2000"})
  void time_timeWithUnit_isThatLong(String text, long millis) {
    assertThat(OptionNotation.time(text)).isEqualTo(Duration.ofMillis(millis));
  }

  @ParameterizedTest
  @CsvSource({"5, unit missing", "5h, unknown unit 'h'", "s, not a time", "-1s, not a time"})
  void time_otherText_isRefused(String text, String reason) {
    assertThatThrownBy(() -> OptionNotation.time(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(reason + "; write a time as 500ms or 2s");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "abc", "-1", "1KiB", "1.0"})
  void count_noWholeNumber_isRefused(String text) {
    assertThatThrownBy(() -> OptionNotation.count(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("not a whole number; write a whole number as 1024");
  }

  @Test
  void socketMode_threeOrFourDigits_isOctal() {
    assertThat(OptionNotation.socketMode("0660")).isEqualTo(0660);
    assertThat(OptionNotation.socketMode("666")).isEqualTo(0666);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "0644", "0060", "0777", "rw-------", "384"})
  void socketMode_modeThatConnectsNobody_isRefused(String text) {
    assertThatThrownBy(() -> OptionNotation.socketMode(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("give 0600");
  }

  @ParameterizedTest
  @CsvSource({
    "127.0.0.1:9464, 127.0.0.1, 9464",
    "[::1]:1, ::1, 1",
    "127.0.0.1:0, 127.0.0.1, 0",
    "0.0.0.0:65535, 0.0.0.0, 65535"
  })
  void address_hostAndPort_isResolved(String text, String host, int port) {
    assertThat(OptionNotation.address(text)).isEqualTo(new InetSocketAddress(host, port));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "9464", ":9464", "::1:9464", "[127.0.0.1]:9464", "[]:1"})
  void address_noHost_isRefused(String text) {
    assertThatThrownBy(() -> OptionNotation.address(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("not an address; write HOST:PORT");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "65536", "-1", "http", "99999999999"})
  void address_portOutOfRange_isRefused(String port) {
    assertThatThrownBy(() -> OptionNotation.address("127.0.0.1:" + port))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("port '" + port + "' is not within [0, 65535]");
  }

  @Test
  void address_unknownHost_isRefused() {
    assertThatThrownBy(() -> OptionNotation.address("no such host:1"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("host 'no such host' is unknown here");
  }

  @Test
  void transactRule_noPairs_areRefused() {
    for (String bad : List.of("", "own,1:2", "1", "1:2:3", "1:", "x:1", "4294967295:1", "-1:0")) {
      assertThatThrownBy(() -> OptionNotation.transactRule(bad))
          .as(bad)
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageMatching("'.*' is no (pair|uid); write .*");
    }
  }
}
