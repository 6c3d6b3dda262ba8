package dev.pagetide.client.cli.top;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.jline.terminal.Size;
import org.junit.jupiter.api.Test;

/** Terminals that tell no size, and times that no clock counts to. */
final class TopSizesTest {
  @Test
  void usable_sizeThatIsNotTold_isTheUsualOne() {
    assertThat(TopScreen.usable(Size.of(0, 0))).isEqualTo(Size.of(80, 24));
    assertThat(TopScreen.usable(Size.of(0, 50))).isEqualTo(Size.of(80, 50));
    assertThat(TopScreen.usable(Size.of(132, 0))).isEqualTo(Size.of(132, 24));
    assertThat(TopScreen.usable(Size.of(3, 1))).isEqualTo(Size.of(3, 1));
  }

  @Test
  void nanos_anyInterval_canBeAddedToTheClock() {
    Duration longest = Duration.ofHours(999_999_999);

    assertThat(TopCommand.nanos(Duration.ofMillis(100))).isEqualTo(100_000_000);
    assertThat(TopCommand.nanos(longest)).isBetween(1L << 61, Long.MAX_VALUE / 2);
  }
}
