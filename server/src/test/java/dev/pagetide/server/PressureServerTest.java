package dev.pagetide.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.server.budget.HostHeadroom;
import dev.pagetide.server.budget.ReclaimConfig;
import dev.pagetide.server.config.OptionReading;
import dev.pagetide.server.config.ServerOptions;
import dev.pagetide.server.host.HostLimits;
import dev.pagetide.server.host.StartupException;
import dev.pagetide.server.os.Memfd;
import dev.pagetide.testkit.Requires;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * A whole server on this machine, short of memory because of what it is told to keep free: all of
 * it, so that what is available is always less.
 */
final class PressureServerTest {
  @Tag(Requires.TAG)
  @Test
  void serve_machineBelowTheReserve_takesWhatNobodyUsesAndTellsIt() throws Exception {
    try (TestServer server =
        TestServer.start("--memory-reserve=" + everything(), "--pressure=on")) {
      RawSession session = RawSession.open(server.connect(), "s", 16 * RawSession.PAGE);
      assertThat(session.use(0, 10)).hasSize(1);
      session.stop(2, 10);

      await().until(() -> session.map().equals("UU.............."));

      await().until(() -> server.metric(pages("reclaimed")) == 8);
      assertThat(server.metric("pagetide_pressure_level{source=\"memavailable\"}"))
          .isBetween(1., 3.);
      assertThat(server.metric("pagetide_pressure_source{source=\"memavailable\"}")).isEqualTo(1);
      assertThat(server.metric(pages("dry_run"))).isZero();
      assertThat(server.stopWithoutStackTrace())
          .containsOnlyOnce("memory pressure: source=memavailable level=");
    }
  }

  @Tag(Requires.TAG)
  @Test
  void serve_dryRun_tellsItAndTakesNothing() throws Exception {
    try (TestServer server =
        TestServer.start("--memory-reserve=" + everything(), "--pressure=dry-run")) {
      RawSession session = RawSession.open(server.connect(), "s", 16 * RawSession.PAGE);
      assertThat(session.use(0, 10)).hasSize(1);
      session.stop(2, 10);

      await().until(() -> server.metric(pages("dry_run")) == 8);

      assertThat(session.map()).isEqualTo("UUaaaaaaaa......");
      assertThat(server.metric(pages("reclaimed"))).isZero();
      assertThat(server.stopWithoutStackTrace())
          .containsOnlyOnce("memory pressure: source=memavailable level=");
    }
  }

  @Tag(Requires.TAG)
  @Test
  void serve_off_looksAtNothing() throws Exception {
    try (TestServer server =
        TestServer.start("--memory-reserve=" + everything(), "--pressure=off")) {
      assertThat(server.metrics().keySet()).noneMatch(series -> series.contains("pressure"));
      assertThat(server.descriptors("pressure")).isZero();
      assertThat(server.stopWithoutStackTrace()).doesNotContain("memory pressure");
    }
  }

  @Test
  void main_badMemoryOptions_namesAllAndEndsWith2() throws Exception {
    try (ServerProcess server =
        ServerProcess.start(
            PagetideServer.class,
            "--low-watermark=12MiB",
            "--high-watermark=12MiB",
            "--max-resident-bytes=16MiB",
            "--max-range-bytes=64MiB",
            "--allocation-wait=2m",
            "--protect-recent=61s",
            "--pressure=perhaps")) {
      assertThat(server.readLine()).isNull();
      assertThat(server.awaitExit()).isEqualTo(2);
      List<String> problems = server.errors().lines().toList();
      assertThat(problems).hasSize(5).allMatch(line -> line.startsWith("pagetide-server: --"));
      assertThat(problems).anyMatch(line -> line.contains("watermarks crossed"));
      assertThat(problems).anyMatch(line -> line.contains("budget under one range"));
      assertThat(problems).anyMatch(line -> line.contains("--allocation-wait=2m: unknown unit"));
      assertThat(problems).anyMatch(line -> line.contains("--protect-recent=61s: 61000 ms"));
      assertThat(problems).anyMatch(line -> line.contains("--pressure=perhaps: not one of"));
    }
  }

  @Test
  void reclaimTerms_options_areInPagesAndNanos() {
    ServerOptions options =
        OptionReading.accepted(
            "--low-watermark=1MiB", "--high-watermark=2MiB", "--protect-recent=3ms");

    ReclaimConfig config = RunningServer.reclaimConfig(options, HostHeadroom.NONE);

    int page = Memfd.systemPageSize();
    assertThat(config)
        .isEqualTo(
            new ReclaimConfig((1 << 20) / page, (2 << 20) / page, 3_000_000, HostHeadroom.NONE));
  }

  private static String pages(String action) {
    return "pagetide_pressure_pages_total{action=\"%s\",trigger=\"memavailable\"}"
        .formatted(action);
  }

  /** As many bytes as this process may have. */
  private static long everything() throws StartupException {
    HostLimits host = HostLimits.read(Path.of("/"));
    Requires.ofKernel(
        host.groupLimitBytes() == Long.MAX_VALUE,
        "a machine without a control group's limit, whose check a reserve of everything would not"
            + " pass");
    return host.memoryBytes();
  }
}
