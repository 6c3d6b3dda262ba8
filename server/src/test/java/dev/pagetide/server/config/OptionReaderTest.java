package dev.pagetide.server.config;

import static dev.pagetide.server.config.OptionReading.GIB;
import static dev.pagetide.server.config.OptionReading.HOST;
import static dev.pagetide.server.config.OptionReading.accepted;
import static dev.pagetide.server.config.OptionReading.host;
import static dev.pagetide.server.config.OptionReading.refused;
import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.handoff.HandoffConfig;
import dev.pagetide.server.host.HostLimits;
import dev.pagetide.server.pressure.PressureMode;
import dev.pagetide.server.transaction.TransactRule;
import dev.pagetide.server.transaction.TransactionConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class OptionReaderTest {
  @Test
  void read_nothingGiven_isTheDefaults() {
    ServerOptions options = accepted();

    assertThat(options)
        .isEqualTo(
            new ServerOptions(
                new ServerOptions.Reach(
                    Path.of("/tmp/pagetide-1000"),
                    0600,
                    null,
                    null,
                    OptionNotation.address("127.0.0.1:9464"),
                    Duration.ofSeconds(10)),
                new ServerOptions.Memory(
                    2 * GIB, 2 * GIB, 2 * GIB, 4 << 20, GIB / 2, Duration.ofSeconds(1)),
                new ServerOptions.Reclaim(
                    2 * GIB - 2 * GIB / 8, 2 * GIB - 2 * GIB / 16, Duration.ofMillis(500)),
                PressureMode.ON,
                new ServerOptions.Sessions(1024, 1024, Duration.ofSeconds(5)),
                new ServerOptions.Connections(1280, 1280),
                new ServerOptions.Requests(
                    1 << 20, 1024, 64 << 20, true, Duration.ofSeconds(10), Duration.ofMinutes(5)),
                new TransactionConfig(4096, 1024, 1_000_000_000, TransactRule.OWN),
                new HandoffConfig(64, Duration.ofSeconds(5))));
  }

  @Test
  void read_everythingGiven_isWhatWasGiven() {
    ServerOptions options =
        accepted(
            "--dir=/run/p",
            "--socket-mode=0660",
            "--socket-group=0",
            "--listen=[::1]:0",
            "--http=off",
            "--max-resident-bytes=1GiB",
            "--max-range-bytes=64KiB",
            "--max-sessions=10",
            "--max-sessions-per-uid=10",
            "--max-connections=7",
            "--max-resident-bytes-per-uid=512MiB",
            "--max-resident-bytes-per-session=1MiB",
            "--low-watermark=0",
            "--high-watermark=1GiB",
            "--allocation-wait=0ms",
            "--protect-recent=60s",
            "--memory-reserve=1KiB",
            "--pressure=dry-run",
            "--max-data-bytes=3MiB",
            "--max-requests-in-flight=1",
            "--max-request-bytes-in-flight=4MiB",
            "--request-wait=100ms",
            "--idle-wait=86400s",
            "--max-buffers=7",
            "--max-transactions=8",
            "--allow-transactions=1000:0,any:1001",
            "--max-handoffs=1",
            "--handoff-wait=100ms",
            "--http-wait=100ms",
            "--drain-wait=0s");

    assertThat(options)
        .isEqualTo(
            new ServerOptions(
                new ServerOptions.Reach(
                    Path.of("/run/p"),
                    0660,
                    "0",
                    OptionNotation.address("[::1]:0"),
                    null,
                    Duration.ofMillis(100)),
                new ServerOptions.Memory(GIB, GIB / 2, 1 << 20, 64 << 10, 1024, Duration.ZERO),
                new ServerOptions.Reclaim(0, GIB, Duration.ofMinutes(1)),
                PressureMode.DRY_RUN,
                new ServerOptions.Sessions(10, 10, Duration.ZERO),
                new ServerOptions.Connections(7, 3),
                new ServerOptions.Requests(
                    3 << 20, 1, 4 << 20, false, Duration.ofMillis(100), Duration.ofDays(1)),
                new TransactionConfig(
                    7,
                    8,
                    0,
                    new TransactRule(
                        Set.of(
                            new TransactRule.Pair(1000, 0),
                            new TransactRule.Pair(TransactRule.ANY, 1001)))),
                new HandoffConfig(1, Duration.ofMillis(100))));
  }

  @Test
  void read_runtimeDirectory_holdsTheDefaultDirectory() {
    assertThat(accepted(Map.of("XDG_RUNTIME_DIR", "/run/user/7")).reach().directory())
        .isEqualTo(Path.of("/run/user/7/pagetide"));
    assertThat(accepted(Map.of("XDG_RUNTIME_DIR", "relative")).reach().directory())
        .isEqualTo(Path.of("/tmp/pagetide-1000"));
  }

  @Test
  void read_relativeDirectory_isMadeAbsolute() {
    assertThat(accepted("--dir=p").reach().directory()).isEqualTo(Path.of("p").toAbsolutePath());
  }

  @Test
  void read_limitsOfUidAndSession_areTheWholeWhereNoOtherUidCanConnect() {
    ServerOptions options = accepted("--max-resident-bytes=100MiB", "--max-sessions=9");

    assertThat(options.memory().bytesPerUid()).isEqualTo(100 << 20);
    assertThat(options.memory().bytesPerSession()).isEqualTo(100 << 20);
    assertThat(options.sessions().maxPerUid()).isEqualTo(9);
  }

  @ParameterizedTest
  @ValueSource(strings = {"--socket-mode=0660", "--socket-mode=0666", "--listen=127.0.0.1:0"})
  void read_limitsOfUidAndSession_areHalfWhereOthersCanConnect(String others) {
    ServerOptions options = accepted("--max-resident-bytes=100MiB", "--max-sessions=9", others);

    assertThat(options.memory().bytesPerUid()).isEqualTo(50 << 20);
    assertThat(options.memory().bytesPerSession()).isEqualTo(50 << 20);
    assertThat(options.sessions().maxPerUid()).isEqualTo(4);
    assertThat(accepted("--max-sessions=1", others).sessions().maxPerUid()).isEqualTo(1);
    assertThat(accepted("--max-resident-bytes-per-uid=1MiB").memory().bytesPerSession())
        .isEqualTo(1 << 20);
  }

  @Test
  void read_severalPlaces_commandLineBeatsEnvironmentBeatsFile(@TempDir Path folder)
      throws IOException {
    Path config = folder.resolve("server.properties");
    Files.writeString(config, "max-sessions = 3\nmax-data-bytes=3000\ndrain-wait = 3s \n");
    Map<String, String> environment =
        Map.of(
            "PAGETIDE_CONFIG",
            config.toString(),
            "PAGETIDE_MAX_SESSIONS",
            "2",
            "PAGETIDE_MAX_DATA_BYTES",
            "2000",
            "PAGETIDE_DRAIN_WAIT",
            "");

    ServerOptions options = accepted(environment, "--max-sessions=1");

    assertThat(options.sessions().max()).isEqualTo(1);
    assertThat(options.requests().maxDataBytes()).isEqualTo(2000);
    assertThat(options.sessions().drainWait()).isEqualTo(Duration.ofSeconds(3));
  }

  @Test
  void read_variableOfNoOption_isLeftAlone() {
    assertThat(accepted(Map.of("PAGETIDE_JAVA_OPTS", "-Xmx1g"))).isEqualTo(accepted());
  }

  @Test
  void read_manyMistakes_namesEachOnceWithItsPlace(@TempDir Path folder) throws IOException {
    Path config = folder.resolve("c");
    Files.writeString(config, "max-sesions=3\nconfig=other\nhttp=nowhere\n");

    List<String> problems =
        refused(
            Map.of("PAGETIDE_MAX_RESIDENT_BYTES", "1GB"),
            "--config=" + config,
            "--max-sessions=abc",
            "--drain-wait=5");

    assertThat(problems)
        .containsExactlyInAnyOrder(
            config + ": config=other: unknown option; --help lists those there are",
            config + ": max-sesions=3: unknown option; --help lists those there are",
            config
                + ": http=nowhere: not an address; write HOST:PORT as 127.0.0.1:9464 or"
                + " [::1]:9464, or off",
            "PAGETIDE_MAX_RESIDENT_BYTES=1GB: unknown unit 'GB'; write a size as 65536, 64KiB,"
                + " 4MiB or 1GiB",
            "--max-sessions=abc: not a whole number; write a whole number as 1024",
            "--drain-wait=5: unit missing; write a time as 500ms or 2s");
  }

  @Test
  void read_problemsOfTheCommandLine_areNamedWithTheOthers() {
    OptionReader.Outcome outcome =
        OptionReader.read(
            Map.of(ServerOption.MAX_SESSIONS, "0"), List.of("--nope: unknown"), Map.of(), HOST);

    assertThat(outcome).isInstanceOf(OptionReader.Refused.class);
    assertThat(((OptionReader.Refused) outcome).problems())
        .containsExactly(
            "--nope: unknown",
            "--max-sessions=0: 0 is below 1, the least there is; give at least 1");
  }

  @Test
  void read_configFileMissing_isRefused() {
    assertThat(refused("--config=/nonexistent/file"))
        .containsExactly(
            "--config=/nonexistent/file: no such file; give the path of a properties file");
  }

  @Test
  void read_configFileUnreadable_isRefused(@TempDir Path folder) {
    assertThat(refused("--config=" + folder))
        .singleElement()
        .asString()
        .startsWith("--config=" + folder + ": unreadable (");
  }

  @Test
  void read_configFileMalformed_isRefused(@TempDir Path folder) throws IOException {
    Path config = folder.resolve("c");
    Files.writeString(config, "http=\\uXYZ\n");

    assertThat(refused("--config=" + config))
        .singleElement()
        .asString()
        .startsWith("--config=" + config + ": unreadable (");
  }

  @Test
  void read_directoryEmpty_isRefused() {
    assertThat(refused("--dir=")).containsExactly("--dir=: no path; give the path of a directory");
  }

  @Test
  void read_directoryWithNul_isRefused() {
    assertThat(refused("--dir=a\0b")).singleElement().asString().contains("not a path");
  }

  @Test
  void read_directoryOf94Bytes_isTheLongest() {
    String longest = "/" + "d".repeat(93);

    assertThat(accepted("--dir=" + longest).reach().directory()).isEqualTo(Path.of(longest));
    assertThat(refused("--dir=" + longest + "d"))
        .containsExactly(
            "--dir="
                + longest
                + "d: the path of its handoff.sock would have 108 bytes, a Unix socket's has at"
                + " most 107; name a directory of at most 94 bytes");
  }

  @Test
  void read_directoryOfWideCharacters_isMeasuredInBytes() {
    assertThat(refused("--dir=/" + "é".repeat(47))).hasSize(1);
  }

  @Test
  void read_groupWithoutMode_isRefused() {
    assertThat(refused("--socket-group=0"))
        .containsExactly(
            "--socket-group=0: --socket-mode=0600 gives a group nothing; add --socket-mode=0660,"
                + " or leave out the group");
  }

  @Test
  void read_groupUnknown_isRefused() {
    assertThat(refused("--socket-mode=0660", "--socket-group=no-such-group"))
        .containsExactly(
            "--socket-group=no-such-group: this host has no such group; create it, or name one"
                + " that exists");
  }

  @Test
  void read_listenBeyondLoopback_isRefused() {
    assertThat(refused("--listen=0.0.0.0:7000"))
        .containsExactly(
            "--listen=0.0.0.0:7000: not a loopback address; beyond loopback a listener needs"
                + " mutual TLS, which this version does not have: listen on 127.0.0.1 or [::1]");
  }

  @Test
  void read_httpBeyondLoopback_isAccepted() {
    assertThat(accepted("--http=0.0.0.0:9000").reach().http())
        .isEqualTo(OptionNotation.address("0.0.0.0:9000"));
  }

  @Test
  void read_listenAndHttpAtOneAddress_isRefused() {
    assertThat(refused("--listen=127.0.0.1:9464")).singleElement().asString().contains("--http");
    assertThat(accepted("--listen=127.0.0.1:0", "--http=127.0.0.1:0").reach().listen()).isNotNull();
  }

  @Test
  void read_sessionsOfUidOverAllSessions_isRefused() {
    assertThat(refused("--max-sessions=5", "--max-sessions-per-uid=6"))
        .containsExactly(
            "--max-sessions-per-uid=6: 6 is above 5, which is --max-sessions; give at most 5");
  }

  @Test
  void read_sessionsOverTheOpenFiles_isRefused() {
    HostLimits few = host(1024, 65530);

    assertThat(refused(few, Map.of()))
        .containsExactly(
            "--max-sessions=1024 (default): 1024 is above 240, which is what 1024 open files allow"
                + " (ulimit -n; 2 a session, 3 for each of --max-handoffs=64 (default), 352 spare);"
                + " give at most 240");
  }

  @Test
  void read_handoffsThatLeaveNoFilesToSessions_isRefused() {
    HostLimits few = host(1024, 65530);

    assertThat(refused(few, Map.of(), "--max-sessions=10", "--max-handoffs=223"))
        .containsExactly(
            "--max-sessions=10: 10 is above 1, which is what 1024 open files allow (ulimit -n; 2 a"
                + " session, 3 for each of --max-handoffs=223, 352 spare); give at most 1");
    assertThat(refused(few, Map.of(), "--max-handoffs=224"))
        .singleElement()
        .asString()
        .startsWith("--max-sessions=1024 (default): nothing fits");
  }

  @Test
  void read_connectionsOverTheOpenFiles_isRefused() {
    assertThat(refused(host(1024, 65530), Map.of(), "--max-sessions=100", "--max-connections=381"))
        .containsExactly(
            "--max-connections=381: 381 is above 380, which is what 1024 open files leave (ulimit"
                + " -n; 1 for each of --max-sessions=100, 3 for each of --max-handoffs=64"
                + " (default), 352 spare); give at most 380");
  }

  @Test
  void read_fewOpenFiles_connectionsAreWhatTheyLeave() {
    OptionReader.Outcome outcome =
        OptionReader.read(
            Map.of(ServerOption.MAX_SESSIONS, "240"), List.of(), Map.of(), host(1024, 65530));

    assertThat(outcome).isInstanceOf(OptionReader.Accepted.class);
    assertThat(((OptionReader.Accepted) outcome).options().connections())
        .isEqualTo(new ServerOptions.Connections(240, 240));
  }

  @Test
  void read_sessionsOverTheMappings_isRefused() {
    HostLimits few = host(1 << 20, 3000);

    assertThat(refused(few, Map.of(), "--max-sessions=477"))
        .containsExactly(
            "--max-sessions=477: 477 is above 476, which is what vm.max_map_count=3000 allows (2"
                + " mappings a session, 2048 spare); give at most 476");
  }

  @Test
  void read_hostThatAllowsNoSession_isRefused() {
    HostLimits none = host(97, 65530);

    assertThat(refused(none, Map.of())).singleElement().asString().contains("nothing fits");
  }

  @Test
  void read_dataOver3MiB_isRefused() {
    assertThat(refused("--max-data-bytes=3145729"))
        .containsExactly(
            "--max-data-bytes=3145729: 3145729 is above 3145728, because gRPC clients refuse"
                + " messages over 4 MiB; give at most 3145728");
  }

  @Test
  void read_dataOverTheRequestBytes_isRefused() {
    assertThat(refused("--max-request-bytes-in-flight=1MiB"))
        .containsExactly(
            "--max-data-bytes=1048576 (default): 1048576 is above 983040, which is"
                + " --max-request-bytes-in-flight less 65536 for the rest of a message; give at"
                + " most 983040");
  }

  @Test
  void read_noDataAtAll_isRefused() {
    assertThat(refused("--max-data-bytes=0")).singleElement().asString().contains("below 1");
  }

  @Test
  void read_requestsOutOfBounds_isRefused() {
    assertThat(refused("--max-requests-in-flight=0")).hasSize(1);
    assertThat(refused("--max-requests-in-flight=1000001")).hasSize(1);
  }

  @Test
  void read_handoffsOutOfBounds_isRefused() {
    assertThat(refused("--max-handoffs=0"))
        .containsExactly("--max-handoffs=0: 0 is below 1, the least there is; give at least 1");
    assertThat(refused("--max-handoffs=16385"))
        .containsExactly(
            "--max-handoffs=16385: 16385 is above 16384, the most that this version serves; give"
                + " at most 16384");
  }

  @Test
  void read_waitForClientsOutOfBounds_isRefused() {
    for (String option : List.of("--handoff-wait", "--http-wait")) {
      assertThat(refused(option + "=99ms"))
          .containsExactly(
              option
                  + "=99ms: 99 ms is below 100, what a busy machine may take; give at least"
                  + " 100ms");
      assertThat(refused(option + "=61s"))
          .containsExactly(option + "=61s: 61000 ms is above 60000, a minute; give at most 60s");
    }
  }

  @Test
  void read_drainWaitOverAnHour_isRefused() {
    assertThat(refused("--drain-wait=3601s"))
        .containsExactly(
            "--drain-wait=3601s: 3601000 ms is above 3600000, an hour; give at most 3600s");
  }
}
