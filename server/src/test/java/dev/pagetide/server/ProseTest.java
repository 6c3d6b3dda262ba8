package dev.pagetide.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The language of sources and documents: the worst of the forms that a reader has to read twice,
 * and lines that are too long.
 *
 * <p>The check covers the places that are clean already, and each new place belongs in the list.
 */
final class ProseTest {
  private static final Path TOP = Path.of("..");
  private static final int MAX_COLUMNS = 100;

  private static final Pattern FORMS =
      Pattern.compile("\\b(whoever|anew|of late|for ever|who comes|a look|a use)\\b");

  /** The end of a line with the beginning of the next, which may be a comment. */
  private static final Pattern LINE_BREAK = Pattern.compile("\\s*\\R\\s*(?:\\*|//)?\\s*");

  private static List<Path> texts(Path top) throws IOException {
    try (Stream<Path> files = Files.walk(top)) {
      return files
          .filter(file -> file.toString().matches(".*\\.(java|proto|md)"))
          .filter(file -> !file.toString().contains("/target/"))
          .toList();
    }
  }

  private static List<String> findings(List<Path> files) throws IOException {
    List<String> found = new ArrayList<>();
    for (Path file : files) {
      String text = Files.readString(file);
      Matcher form = FORMS.matcher(oneLine(text));
      while (form.find()) {
        found.add(file + ": '" + form.group() + "'");
      }
      text.lines()
          .filter(line -> line.length() > MAX_COLUMNS && !isTableRow(line))
          .forEach(line -> found.add(file + ": " + line.length() + " columns: " + line.strip()));
    }
    return found;
  }

  private static String oneLine(String text) {
    return LINE_BREAK.matcher(text).replaceAll(" ").toLowerCase(Locale.ROOT);
  }

  /** Markdown has no way to break a row of a table. */
  private static boolean isTableRow(String line) {
    return line.stripLeading().startsWith("|");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        ".github",
        "README.md",
        "client/examples",
        "proto/SHARED_FILE.md",
        "proto/src/main",
        "server/docs",
        "server/src/main",
      })
  void texts_ofACleanPlace_stayClean(String place) throws IOException {
    List<Path> files = texts(TOP.resolve(place));

    assertThat(files).isNotEmpty();
    assertThat(findings(files)).isEmpty();
  }

  /** Wherever the client's modules lie. */
  @Test
  void sources_ofTheClient_stayClean() throws IOException {
    List<Path> files =
        texts(TOP.resolve("client")).stream()
            .filter(file -> file.toString().contains("/src/main/java/"))
            .toList();

    assertThat(files).isNotEmpty();
    assertThat(findings(files)).isEmpty();
  }
}
