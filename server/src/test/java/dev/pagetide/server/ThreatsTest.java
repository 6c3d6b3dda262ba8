package dev.pagetide.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** THREATS.md, each of whose lines names the tests that show it. */
final class ThreatsTest {
  private static final Path TOP = Path.of("..");
  private static final Path THREATS = Path.of("docs", "THREATS.md");

  /**
   * A test, such as `XTest`, `XTest.method` or `XTest.beginningOfMethods_*`; or one of promtool.
   */
  private static final Pattern CITED =
      Pattern.compile("`(?:(\\w+Test)(?:\\.(\\w+)(\\*)?)?|(\\w+\\.test\\.yml))`");

  /** A method of the test that the same line has named before. */
  private static final Pattern METHOD = Pattern.compile("`([a-z]+[A-Z]?\\w*_\\w*[A-Z]\\w*)`");

  @Test
  void threats_eachLine_namesTestsThatExist() throws IOException {
    List<Path> files = files();
    Set<String> missing = new TreeSet<>();
    int lines = 0;

    for (String line : Files.readAllLines(THREATS)) {
      if (line.startsWith("| ") && !line.startsWith("| who ") && !line.startsWith("| ---")) {
        lines++;
        List<MatchResult> cited = CITED.matcher(line).results().toList();
        if (cited.isEmpty()) {
          missing.add("no test: " + line);
        }
        cited.stream().filter(one -> !exists(files, one)).forEach(one -> missing.add(one.group()));
        missing.addAll(missingMethods(files, line, cited));
      }
    }

    assertThat(lines).isGreaterThan(20);
    assertThat(missing).isEmpty();
  }

  private static List<Path> files() throws IOException {
    try (Stream<Path> all = Files.walk(TOP)) {
      return all.filter(path -> !path.toString().contains("/target/"))
          .filter(path -> path.toString().matches(".*Test\\.java|.*\\.test\\.yml"))
          .toList();
    }
  }

  private static boolean exists(List<Path> files, MatchResult cited) {
    String script = cited.group(4);
    if (script != null) {
      return text(files, script).isPresent();
    }
    Optional<String> test = text(files, cited.group(1) + ".java");
    String method = cited.group(2);
    String end = cited.group(3) == null ? "\\(" : "\\w*\\(";
    return test.isPresent()
        && (method == null || Pattern.compile("void " + method + end).matcher(test.get()).find());
  }

  private static Set<String> missingMethods(
      List<Path> files, String line, List<MatchResult> cited) {
    Set<String> missing = new TreeSet<>();
    Matcher method = METHOD.matcher(line);
    while (method.find()) {
      String declared = "void " + method.group(1) + "(";
      if (cited.stream()
          .map(one -> text(files, one.group(1) + ".java").orElse(""))
          .noneMatch(test -> test.contains(declared))) {
        missing.add(method.group());
      }
    }
    return missing;
  }

  private static Optional<String> text(List<Path> files, String name) {
    return files.stream()
        .filter(file -> file.getFileName().toString().equals(name))
        .findFirst()
        .map(ThreatsTest::read);
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
