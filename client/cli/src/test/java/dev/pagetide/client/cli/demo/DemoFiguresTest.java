package dev.pagetide.client.cli.demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the demo makes of its measurements. */
final class DemoFiguresTest {

  @ParameterizedTest
  @CsvSource({
    "0.04,0.0 ns",
    "9.94,9.9 ns",
    "9.96,10 ns",
    "48.4,48 ns",
    "999.4,999 ns",
    "999.6,1.0 us",
    "2952767,3.0 ms",
    "3996000,4.0 ms",
    "210400,210 us",
    "7e12,7000 s"
  })
  void time_anyNanoseconds_haveAUnitThatSuitsThem(double nanos, String text) {
    assertThat(DemoFigures.time(nanos)).isEqualTo(text);
  }

  @ParameterizedTest
  @CsvSource({
    "1048576,2184533,480 MB/s",
    "1048576,740000,1.4 GB/s",
    "1,1e9,1.0 B/s",
    "1000,1e9,1.0 kB/s"
  })
  void rate_bytesInATime_areToldASecond(long bytes, double nanos, String text) {
    assertThat(DemoFigures.rate(bytes, nanos)).isEqualTo(text);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {"0.94|0.9", "3.58|3.6", "9.96|10", "36.4|36", "4375|4,400", "123456|120,000"})
  void ratio_any_hasTwoDigits(double ratio, String text) {
    assertThat(DemoFigures.ratio(ratio)).isEqualTo(text);
  }

  @Test
  void summary_figures_standBesideWhatTheyAreComparedWith() {
    Summary summary = new Summary();
    summary.pairs(48, 210_000);
    summary.handed(1 << 20, 740_000, 2_184_533, 115_000);

    assertThat(summary.lines())
        .hasSize(3)
        .startsWith(
            "use + stop: 48 ns; asking the server: 210 us, 4,400 times as much",
            "1 MiB to another process: 1.4 GB/s; relayed gRPC: 480 MB/s; written, copied and"
                + " read in one process: 9.1 GB/s");
    assertThat(summary.ofHandedInDetail().get(1))
        .isEqualTo("relayed gRPC: 2.2 ms, 480 MB/s, 3.0 times as long");
  }

  @Test
  void median_slowFirstAndLastRounds_doNotCount() {
    // Time stands still but for what the work itself takes: 900 ns while cold, and once later.
    long[] now = {0};
    Deque<Long> taken = new ArrayDeque<>(List.of(900L, 900L, 10L, 11L, 12L, 900L, 13L));
    AtomicInteger rounds = new AtomicInteger();

    long median =
        WarmTiming.medianNanos(
            () -> now[0],
            Duration.ofNanos(1000),
            5,
            () -> {
              rounds.incrementAndGet();
              now[0] += taken.remove();
            });

    assertThat(rounds).as("two to warm up, five that count").hasValue(7);
    assertThat(median).isEqualTo(12);
  }
}
