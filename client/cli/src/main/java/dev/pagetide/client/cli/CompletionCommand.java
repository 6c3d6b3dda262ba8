package dev.pagetide.client.cli;

import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code pagetide completion}: the script with which a shell completes commands and options. */
@Command(
    name = "completion",
    description = {
      "Print a script that completes commands and options in a shell.",
      "For this shell: source <(pagetide completion bash)",
      "For every one: pagetide completion bash >"
          + " ~/.local/share/bash-completion/completions/pagetide"
    })
final class CompletionCommand implements Runnable {

  private enum Shell {
    BASH,
    ZSH;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** Makes zsh understand bash's scripts. */
  private static final String ZSH_HEAD =
      """
      #compdef pagetide
      autoload -U +X compinit && compinit
      autoload -U +X bashcompinit && bashcompinit
      """;

  /** The words of an enumeration, which people write in lower case. */
  private static final Pattern VALUES =
      Pattern.compile("(?<=_(?:option|pos_param)_args=)\\(\"[^)\\n]*\\)");

  @Spec
  @SuppressWarnings("NullAway.Init") // picocli sets it
  private CommandSpec spec;

  @Parameters(paramLabel = "SHELL", description = "${COMPLETION-CANDIDATES}.")
  private Shell shell = Shell.BASH;

  @Override
  public void run() {
    CommandLine all = spec.parent().commandLine();
    // The demo's own processes are not for people to start.
    for (CommandLine command : List.copyOf(all.getSubcommands().values())) {
      if (command.getCommandSpec().usageMessage().hidden()) {
        all.getCommandSpec().removeSubcommand(command.getCommandName());
      }
    }
    String script =
        VALUES
            .matcher(AutoComplete.bash("pagetide", all))
            .replaceAll(
                values -> Matcher.quoteReplacement(values.group().toLowerCase(Locale.ROOT)));
    all.getOut().print(shell == Shell.ZSH ? ZSH_HEAD + script : script);
    all.getOut().flush();
  }
}
