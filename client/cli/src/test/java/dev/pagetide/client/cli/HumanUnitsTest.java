package dev.pagetide.client.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Numbers in few characters. */
final class HumanUnitsTest {
  @ParameterizedTest
  @CsvSource({
    "0,0",
    "99999,99999",
    "100000,100k",
    "999999,999k",
    "1000000,1M",
    "1260000,1.2M",
    "9223372036854775807,9.2E"
  })
  void count_anyNumber_takesFiveCharacters(long count, String text) {
    assertThat(HumanUnits.count(count)).isEqualTo(text).hasSizeLessThanOrEqualTo(5);
  }

  @ParameterizedTest
  @CsvSource({
    "0,0 B",
    "1023,1023 B",
    "4096,4 KiB",
    "1610612736,1.5 GiB",
    "12884901888,12 GiB",
    "6334631936,5.8 GiB",
    "4.1e18,3.5 EiB",
    "1e30,867361737988 EiB"
  })
  void bytes_anyNumber_isRoundedDown(double bytes, String text) {
    assertThat(HumanUnits.bytes(bytes)).isEqualTo(text);
  }

  @ParameterizedTest
  @CsvSource({
    "0,0",
    "0.000001,<0.1",
    "0.0999,<0.1",
    "0.1,0.1",
    "0.19,0.1",
    "9.99,9.9",
    "10.5,10",
    "250000,250k"
  })
  void rate_anyRate_tellsSmallOnesFromNothing(double perSecond, String text) {
    assertThat(HumanUnits.rate(perSecond)).isEqualTo(text);
  }

  @ParameterizedTest
  @CsvSource({
    "PT-1S,0.0s",
    "PT0S,0.0s",
    "PT3.29S,3.2s",
    "PT59.9S,59s",
    "PT60S,1m00s",
    "PT59M59S,59m59s",
    "PT3H5M,3h05m",
    "P12DT3H,12d03h"
  })
  void age_anyTime_isRoundedDown(String time, String text) {
    assertThat(HumanUnits.age(Duration.parse(time))).isEqualTo(text);
  }
}
