package dev.pagetide.client.cli;

import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code pagetide man}: a manual page with the content of {@code --help}. */
@Command(
    name = "man",
    description = {
      "Print a manual page, as man reads it.",
      "To read one: pagetide man use | man -l -",
      "To install one: pagetide man use > /usr/local/share/man/man1/pagetide-use.1"
    })
final class ManCommand implements Runnable {

  @Spec
  @SuppressWarnings("NullAway.Init") // picocli sets it
  private CommandSpec spec;

  @Parameters(
      arity = "0..1",
      paramLabel = "COMMAND",
      description = "The command whose page it is (default: pagetide's own).")
  private @Nullable String command;

  @Override
  public void run() {
    CommandLine shown = Commands.named(spec, command);
    shown.getOut().print(new ManualPage(shown).text());
    shown.getOut().flush();
  }
}
