package dev.pagetide.client.cli;

import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/** Finds commands for the subcommands that write about commands. */
final class Commands {

  private Commands() {}

  /**
   * The command of that name.
   *
   * @param asking the subcommand that needs it
   * @param name null: {@code pagetide} itself
   * @throws ParameterException if there is none
   */
  static CommandLine named(CommandSpec asking, @Nullable String name) {
    CommandLine all = asking.parent().commandLine();
    if (name == null) {
      return all;
    }
    CommandLine found = all.getSubcommands().get(name);
    if (found == null) {
      throw new ParameterException(
          asking.commandLine(), "there is no command '" + name + "'; 'pagetide help' lists them");
    }
    return found;
  }
}
