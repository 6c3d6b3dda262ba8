package dev.pagetide.client.cli;

import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code pagetide help}: the same as {@code --help}, because many people try it first. */
@Command(name = "help", description = "Say what there is, or how to use one command.")
final class HelpCommand implements Runnable {

  @Spec
  @SuppressWarnings("NullAway.Init") // picocli sets it
  private CommandSpec spec;

  @Parameters(
      arity = "0..1",
      paramLabel = "COMMAND",
      description = "The command to explain (default: all of them, in a line each).")
  private @Nullable String command;

  @Override
  public void run() {
    CommandLine shown = Commands.named(spec, command);
    shown.usage(shown.getOut());
  }
}
