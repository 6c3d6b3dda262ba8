package dev.pagetide.client.cli.top;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.client.OpenOptions;
import dev.pagetide.client.PageRange;
import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.ReceiverOptions;
import dev.pagetide.client.ServerProcess;
import dev.pagetide.client.ShrinkerClient;
import dev.pagetide.testkit.Requires;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code pagetide top} as a person sees it: in a real terminal, of a real server under load. */
@Tag(Requires.TAG)
final class TopTerminalTest {
  /** As bad as the server lets through: breaks the line, and has signs of nobody knows what. */
  private static final String HOSTILE = "evil\u2028\ue000\\e[2J";

  private static final String HOSTILE_SHOWN = "evil\\u{2028}\\u{e000}\\\\e[2J";
  private static final Pattern UNDER_LOAD =
      Pattern.compile("Reclaimed  [1-9]\\S* pages/s: .*request [1-9]");

  @TempDir Path temporary = Path.of("");

  @AutoClose
  @SuppressWarnings("NullAway.Init")
  private ServerProcess server;

  private final List<AutoCloseable> opened = new ArrayList<>();
  private final ScheduledExecutorService load =
      Executors.newSingleThreadScheduledExecutor(
          task -> Thread.ofPlatform().daemon().unstarted(task));

  @BeforeEach
  void startServer() throws IOException {
    server = ServerProcess.start("--max-resident-bytes", "3MiB", "--pressure", "off");
  }

  @AfterEach
  void endAll() throws Exception {
    load.shutdownNow();
    assertThat(load.awaitTermination(1, TimeUnit.MINUTES)).isTrue();
    for (AutoCloseable each : opened.reversed()) {
      each.close();
    }
    server.close();
  }

  private <C extends AutoCloseable> C keep(C it) {
    opened.add(it);
    return it;
  }

  /** Sessions that hold some pages, and use, stop and lose others all the time; and a receiver. */
  private void load(String... names) {
    PagetideClient client = keep(PagetideClient.connect(server.directory()));
    int held = 0;
    for (String name : names) {
      held += 24;
      PageRange range = keep(client.open(new OpenOptions(name, 1 << 20)));
      int start = held;
      var _ = range.useRange(0, start);
      repeat(10, () -> range.use(start, start + 64).close());
    }
    var _ = keep(client.openReceiver(ReceiverOptions.named("inbox"), _ -> {}));
    repeat(20, () -> client.shrinker().scan(8, ShrinkerClient.ALL_RANGES, false));
  }

  /** Does it again and again, until it fails because the server is gone. */
  private void repeat(int pauseMillis, Runnable task) {
    var _ = load.scheduleWithFixedDelay(task, 0, pauseMillis, TimeUnit.MILLISECONDS);
  }

  /** A terminal with {@code top} in it, and a shell that tells how it ended. */
  private TmuxTerminal top(int columns, int rows) throws IOException {
    return top(columns, rows, "--interval 200ms");
  }

  private TmuxTerminal top(int columns, int rows, String options) throws IOException {
    String command =
        String.join(
            " ",
            System.getProperty("java.home") + File.separator + "bin" + File.separator + "java",
            "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC --enable-native-access=ALL-UNNAMED",
            "-cp '" + System.getProperty("java.class.path") + "'",
            "dev.pagetide.client.cli.Pagetide --dir",
            server.directory().toString(),
            "top",
            options);
    Path script = temporary.resolve("run.sh");
    Files.writeString(
        script,
        """
        echo before
        sh -c 'echo $$ > %s; exec "$@"' sh %s
        echo "ended $?"
        stty -a | grep -ow -e '-*icanon' -e '-*echo'
        cat
        """
            .formatted(pidFile(), command));
    return keep(TmuxTerminal.start(columns, rows, "sh " + script));
  }

  private Path pidFile() {
    return temporary.resolve("pid");
  }

  /** What is where on a screen without a line that wrapped. */
  private static void assertLaidOut(List<String> screen, int columns, int rows, int ranges) {
    assertThat(screen).hasSize(rows);
    assertThat(screen).allSatisfy(line -> assertThat(line).hasSizeLessThanOrEqualTo(columns));
    assertThat(screen.get(0)).startsWith("pagetide top  ");
    assertThat(screen.get(1)).startsWith("Memory     █").endsWith(" %)");
    assertThat(screen.get(3)).startsWith("Sessions   " + ranges + " ");
    assertThat(screen.get(6)).startsWith("RANGE").endsWith("NAME");
    assertThat(screen.subList(7, 7 + ranges)).allMatch(line -> line.matches(" +\\d+ +\\d+ .*"));
    assertThat(screen.get(7 + ranges)).isEmpty();
    assertThat(screen.get(rows - 1)).startsWith("1-" + ranges + " of " + ranges + "  sorted by ");
  }

  private static List<String> names(List<String> screen, int ranges) {
    return screen.subList(7, 7 + ranges).stream()
        .map(line -> line.substring(line.lastIndexOf(' ') + 1))
        .toList();
  }

  private static boolean holds(List<String> screen, Pattern pattern) {
    return screen.stream().anyMatch(line -> pattern.matcher(line).find());
  }

