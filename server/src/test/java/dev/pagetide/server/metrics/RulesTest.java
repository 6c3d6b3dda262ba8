package dev.pagetide.server.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.testkit.Requires;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What we ship for Prometheus, judged by promtool; and each alert is tested and explained. */
final class RulesTest {
  private static final Path ALERTS = RealPrometheus.SHIPPED.resolve("alerts.rules.yml");
  private static final Path RECORDINGS = RealPrometheus.SHIPPED.resolve("recording.rules.yml");
  private static final Path TESTS = RealPrometheus.SHIPPED.resolve("tests");
  private static final Path OPERATIONS = Path.of("docs", "OPERATIONS.md");

  private static void promtool(String... arguments) throws Exception {
    Path promtool = Requires.command("promtool", "it is Prometheus's own judge of rules");
    List<String> command = new ArrayList<>(List.of(promtool.toString()));
    command.addAll(Arrays.asList(arguments));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    process.getOutputStream().close();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(said).isZero();
    assertThat(said).contains("SUCCESS").doesNotContain("FAILED", "WARN");
  }

  private static List<String> alerts() throws IOException {
    List<String> alerts =
        Pattern.compile("- alert: (\\w+)")
            .matcher(Files.readString(ALERTS))
            .results()
            .map(found -> found.group(1))
            .toList();
    assertThat(alerts).hasSizeGreaterThan(6).doesNotHaveDuplicates();
    return alerts;
  }

  @Tag(Requires.TAG)
  @Test
  void config_asShipped_satisfiesPromtool() throws Exception {
    promtool("check", "config", RealPrometheus.SHIPPED.resolve("prometheus.yml").toString());
  }

  @Tag(Requires.TAG)
  @Test
  void rules_asShipped_satisfyPromtool() throws Exception {
    promtool("check", "rules", ALERTS.toString(), RECORDINGS.toString());
  }

  @Tag(Requires.TAG)
  @Test
  void alerts_onTheSeriesOfTheirTests_fireAndAreQuiet() throws Exception {
    for (Path test : tests()) {
      promtool("test", "rules", test.toString());
    }
  }

  private static List<Path> tests() throws IOException {
    try (Stream<Path> files = Files.list(TESTS)) {
      List<Path> tests = files.sorted().toList();
      assertThat(tests).hasSizeGreaterThan(5);
      return tests;
    }
  }

  /**
   * What has made alerts lie: series of others, series that are not there, a counter that is above
   * 0 when it is first seen, and one that begins again.
   */
  @ParameterizedTest
  @ValueSource(strings = {"foreign", "absent", "first", "restart"})
  void alerts_eachOfThem_isTestedInEachOfTheFourTroubles(String trouble) throws Exception {
    String tests = Files.readString(TESTS.resolve(trouble + ".test.yml"));

    assertThat(alerts())
        .allSatisfy(alert -> assertThat(tests).contains("alertname: " + alert + "\n"));
  }

  @Test
  void alerts_eachOfThem_isTestedFiringAndNotFiring() throws Exception {
    StringBuilder all = new StringBuilder();
    for (Path test : tests()) {
      all.append(Files.readString(test));
    }
    Map<String, List<Boolean>> tested = new TreeMap<>();
    Matcher expectation = Pattern.compile("alertname: (\\w+)\\s+exp_alerts:( \\[])?").matcher(all);
    while (expectation.find()) {
      tested
          .computeIfAbsent(expectation.group(1), alert -> new ArrayList<>())
          .add(expectation.group(2) == null);
    }

    assertThat(tested.keySet()).containsExactlyInAnyOrderElementsOf(alerts());
    tested.forEach(
        (alert, fires) -> assertThat(fires).as(alert).contains(Boolean.TRUE, Boolean.FALSE));
  }

  @Test
  void alerts_eachOfThem_isExplainedToTheOperator() throws Exception {
    String operations = Files.readString(OPERATIONS);
    String rules = Files.readString(ALERTS);

    for (String alert : alerts()) {
      assertThat(operations).contains("\n### " + alert + "\n");
      assertThat(rules)
          .contains("runbook: server/docs/OPERATIONS.md#" + alert.toLowerCase(Locale.ROOT) + "\n");
    }
  }
}
