package dev.pagetide.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * {@code docs/PROMISES.md} and the tests of all modules against each other.
 *
 * <p>Sources are read, not classes, because this module cannot see the classes of the others. What
 * some profile runs is: a class of {@code src/test/java} whose name Surefire looks for, each class
 * that such a class extends or nests, and the classes of {@code src/jcstress/java}. A citation on a
 * method counts if the method is a test; nothing counts in a source that disables a test.
 */
final class PromisesTest {
  private static final Path PAGE = Path.of("docs", "PROMISES.md");
  private static final Path PROJECT = Path.of("..");

  /** A promise begins a line with its number in bold. */
  private static final Pattern PROMISE = Pattern.compile("(?m)^\\*\\*(\\d+)\\.\\*\\* (.+)$");

  /** Cuts the page before each promise. */
  private static final Pattern PARTS = Pattern.compile("(?m)^(?=\\*\\*\\d+\\.)");

  private static final Pattern CITATION =
      Pattern.compile("(?m)^( *)@Promise\\(\\{?([\\d,\\s]+)}?\\)\\R");
  private static final Pattern NUMBER = Pattern.compile("\\d+");
  private static final Pattern TEST = Pattern.compile("@(Test|ParameterizedTest|RepeatedTest)\\b");
  private static final Pattern EXTENDS = Pattern.compile("\\bextends (?:\\w+\\.)*(\\w+)");

  /** One source of a test folder; the folder is the one between {@code src} and {@code java}. */
  private record Source(String folder, Path path, String text) {
    static Source of(Path path) {
      try {
        return new Source(folderOf(path), path, Files.readString(path));
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    /** The folder between {@code src} and {@code java}; empty for a source that lies elsewhere. */
    static String folderOf(Path path) {
      for (int i = 1; i + 1 < path.getNameCount(); i++) {
        if (path.getName(i - 1).toString().equals("src")
            && path.getName(i + 1).toString().equals("java")) {
          return path.getName(i).toString();
        }
      }
      return "";
    }

    String className() {
      return path.getFileName().toString().replace(".java", "");
    }

    boolean isDisabled() {
      return text.contains("@Disabled");
    }
  }

  private static List<Source> testSources() throws IOException {
    try (Stream<Path> paths = Files.walk(PROJECT)) {
      return paths
          .filter(path -> path.toString().endsWith(".java"))
          .filter(path -> !path.toString().contains("/target/"))
          .filter(path -> !Set.of("", "main").contains(Source.folderOf(path)))
          .map(Source::of)
          .toList();
    }
  }

  /** The sources whose tests some profile runs. */
  private static List<Source> run(List<Source> sources) {
    Map<String, List<Source>> byName = new HashMap<>();
    sources.forEach(
        source -> byName.computeIfAbsent(source.className(), _ -> new ArrayList<>()).add(source));
    List<Source> run = new ArrayList<>();
    List<Source> next =
        new ArrayList<>(
            sources.stream()
                .filter(source ->
                    source.folder().equals("jcstress")
                        || (source.folder().equals("test") && source.className().endsWith("Test")))
                .toList());
    Set<Source> seen = new HashSet<>(next);
    while (!next.isEmpty()) {
      Source source = next.removeLast();
      if (source.isDisabled()) {
        continue;
      }
      run.add(source);
      EXTENDS
          .matcher(source.text())
          .results()
          .flatMap(base -> byName.getOrDefault(base.group(1), List.of()).stream())
          .filter(seen::add)
          .forEach(next::add);
    }
    return run;
  }

  /** The places that cite a promise, by its number; those alone that count, if so asked. */
  private static Map<Integer, Set<String>> citations(List<Source> sources, boolean counting) {
    Map<Integer, Set<String>> places = new TreeMap<>();
    for (Source source : sources) {
      for (MatchResult citation : CITATION.matcher(source.text()).results().toList()) {
        if (counting && !isOnClass(citation) && !isOnTest(source.text(), citation)) {
          continue;
        }
        NUMBER
            .matcher(citation.group(2))
            .results()
            .forEach(number ->
                places
                    .computeIfAbsent(Integer.valueOf(number.group()), _ -> new TreeSet<>())
                    .add(source.path().toString()));
      }
    }
    return places;
  }

  /** Whether a citation stands at the beginning of a line, as that of a top-level class does. */
  private static boolean isOnClass(MatchResult citation) {
    return citation.group(1).isEmpty();
  }

  /** Whether a test's annotation stands beside a citation: no line but annotations between them. */
  private static boolean isOnTest(String text, MatchResult citation) {
    int start = text.lastIndexOf("\n\n", citation.start());
    int end = text.indexOf("{\n", citation.end());
    return TEST.matcher(text.substring(Math.max(0, start), end < 0 ? text.length() : end)).find();
  }

  private static List<Integer> numbersOfPage() throws IOException {
    return promises().map(promise -> Integer.valueOf(promise.group(1))).toList();
  }

  private static Stream<MatchResult> promises() throws IOException {
    return PROMISE.matcher(Files.readString(PAGE)).results();
  }

  @Test
  void page_numbers_ascendFromOneWithoutAGap() throws IOException {
    List<Integer> numbers = numbersOfPage();

    assertThat(numbers).hasSizeGreaterThanOrEqualTo(40);
    for (int i = 0; i < numbers.size(); i++) {
      assertThat(numbers.get(i)).as("the number of promise " + (i + 1)).isEqualTo(i + 1);
    }
  }

  @Test
  void page_eachPromise_hasItsHomeInTheContract() throws IOException {
    for (String promise : PARTS.splitAsStream(Files.readString(PAGE)).toList()) {
      if (promise.startsWith("**") && !promise.contains("*withdrawn*")) {
        assertThat(promise).containsOnlyOnce("\n*Home:* ");
      }
    }
  }

  @Test
  void tests_eachNumberThatIsCited_standsOnThePage() throws IOException {
    Set<Integer> onPage = new TreeSet<>(numbersOfPage());

    citations(testSources(), false)
        .forEach((number, places) ->
            assertThat(onPage).as("promise " + number + ", cited in " + places).contains(number));
  }

  @Test
  void page_eachPromise_isCitedByATestThatSomeProfileRuns() throws IOException {
    Set<Integer> withdrawn = new TreeSet<>();
    promises()
        .filter(promise -> promise.group(2).contains("*withdrawn*"))
        .forEach(promise -> withdrawn.add(Integer.valueOf(promise.group(1))));

    Map<Integer, Set<String>> cited = citations(run(testSources()), true);

    for (int number : numbersOfPage()) {
      if (!withdrawn.contains(number)) {
        assertThat(cited).as("tests that some profile runs, by promise").containsKey(number);
      }
    }
  }

  @Test
  void tests_comments_citeNoPromiseByNumber() throws IOException {
    Pattern comment =
        Pattern.compile("(?im)\\bpromises?\\s+(\\*\\s+)?\\d|//\\s*\\d{1,2}(,\\s*\\d{1,2})*\\s*$");

    for (Source source : testSources()) {
      assertThat(comment.matcher(source.text()).find())
          .as(source.path() + " cites a promise in a comment; use @Promise")
          .isFalse();
    }
  }
}
