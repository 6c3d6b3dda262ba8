package dev.pagetide.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The documents against the tree: their links, and the classes that they walk through. */
final class DocumentsTest {
  private static final Path PROJECT = Path.of("..");
  private static final Path DESIGN = Path.of("docs", "DESIGN.md");
  private static final Path CONTRIBUTING = Path.of("..", ".github", "CONTRIBUTING.md");
  private static final String IN_LIBRARY = "/client/library/src/main/java/";
  private static final String IN_SERVER = "/server/src/main/java/";
  private static final String IN_PROTO = "/proto/src/main/java/";
  private static final Path ADRS = Path.of("docs", "adr");

  private static final Pattern LINK = Pattern.compile("]\\(([^)\\s]+)\\)");
  private static final Pattern HEADING = Pattern.compile("(?m)^#+ (.*)$");
  private static final Pattern CODE_BLOCK = Pattern.compile("(?ms)^ *```.*?^ *```");
  private static final Pattern FILE = Pattern.compile("`(\\w+\\.(?:java|js|md|proto))`");
  private static final Pattern PARENT = Pattern.compile("(?m)^[a-z -]*class \\w+ extends (\\w+)");
  private static final Pattern STEP = Pattern.compile("`([A-Z]\\w+)\\.([a-z]\\w*)`");

  /** The items of the list below a heading, each in one line. */
  static List<String> itemsOf(Path document, String heading) throws IOException {
    List<String> items = new ArrayList<>();
    for (String line : section(document, heading).lines().toList()) {
      if (line.startsWith("* ")) {
        items.add(line);
      } else if (line.startsWith("  ") && !items.isEmpty()) {
        items.set(items.size() - 1, items.getLast() + " " + line.strip());
      }
    }
    return items;
  }

  /** What lies between a heading of the second level and the next one. */
  static String section(Path document, String heading) throws IOException {
    String text = Files.readString(document);
    int start = text.indexOf("\n## " + heading + "\n");
    assertThat(start).as(heading + " in " + document).isNotNegative();
    int end = text.indexOf("\n## ", start + 1);
    return text.substring(start, end < 0 ? text.length() : end);
  }

  private static List<Path> files(String ending) throws IOException {
    try (Stream<Path> paths = Files.walk(PROJECT)) {
      return paths
          .filter(path -> path.toString().endsWith(ending))
          .filter(path -> !path.toString().contains("/target/"))
          .filter(path -> !path.toString().contains("/.git/"))
          .toList();
    }
  }

  /** The anchors of a document, made of its headings as GitHub makes them. */
  private static Set<String> anchors(Path document) throws IOException {
    String text = CODE_BLOCK.matcher(Files.readString(document)).replaceAll("");
    return HEADING
        .matcher(text)
        .results()
        .map(heading -> heading.group(1).toLowerCase(Locale.ROOT))
        .map(heading -> heading.replaceAll("[^a-z0-9 _-]", "").replace(' ', '-'))
        .collect(Collectors.toSet());
  }

  private static Optional<String> broken(Path document, String link) throws IOException {
    if (link.contains("://")) {
      return Optional.empty();
    }
    int hash = link.indexOf('#');
    String file = hash < 0 ? link : link.substring(0, hash);
    Path target = file.isEmpty() ? document : document.resolveSibling(file).normalize();
    boolean leads =
        Files.exists(target) && (hash < 0 || anchors(target).contains(link.substring(hash + 1)));
    return leads ? Optional.empty() : Optional.of(document + ": " + link);
  }

  @Test
  void links_ofAllDocuments_leadToAFileAndAHeading() throws IOException {
    Set<String> broken = new TreeSet<>();
    int links = 0;

    for (Path document : files(".md")) {
      String text = CODE_BLOCK.matcher(Files.readString(document)).replaceAll("");
      for (MatchResult link : LINK.matcher(text).results().toList()) {
        broken(document, link.group(1)).ifPresent(broken::add);
        links++;
      }
    }

    assertThat(links).isGreaterThan(50);
    assertThat(broken).isEmpty();
  }

  @Test
  void walk_eachStep_namesAClassAndAMethodOfIt() throws IOException {
    String walk = section(DESIGN, "A stranger's walk");
    int wire = walk.indexOf("\n### One UseRange, warm, over the wire\n");
    assertThat(wire).as("where the walk leaves the client's library").isPositive();

    List<String> missing = new ArrayList<>(missingSteps(walk.substring(0, wire), IN_LIBRARY));
    missing.addAll(missingSteps(walk.substring(wire), IN_SERVER));

    assertThat(STEP.matcher(walk).results()).hasSizeGreaterThan(30);
    assertThat(missing).isEmpty();
  }

  /** The steps whose class is not in that place or the contract's, or has no such method. */
  private static Set<String> missingSteps(String walk, String place) throws IOException {
    List<Path> sources =
        files(".java").stream()
            .filter(path -> path.toString().contains(place) || path.toString().contains(IN_PROTO))
            .toList();
    Set<String> missing = new TreeSet<>();
    for (MatchResult step : STEP.matcher(walk).results().toList()) {
      if (!declares(sources, step.group(1), step.group(2))) {
        missing.add(step.group());
      }
    }
    return missing;
  }

  /** Whether the class, or a class that it extends, declares the method. */
  private static boolean declares(List<Path> sources, String type, String method)
      throws IOException {
    // A statement is indented deeper than a member of the class.
    Pattern declaration = Pattern.compile("(?m)^  [\\w@<][^;=(){}]*\\s" + method + "\\(");
    for (Path source : sources) {
      if (source.getFileName().toString().equals(type + ".java")) {
        String text = Files.readString(source);
        Matcher parent = PARENT.matcher(text);
        return declaration.matcher(text).find()
            || (parent.find() && declares(sources, parent.group(1), method));
      }
    }
    return false;
  }

  @Test
  void recipes_eachFile_isInTheTree() throws IOException {
    String recipes = section(CONTRIBUTING, "Recipes");
    Set<String> missing = new TreeSet<>();
    FILE.matcher(recipes).results().forEach(file -> missing.add(file.group(1)));
    assertThat(missing).hasSizeGreaterThan(20);

    try (Stream<Path> paths = Files.walk(PROJECT)) {
      paths.forEach(path -> missing.remove(path.getFileName().toString()));
    }

    assertThat(missing).isEmpty();
  }

  @Test
  void decisions_numbers_ascendFromOneWithoutAGap() throws IOException {
    List<String> names;
    try (Stream<Path> paths = Files.list(ADRS)) {
      names = paths.map(path -> path.getFileName().toString()).sorted().toList();
    }

    assertThat(names).isNotEmpty();
    for (int i = 0; i < names.size(); i++) {
      assertThat(names.get(i)).startsWith("%04d-".formatted(i + 1));
      assertThat(Files.readString(ADRS.resolve(names.get(i))))
          .startsWith("# %d. ".formatted(i + 1))
          .contains("\n## Context\n", "\n## Decision\n", "\n## Consequences\n");
    }
  }
}