  @Test
  void top_underLoad_fits80x24And200x60AndFollowsKeys() throws Exception {
    load("alpha", HOSTILE);
    TmuxTerminal terminal = top(80, 24);

    List<String> small = terminal.awaitScreen("load", screen -> holds(screen, UNDER_LOAD));
    assertLaidOut(small, 80, 24, 3);
    assertThat(small.get(6)).contains("STRAY CONTR OLDEST", "USED▾");
    assertThat(names(small, 3))
        .satisfiesExactly(
            name -> {
              assertThat(name).startsWith("evil\\u").endsWith("…");
              assertThat(HOSTILE_SHOWN).startsWith(name.substring(0, name.length() - 1));
            },
            name -> assertThat(name).isEqualTo("alpha"),
            name -> assertThat(name).isEqualTo("inbox"));
    assertThat(terminal.modes()).isEqualTo("010");

    terminal.resize(200, 60);
    List<String> large = terminal.awaitText("HIGH");
    assertLaidOut(large, 200, 60, 3);
    assertThat(names(large, 3)).containsExactly(HOSTILE_SHOWN, "alpha", "inbox");
    assertThat(large.get(7)).containsPattern("█{4,}▒*·{4,}");

    terminal.press("r");
    terminal.awaitScreen("reversed", screen -> names(screen, 3).getFirst().equals("inbox"));
    terminal.press("<");
    terminal.awaitText("sorted by available");
    terminal.press("Right");
    terminal.awaitText("sorted by used");
    terminal.press("h");
    assertThat(terminal.awaitText("reverse the order")).noneMatch(line -> line.contains("alpha"));
    terminal.press("h");
    terminal.awaitText("alpha");

    terminal.resize(50, 9);
    List<String> narrow =
        terminal.awaitScreen(
            "nine rows", screen -> screen.size() == 9 && screen.get(8).startsWith("1-1 of 3"));
    assertThat(narrow.get(6)).startsWith("RANGE").contains("USED").doesNotContain("MODE");
    terminal.press("Down");
    terminal.awaitText("2-2 of 3");
    terminal.press("PageDown");
    terminal.awaitText("3-3 of 3");
    terminal.press("Home");
    terminal.awaitText("1-1 of 3");

    terminal.press("q");
    assertGivenBack(terminal, "ended 0");
  }

  private static void assertGivenBack(TmuxTerminal terminal, String ending) throws IOException {
    List<String> screen =
        terminal.awaitScreen(ending, lines -> lines.contains("icanon") && lines.contains("echo"));
    assertThat(screen.stream().filter(line -> !line.isEmpty()))
        .startsWith("before", ending)
        .hasSize(4);
    assertThat(terminal.modes()).isEqualTo("101");
  }

  @Test
  void top_serverGoneAndBack_saysSoAndRecovers() throws Exception {
    load("alpha");
    TmuxTerminal terminal = top(80, 24);
    terminal.awaitText("alpha");

    server.kill();

    List<String> gone = terminal.awaitText("no server listens at ");
    assertThat(gone.get(5)).startsWith("NO ANSWER for ").endsWith("…").hasSize(80);
    assertThat(gone).anyMatch(line -> line.endsWith("alpha"));
    terminal.press("<");
    terminal.awaitText("sorted by available");

    server.startAgain();

    List<String> back = terminal.awaitText("Sessions   0");
    assertThat(back).noneMatch(line -> line.contains("NO ANSWER"));
    assertThat(back.getLast()).startsWith("no ranges");
    terminal.press("C-c");
    assertGivenBack(terminal, "ended 0");
  }

  @Test
  void top_terminated_givesTheTerminalBack() throws Exception {
    TmuxTerminal terminal = top(80, 24);
    terminal.awaitText("Sessions   0");
    terminal.press("C-z"); // would leave a terminal that nobody can use
    terminal.press("r");
    terminal.awaitText("USED▴");

    ProcessHandle top =
        ProcessHandle.of(Long.parseLong(Files.readString(pidFile()).strip())).orElseThrow();
    assertThat(top.destroy()).isTrue();

    assertGivenBack(terminal, "ended 143");
  }

  @Test
  void once_inATerminal_fitsItsWidthAndLeavesItAsItWas() throws Exception {
    load("a-name-much-too-long-for-this-terminal");
    TmuxTerminal terminal = top(60, 24, "--once");

    List<String> screen = terminal.awaitScreen("its end", lines -> lines.contains("icanon"));

    assertThat(screen).startsWith("before");
    assertThat(screen.get(7)).startsWith("RANGE").endsWith("NAME");
    assertThat(screen.get(8)).contains(" a-nam").endsWith("…").hasSizeLessThanOrEqualTo(60);
    assertThat(screen.subList(9, 13))
        .satisfiesExactly(
            line -> assertThat(line).endsWith(" inbox"),
            line -> assertThat(line).isEqualTo("ended 0"),
            line -> assertThat(line).isEqualTo("icanon"),
            line -> assertThat(line).isEqualTo("echo"));
    assertThat(terminal.modes()).isEqualTo("101");
  }

  /** With {@code -Dpagetide.images=DIR} also for the README. */
  @Test
  void top_screenOfSomeSessions_isAPictureOfTextAndBars() throws Exception {
    load("thumbnails", "search-index", "render", HOSTILE);
    TmuxTerminal terminal = top(110, 20);
    terminal.awaitScreen("load", screen -> holds(screen, UNDER_LOAD));

    List<String> screen =
        terminal.colouredScreen().stream()
            .map(line -> line.replace(server.directory().toString(), "/run/pagetide"))
            .toList();
    String picture = ScreenPicture.of(screen, 110);

    assertThat(picture)
        .startsWith("<svg ")
        .contains(">thumbnails</text>", ">" + HOSTILE_SHOWN + "</text>", ">resident</text>")
        .contains("#ffaf00", "#0087ff")
        .doesNotContain("\u001b", "\u2028")
        .hasSizeLessThan(64 << 10);
    String images = System.getProperty("pagetide.images");
    if (images != null) {
      Files.writeString(Path.of(images, "top.svg"), picture);
    }
  }
}
