package dev.pagetide.client.cli;

import java.time.Duration;
import java.time.format.DateTimeParseException;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Translates messages of server and library from the contract's words (rpcs and fields) to the
 * command line's words (commands and options).
 */
public final class CommandWords {

  /** The rpcs whose names are no ordinary words, and the commands that call them. */
  private static final Map<String, String> COMMANDS =
      Map.of(
          "OpenRange", "'pagetide open'",
          "UseRange", "'pagetide use'",
          "StopUsingRange", "'pagetide stop'",
          "FillZero", "'pagetide zero'",
          "GetRange", "'pagetide range'",
          "ListRanges", "'pagetide ranges'");

  private static final String ANY_RPC =
      "(?:OpenRange|UseRange|StopUsingRange|FillZero|GetRange|ListRanges|Read|Write|Count|Scan"
          + "|Exchange|Transact)";

  /** A phrase of the contract, and the phrase of the command line that replaces it. */
  private record Rule(Pattern contract, Function<MatchResult, String> command) {

    static Rule of(String contract, String command) {
      return new Rule(Pattern.compile(contract), _ -> command);
    }

    static Rule of(String contract, Function<MatchResult, String> command) {
      return new Rule(Pattern.compile(contract), command);
    }

    String apply(String text) {
      return contract
          .matcher(text)
          .replaceAll(match -> Matcher.quoteReplacement(command.apply(match)));
    }
  }

  private static final List<Rule> RULES =
      List.of(
          Rule.of("(^|: )" + ANY_RPC + ": ", said -> said.group(1)),
          Rule.of(
              "(^|: )" + ANY_RPC + " ended with (\\w+)",
              said -> said.group(1) + "the call ended with " + said.group(2)),
          Rule.of(
              "(within |timeout=|between | and )(PT[0-9HMS.]+)\\b",
              said -> said.group(1) + time(said.group(2))),
          Rule.of("OpenOptions\\.atMost, withSizeAtMost", "--at-most"),
          Rule.of(
              "call UseRange\\((\\d+), (\\d+)\\) before \\w+",
              said -> "run 'pagetide use " + said.group(1) + ".." + said.group(2) + "' first"),
          Rule.of(
              "pages \\[(\\d+), (\\d+)\\)",
              said -> "pages " + said.group(1) + ".." + said.group(2)),
          Rule.of("ask for end_page <= (\\d+)", said -> "name pages of 0.." + said.group(1)),
          Rule.of("ListRanges tells which there are", "'pagetide ranges' lists them"),
          Rule.of("ShrinkerService is", "this command is"),
          Rule.of(": open a range first", ": run 'pagetide open' first"),
          Rule.of("range_id=", "id "),
          Rule.of("timeout_ms=(\\d+)", said -> "--timeout " + said.group(1) + "ms"),
          Rule.of("size_bytes=", "--size "),
          Rule.of("size_bytes", "--size"),
          Rule.of(
              "\\b(" + String.join("|", COMMANDS.keySet()) + ")\\b",
              said -> String.valueOf(COMMANDS.get(said.group(1)))));

  private CommandWords() {}

  /** A time that Java writes as {@code PT1.5S}, as people write it. */
  private static String time(String iso) {
    try {
      Duration time = Duration.parse(iso);
      return time.toNanosPart() == 0 ? time.toSeconds() + " s" : time.toMillis() + " ms";
    } catch (DateTimeParseException e) {
      return iso; // not a time
    }
  }

  /** {@code message} in the command line's words. The caller escapes it before showing it. */
  public static String of(String message) {
    String text = message;
    for (Rule rule : RULES) {
      text = rule.apply(text);
    }
    return text;
  }
}
