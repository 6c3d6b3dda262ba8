package dev.pagetide.client.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.client.cli.top.TmuxTerminal;
import dev.pagetide.testkit.Requires;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Progress in a real terminal: seen while work lasts, gone when it is done. */
@Tag(Requires.TAG)
final class ProgressTerminalTest {
  @TempDir Path temporary = Path.of("");

  @Test
  void send_inputThatTakesItsTime_tellsOnTheTerminalAndNowhereElse() throws IOException {
    Path script = temporary.resolve("run.sh");
    String send =
        "%s/bin/java --enable-native-access=ALL-UNNAMED -cp '%s' %s --dir %s/absent send nobody"
            .formatted(
                System.getProperty("java.home"),
                System.getProperty("java.class.path"),
                Pagetide.class.getName(),
                temporary);
    Files.writeString(
        script,
        """
        stty -echo
        echo before
        cat | %s
        echo "ended $?"
        cat | %s 2> %s/err
        echo "ended $?"
        cat
        """
            .formatted(send, send, temporary));
    try (TmuxTerminal terminal = TmuxTerminal.start(100, 24, "sh " + script)) {
      List<String> reading = terminal.awaitText("reading standard input, ");
      assertThat(reading.get(1)).matches("reading standard input, \\d+\\.?\\d*s");

      terminal.press("C-d");
      terminal.awaitText("ended 1");
      terminal.press("C-d");
      List<String> ended =
          terminal.awaitScreen(
              "the second end", screen -> screen.stream().filter("ended 1"::equals).count() == 2);

      assertThat(ended.getFirst()).isEqualTo("before");
      assertThat(ended.get(1)).startsWith("pagetide: ");
      assertThat(ended).noneMatch(line -> line.contains("reading standard input"));
      assertThat(temporary.resolve("err")).content().startsWith("pagetide: ").hasLineCount(1);
    }
  }
}
