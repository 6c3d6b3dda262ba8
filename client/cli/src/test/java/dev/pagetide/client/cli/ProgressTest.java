package dev.pagetide.client.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/** What long work says of itself, and where it says nothing. */
final class ProgressTest {
  private static final String CLEARED = "\r\u001b[K";

  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  private CommandIo io(boolean outTerminal, boolean errTerminal) {
    PrintStream out = new PrintStream(err, true, StandardCharsets.UTF_8);
    return new CommandIo(
        InputStream.nullInputStream(), out, out, Map.of(), outTerminal, outTerminal, errTerminal);
  }

  private String said() {
    return err.toString(StandardCharsets.UTF_8);
  }

  @Test
  void begin_longWorkOnATerminal_tellsAndClearsTheLine() {
    try (Progress progress = Progress.begin(io(true, true), "moving", 4096, 0)) {
      progress.at(1024);
      await().until(() -> said().contains("moving: 1 KiB of 4 KiB, 25 %, "));
      progress.at(2048);
      await().until(() -> said().contains("moving: 2 KiB of 4 KiB, 50 %, "));
    }

    assertThat(said()).startsWith(CLEARED).endsWith(CLEARED).doesNotContain("\n");
  }

  @Test
  void begin_workDoneAtOnce_saysNothing() {
    Progress.begin(io(true, true), "moving", 4096, Long.MAX_VALUE).close();

    assertThat(said()).isEmpty();
  }

  @Test
  void begin_noTerminal_startsNoThread() {
    Awaitility.await().until(() -> tellers() == 0); // those of other tests end in their own time
    try (Progress progress = Progress.begin(io(false, false), "moving", 4096);
        Progress other = Progress.besideOutput(io(true, true), "moving", 4096)) {
      progress.at(1);
      other.at(1);

      assertThat(tellers()).isZero();
    }
    assertThat(said()).isEmpty();
  }

  private static long tellers() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().equals("progress"))
        .count();
  }

  @Test
  void line_unknownTotal_tellsTheTimeOnly() {
    assertThat(Progress.line("waiting", 5, 0, Duration.ofSeconds(75))).isEqualTo("waiting, 1m15s");
    assertThat(Progress.line("moving", 3 << 20, 10 << 20, Duration.ofMillis(1_500)))
        .isEqualTo("moving: 3 MiB of 10 MiB, 30 %, 1.5s");
  }
}
