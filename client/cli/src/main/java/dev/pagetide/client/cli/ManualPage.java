package dev.pagetide.client.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Help;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.UsageMessageSpec;

/** A command's manual page in the language of man(7), with the same words as its {@code --help}. */
final class ManualPage {

  private static final String SECTION = "1";

  private final CommandLine command;
  private final CommandSpec spec;
  private final UsageMessageSpec usage;
  private final StringBuilder page = new StringBuilder();

  ManualPage(CommandLine command) {
    this.command = command;
    this.spec = command.getCommandSpec();
    this.usage = spec.usageMessage();
  }

  /** The page's text. */
  String text() {
    String name = spec.qualifiedName("-");
    request("TH", name.toUpperCase(Locale.ROOT), SECTION, "", version(), "Pagetide");
    section("NAME");
    List<String> description = lines(usage.description());
    line(name + " \\- ", description.isEmpty() ? "" : description.getFirst());
    section("SYNOPSIS");
    page.append(".nf\n");
    command
        .getHelp()
        .synopsis(0)
        .lines()
        .map(String::stripTrailing)
        .forEach(synopsis -> line("", synopsis));
    page.append(".fi\n");
    section("DESCRIPTION");
    for (String paragraph : description) {
      line("", paragraph);
      page.append(".PP\n");
    }
    arguments("ARGUMENTS", spec.positionalParameters());
    arguments("OPTIONS", spec.options());
    commands();
    footer();
    seeAlso();
    return page.toString();
  }

  private String version() {
    String[] version = spec.root().version();
    return version.length == 0 ? "" : version[0];
  }

  private void arguments(String title, List<? extends ArgSpec> arguments) {
    List<? extends ArgSpec> shown = arguments.stream().filter(a -> !a.hidden()).toList();
    if (shown.isEmpty()) {
      return;
    }
    section(title);
    for (ArgSpec argument : shown) {
      page.append(".TP\n");
      line("", names(argument));
      lines(argument.description()).forEach(text -> line("", filled(argument, text)));
    }
  }

  private static String names(ArgSpec argument) {
    String value = argument.arity().max() == 0 ? "" : argument.paramLabel();
    if (!(argument instanceof OptionSpec option)) {
      return value;
    }
    String names = String.join(", ", option.names());
    return value.isEmpty() ? names : names + "=" + value;
  }

  /** A description after picocli's variables in it were replaced. */
  private static String filled(ArgSpec argument, String text) {
    Iterable<String> candidates = argument.completionCandidates();
    List<String> values = new ArrayList<>();
    if (candidates != null) {
      candidates.forEach(values::add);
    }
    return text.replace("${COMPLETION-CANDIDATES}", String.join(", ", values));
  }

  private void commands() {
    List<CommandSpec> shown = shownCommands(spec);
    if (shown.isEmpty()) {
      return;
    }
    section("COMMANDS");
    for (CommandSpec sub : shown) {
      page.append(".TP\n");
      line("", sub.name());
      lines(sub.usageMessage().description()).stream().limit(1).forEach(text -> line("", text));
    }
  }

  private static List<CommandSpec> shownCommands(CommandSpec of) {
    return of.subcommands().values().stream()
        .map(CommandLine::getCommandSpec)
        .filter(sub -> !sub.usageMessage().hidden())
        .toList();
  }

  /** The footer, with its line breaks, because it contains tables. */
  private void footer() {
    List<String> footer = lines(usage.footer());
    if (footer.stream().allMatch(String::isBlank)) {
      return;
    }
    section("NOTES");
    page.append(".nf\n");
    footer.stream().dropWhile(String::isBlank).forEach(text -> line("", text));
    page.append(".fi\n");
  }

  private void seeAlso() {
    String others =
        spec.parent() == null
            ? shownCommands(spec).stream()
                .map(sub -> sub.qualifiedName("-"))
                .collect(Collectors.joining("(1), "))
            : spec.root().name();
    section("SEE ALSO");
    line("", others + "(" + SECTION + ")");
  }

  private static List<String> lines(String[] texts) {
    return Stream.of(texts).map(text -> Help.Ansi.OFF.string(text)).toList();
  }

  private void section(String title) {
    request("SH", title);
  }

  private void request(String name, String... arguments) {
    page.append('.').append(name);
    for (String argument : arguments) {
      page.append(" \"").append(escaped(argument)).append('"');
    }
    page.append('\n');
  }

  /** A line of text. It is never a request, whatever characters it begins with. */
  private void line(String roff, String text) {
    page.append(roff.isEmpty() && (text.startsWith(".") || text.startsWith("'")) ? "\\&" : roff)
        .append(escaped(text))
        .append('\n');
  }

  private static String escaped(String text) {
    return text.replace("\\", "\\e").replace("-", "\\-").replace("\"", "\\(dq");
  }
}
