package dev.pagetide.client.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.testkit.Requires;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the command line says about itself: help, completion, manual pages. */
final class CommandTextsTest {

  private static final List<String> COMMANDS =
      List.of(
          "demo",
          "open",
          "use",
          "stop",
          "read",
          "write",
          "zero",
          "range",
          "shrink",
          "count",
          "ranges",
          "top",
          "receive",
          "send",
          "help",
          "completion",
          "man");

  @TempDir Path temporary = Path.of("");

  @Test
  void help_ofACommand_isWhatItsOptionSays() {
    assertThat(CommandRun.of("help", "use").out())
        .isEqualTo(CommandRun.of("use", "--help").out())
        .contains("Usage: pagetide use");
    assertThat(CommandRun.of("help").out()).isEqualTo(CommandRun.of("--help").out());
  }

  @ParameterizedTest
  @ValueSource(strings = {"help", "man"})
  void text_unknownCommand_isMisuse(String asked) {
    CommandRun run = CommandRun.of(asked, "nonsense");

    assertThat(run.status()).isEqualTo(2);
    assertThat(run.err())
        .isEqualTo(
            "pagetide: there is no command 'nonsense'; 'pagetide help' lists them; see 'pagetide "
                + asked
                + " --help'\n");
  }

  @Test
  void man_everyCommand_hasItsOptionsAndNoStrayRequest() {
    for (String command : COMMANDS) {
      CommandRun page = CommandRun.of("man", command);

      assertThat(page.err()).as(command).isEmpty();
      assertThat(page.out())
          .as(command)
          .startsWith(".TH \"PAGETIDE\\-" + command.toUpperCase(java.util.Locale.ROOT) + "\" \"1\"")
          .contains(
              ".SH \"NAME\"",
              ".SH \"SYNOPSIS\"",
              option(command, "\n\\-\\-dir=DIR\n", "\n\\-\\-stay\n"),
              ".SH \"SEE ALSO\"")
          .doesNotContain("${", "\u001b", "@|");
      assertThat(page.out().lines().filter(line -> line.startsWith(".") || line.startsWith("'")))
          .as(command)
          .allMatch(line -> line.matches("\\.(TH|SH) .*|\\.(TP|PP|nf|fi)"));
    }
    assertThat(CommandRun.of("man").out())
        .contains(".SH \"COMMANDS\"", "\nranges\n", "Exit status")
        .doesNotContain("demo\\-client");
  }

  /** The demo starts a server of its own, so it has none of the options that name one. */
  private static String option(String command, String ofAll, String ofTheDemo) {
    return command.equals("demo") ? ofTheDemo : ofAll;
  }

  @Tag(Requires.TAG)
  @Test
  void man_readByGroff_hasNoWarningAndTheOptions() throws IOException, InterruptedException {
    Path groff = Requires.command("groff", "it sets manual pages");
    for (String command : COMMANDS) {
      Path page = Files.writeString(temporary.resolve("page"), CommandRun.of("man", command).out());

      Process process =
          new ProcessBuilder(
                  groff.toString(),
                  "-man",
                  "-Tascii",
                  "-ww",
                  "-P-c",
                  "-P-b",
                  "-P-u",
                  page.toString())
              .redirectErrorStream(true)
              .start();
      String set = new String(process.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);

      assertThat(process.waitFor()).isZero();
      assertThat(set)
          .as(command)
          .contains("NAME", option(command, "--dir=DIR", "--stay"))
          .doesNotContain("warning");
    }
  }

  @Tag(Requires.TAG)
  @Test
  void completion_bash_completesCommandsAndOptions() throws IOException, InterruptedException {
    Path bash = Requires.command("bash", "its completion is tried");
    Path script =
        Files.writeString(temporary.resolve("script"), CommandRun.of("completion", "bash").out());

    assertThat(completions(bash, script, "ran")).containsExactly("range", "ranges");
    assertThat(completions(bash, script, "open", "--acc")).containsExactly("--access");
    assertThat(completions(bash, script, "open", "--access", "s")).containsExactly("shared");
    assertThat(completions(bash, script, "dem")).containsExactly("demo");
  }

  @Test
  void completion_zsh_loadsWhatBashsScriptNeeds() {
    assertThat(CommandRun.of("completion", "zsh").out())
        .startsWith("#compdef pagetide\n")
        .contains("bashcompinit", CommandRun.of("completion", "bash").out());
    assertThat(CommandRun.of("completion", "fish").status()).isEqualTo(2);
  }

  private List<String> completions(Path bash, Path script, String... words)
      throws IOException, InterruptedException {
    String line =
        "source %s; COMP_WORDS=(pagetide %s); COMP_CWORD=%s; _complete_pagetide;"
                .formatted(script, String.join(" ", words), Integer.toString(words.length))
            + " printf '%s\\n' \"${COMPREPLY[@]}\"";
    Process process = new ProcessBuilder(bash.toString(), "-c", line).start();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    String err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(err).isZero();
    return out.lines().map(String::strip).sorted().toList();
  }
}
