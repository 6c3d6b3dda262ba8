package dev.pagetide.client.cli.top;

import static org.awaitility.Awaitility.await;

import dev.pagetide.testkit.Requires;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.UUID;
import java.util.function.Predicate;
import java.util.stream.Stream;

/** A real terminal of a size of one's choice, with one command in it: a tmux server of its own. */
public final class TmuxTerminal implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private final Path tmux;
  private final Path folder;
  private final String socket = "pagetide-" + UUID.randomUUID();

  private TmuxTerminal(Path tmux) throws IOException {
    this.tmux = tmux;
    // tmux leaves its socket behind; and its path has at most 107 bytes.
    this.folder = Files.createTempDirectory(Path.of("/tmp"), "pt-tmux-");
  }

  /** Starts a terminal whose shell runs {@code script}. */
  public static TmuxTerminal start(int columns, int rows, String script) throws IOException {
    TmuxTerminal terminal = new TmuxTerminal(Requires.command("tmux", "a terminal to draw on"));
    terminal.tell(
        "new-session", "-d", "-x", Integer.toString(columns), "-y", Integer.toString(rows), script);
    return terminal;
  }

  /** What is on the screen: its rows without the spaces at their ends. */
  public List<String> screen() throws IOException {
    return tell("capture-pane", "-p").lines().toList();
  }

  /** The same with its colours, as escape sequences. */
  List<String> colouredScreen() throws IOException {
    return tell("capture-pane", "-p", "-e", "-N").lines().toList();
  }

  /** Waits until the screen is as it should be; tells it. */
  public List<String> awaitScreen(String what, Predicate<List<String>> wanted) {
    return await(what).atMost(PATIENCE).until(this::screen, wanted);
  }

  /** Waits until a line of the screen holds that. */
  public List<String> awaitText(String text) {
    return awaitScreen(text, lines -> lines.stream().anyMatch(line -> line.contains(text)));
  }

  /** Presses a key, named as tmux names it. */
  public void press(String key) throws IOException {
    tell("send-keys", key);
  }

  void resize(int columns, int rows) throws IOException {
    tell("resize-window", "-x", Integer.toString(columns), "-y", Integer.toString(rows));
  }

  /** Whether the cursor is shown, the alternate screen is, and lines wrap: a digit each. */
  String modes() throws IOException {
    return tell("display-message", "-p", "#{cursor_flag}#{alternate_on}#{wrap_flag}").strip();
  }

  private String tell(String... command) throws IOException {
    List<String> line =
        new ArrayList<>(List.of(tmux.toString(), "-u", "-L", socket, "-f", "/dev/null"));
    line.addAll(List.of(command));
    ProcessBuilder builder = new ProcessBuilder(line).redirectErrorStream(true);
    builder.environment().put("LC_ALL", "C.UTF-8");
    builder.environment().put("TMUX_TMPDIR", folder.toString());
    builder.environment().remove("TMUX");
    builder.environment().remove("NO_COLOR");
    Process process = builder.start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (process.onExit().join().exitValue() != 0) {
      throw new IOException(String.join(" ", command) + ": " + said);
    }
    return said;
  }

  /** Ends the terminal and what runs in it. */
  @Override
  public void close() throws IOException {
    try {
      tell("kill-server");
    } finally {
      try (Stream<Path> paths = Files.walk(folder)) {
        for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
          Files.deleteIfExists(path);
        }
      }
    }
  }
}
