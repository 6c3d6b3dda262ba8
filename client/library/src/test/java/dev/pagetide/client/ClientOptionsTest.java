package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import org.junit.jupiter.api.Test;

/** Which options are refused before anything is connected or opened. */
final class ClientOptionsTest {

  @Test
  void callTimeout_longerThanAnyClockCounts_isRefusedWithTheLongest() {
    assertThatThrownBy(
            () -> ClientOptions.DEFAULT.withCallTimeout(Duration.ofSeconds(Long.MAX_VALUE)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("callTimeout=PT2562047788015215H30M7S")
        .hasMessageContaining("PT876000H")
        .hasMessageContaining("LONGEST_CALL_TIMEOUT");
    assertThatThrownBy(() ->
            ClientOptions.DEFAULT.withCallTimeout(ClientOptions.LONGEST_CALL_TIMEOUT.plusNanos(1)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void callTimeout_longest_opensUsesAndAsks() {
    try (FakeServer server = new FakeServer();
        PagetideClient client =
            server.client(
                ClientOptions.DEFAULT.withCallTimeout(ClientOptions.LONGEST_CALL_TIMEOUT));
        PageRange range = client.open(OpenOptions.ofSize(1024));
        UsedPages pages = range.use(0, 2)) {
      assertThat(pages.fresh().isEmpty()).isTrue();
    }
  }
}
