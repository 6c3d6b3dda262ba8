package dev.pagetide.client.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * No figure and no word depends on the locale that a process happens to be started in: the library
 * lives in other people's processes, so its code names the locale wherever Java would take the
 * default one.
 */
final class SourceLocaleTest {
  private static final List<Pattern> DEFAULT_LOCALE =
      List.of(
          Pattern.compile("(?:String\\.format|\\.printf|new Formatter)\\((?!\\s*Locale\\.ROOT\\b)"),
          Pattern.compile("DateTimeFormatter\\s*\\.ofPattern\\((?![^;]*\\bLocale\\.ROOT\\b)"),
          Pattern.compile("\\.formatted\\("),
          Pattern.compile("\\bMessageFormat\\b(?=\\s*[.(])"),
          Pattern.compile("\\bNumberFormat\\s*\\.get\\w*\\((?![^;]*\\bLocale\\.ROOT\\b)"),
          Pattern.compile("new DecimalFormat\\((?![^;]*\\bLocale\\.ROOT\\b)"),
          Pattern.compile("\\.to(?:Upper|Lower)Case\\(\\s*\\)"));

  private static List<String> found(String source) {
    return DEFAULT_LOCALE.stream()
        .flatMap(pattern -> pattern.matcher(source).results())
        .map(MatchResult::group)
        .toList();
  }

  @Test
  void found_eachWayToTakeTheDefaultLocale_isSeen() {
    for (String bad :
        List.of(
            "String.format(\"%d\", 1);",
            "String.format(\n    \"%d\", 1);",
            "out.printf(\"%d\", 1);",
            "\"%d\".formatted(1);",
            "\"%d\"\n    .formatted(1);",
            "name.toUpperCase();",
            "name.toLowerCase();",
            "MessageFormat.format(\"{0}\", 1);",
            "new MessageFormat(\"{0}\");",
            "NumberFormat.getInstance();",
            "NumberFormat.getPercentInstance(Locale.getDefault());",
            "new DecimalFormat(\"0.0\");",
            "DateTimeFormatter.ofPattern(\"HH\");")) {
      assertThat(found(bad)).as(bad).hasSize(1);
    }
    for (String good :
        List.of(
            "String.format(Locale.ROOT, \"%d\", 1);",
            "out.printf(\n    Locale.ROOT, \"%d\", 1);",
            "name.toUpperCase(java.util.Locale.ROOT);",
            "name.toUpperCase(Locale.ROOT);",
            "TIME.format(last);",
            "} catch (NumberFormatException e) {",
            "NumberFormat.getInstance(Locale.ROOT);",
            "new DecimalFormat(\"0.0\", DecimalFormatSymbols.getInstance(Locale.ROOT));",
            "DateTimeFormatter.ofPattern(\"HH\", Locale.ROOT);")) {
      assertThat(found(good)).as(good).isEmpty();
    }
  }

  @Test
  void sources_ofEachModule_takeNoDefaultLocale() throws IOException {
    List<String> offences = new ArrayList<>();
    int files = 0;
    for (String name : List.of("client/cli", "client/library", "proto", "server")) {
      Path module = Path.of("../..", name, "src/main/java");
      assertThat(module).isDirectory();
      try (Stream<Path> sources = Files.walk(module)) {
        for (Path source : sources.filter(path -> path.toString().endsWith(".java")).toList()) {
          files++;
          found(Files.readString(source)).forEach(hit -> offences.add(source + ": " + hit));
        }
      }
    }

    assertThat(offences).as("give Locale.ROOT, or put the text together with +").isEmpty();
    assertThat(files).isGreaterThan(300);
  }
}
