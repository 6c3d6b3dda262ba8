package dev.pagetide.client.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.pagetide.client.ServerProcess;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command line and the demo against real server processes. */
final class CommandServerTest {

  private static final byte[] NOTHING = new byte[0];

  private static final String TIME = "[0-9.,]+ (ns|us|ms|s)";
  private static final String RATE = "[0-9.,]+ [kMG]?B/s";
  private static final String MAP = "http://127\\.0\\.0\\.1:\\d+/\\?key=\\S+";
  private static final String PAIRS =
      "use \\+ stop: " + TIME + "; asking the server: " + TIME + ", [0-9.,]+ times as much";

  @TempDir Path temporary = Path.of("");

  @Test
  void commands_onOneSession_workThroughItsFile() throws IOException {
    try (ServerProcess server = ServerProcess.start()) {
      Map<String, String> environment =
          Map.of(
              "PAGETIDE_DIR",
              server.directory().toString(),
              "PAGETIDE_SESSION",
              temporary.resolve("session").toString());
      Path file = temporary.resolve("session");
      OpenSession open = OpenSession.start(environment, file, "--size", "64KiB", "--name", "me");
      assertThat(Files.getPosixFilePermissions(file))
          .isEqualTo(PosixFilePermissions.fromString("rw-------"));

      assertThat(run(environment, NOTHING, "use", "0..4").out()).contains("fresh").contains("0..4");
      byte[] hello = "hello, page".getBytes(StandardCharsets.UTF_8);
      assertThat(run(environment, hello, "write", "4KiB").out()).contains("wrote 11 bytes");
      assertThat(run(environment, NOTHING, "read", "4KiB", "11").bytes().toByteArray())
          .isEqualTo(hello);
      assertThat(run(environment, NOTHING, "read", "4096", "11", "--hex").out())
          .contains("00001000  68 65 6c 6c 6f", "hello, page");
      run(environment, NOTHING, "zero", "4096", "5");
      assertThat(run(environment, NOTHING, "read", "4096", "11").out())
          .isEqualTo("\0\0\0\0\0, page");
      run(environment, NOTHING, "stop", "0..2");
      assertThat(run(environment, NOTHING, "range").out()).contains("aaUU", "a AVAILABLE");
      assertThat(run(environment, NOTHING, "count").out()).isEqualTo("2\n");
      assertThat(run(environment, NOTHING, "shrink", "1", "--dry-run").out())
          .contains("would reclaim 1");
      assertThat(run(environment, NOTHING, "shrink", "1").out()).contains("reclaimed 1");
      assertThat(run(environment, NOTHING, "range").out()).contains("a.UU");
      assertThat(run(environment, NOTHING, "ranges").out()).containsPattern("\\d .* me\n");
      assertThat(run(environment, NOTHING, "ranges", "--range", "1").out().lines()).hasSize(2);
      assertThat(run(environment, NOTHING, "count", "--all").out().lines())
          .satisfiesExactly(
              line -> assertThat(line).isEqualTo("1"),
              line -> assertThat(line).matches("resident 5 of \\d+ pages, available 1, waiting 0"),
              line -> assertThat(line).isEqualTo("reclaimed 1 for request"));
      JsonObject range = json(environment, "range", "--json");
      assertThat(range.get("page_count").getAsInt()).isEqualTo(16);
      assertThat(range.getAsJsonArray("runs").toString())
          .isEqualTo(
              "[{'state':'available','start_page':0,'end_page':1},"
                  .concat("{'state':'free','start_page':1,'end_page':2},")
                  .concat("{'state':'used','start_page':2,'end_page':4},")
                  .concat("{'state':'free','start_page':4,'end_page':16}]")
                  .replace('\'', '"'));
      assertThat(json(environment, "count", "--json")).hasToString("{\"count\":1}");
      JsonObject count = json(environment, "count", "--json", "--all", "--range", "1");
      assertThat(count.get("count").getAsLong()).isEqualTo(1);
      assertThat(count.get("resident_pages").getAsLong()).isEqualTo(5);
      assertThat(count.get("reclaimed_pages")).hasToString("{\"request\":1}");
      JsonObject ranges = json(environment, "ranges", "--json");
      assertThat(ranges.keySet()).containsExactly("ranges");
      JsonObject listed = ranges.getAsJsonArray("ranges").get(0).getAsJsonObject();
      assertThat(listed.get("name").getAsString()).isEqualTo("me");
      assertThat(listed.get("pid").getAsLong()).isEqualTo(ProcessHandle.current().pid());
      for (String command : new String[] {"range", "count", "ranges"}) {
        CommandRun help = CommandRun.of(command, "--help");
        json(environment, command, "--json").keySet().stream()
            .forEach(field -> assertThat(help.out()).contains(field));
      }
      CommandRun unknown = CommandRun.of(environment, NOTHING, "ranges", "--range", "7");
      assertThat(unknown.status()).isEqualTo(1);
      assertThat(unknown.err())
          .isEqualTo("pagetide: there is no range 7; 'pagetide ranges' lists them\n");
      CommandRun refused = CommandRun.of(environment, NOTHING, "read", "0", "1");
      assertThat(refused.status()).isEqualTo(1);
      assertThat(refused.err().lines()).hasSize(1);

      CommandRun opened = open.end();

      assertThat(opened.status()).isZero();
      assertThat(opened.out()).contains(file.toString()).doesNotContain("token");
      assertThat(file).doesNotExist();
    }
  }

  private static CommandRun run(Map<String, String> environment, byte[] input, String... line) {
    CommandRun run = CommandRun.of(environment, input, line);
    assertThat(run.err()).isEmpty();
    assertThat(run.status()).isZero();
    return run;
  }

  private static JsonObject json(Map<String, String> environment, String... line) {
    String out = run(environment, NOTHING, line).out();
    assertThat(out.lines()).hasSize(1);
    return JsonParser.parseString(out).getAsJsonObject();
  }

  /** An environment in which the demo's server is what a shell does with {@code script}. */
  private Map<String, String> launcher(String script) throws IOException {
    Path launcher = Files.writeString(temporary.resolve("pagetide-server"), "#!/bin/sh\n" + script);
    Files.setPosixFilePermissions(launcher, PosixFilePermissions.fromString("rwx------"));
    return Map.of("PAGETIDE_SERVER", launcher.toString());
  }

  private Map<String, String> realServer() throws IOException {
    return launcher("exec '" + String.join("' '", ServerProcess.command()) + "' \"$@\"\n");
  }

  @Test
  void demo_realServer_showsEverythingAndLeavesNothing() throws IOException {
    CommandRun run = CommandRun.of(realServer(), NOTHING, "demo");

    assertThat(run.err()).isEmpty();
    assertThat(run.status()).isZero();
    assertThat(run.out())
        .contains(
            "aaaa....UUUUUUUUUUUUUUUUUUUUUUUU",
            "pages: 48 free, 24 available, 56 used",
            "/metrics  pagetide_pages_reclaimed_total 20",
            "reclaimed 20",
            "all 131072 bytes are what she wrote",
            "all 65536 bytes read as zeros",
            "bob read them in place, and replied with their checksum",
            "live ranges: alice",
            "every check held")
        .containsPattern(PAIRS + " \\(medians\\)\n")
        .containsPattern("Pagetide, from writing them to the reply: " + TIME + ", " + RATE + "\n")
        .containsPattern("relayed gRPC: " + TIME + ", " + RATE + ", [0-9.,]+ times as long\n")
        .containsPattern("written, copied and read in one process: " + TIME + ", " + RATE + "\n")
        .containsPattern(
            "In short\n *"
                + PAIRS
                + "\n *1 MiB to another process: "
                + RATE
                + "; relayed gRPC: "
                + RATE
                + "; written, copied and read in one process: "
                + RATE
                + "\n *20 pages reclaimed, the oldest first; .* came back\n *The tide map was at "
                + MAP
                + "\n *and ended with its server; demo --stay keeps both")
        .doesNotContain("\u001b");
    assertThat(ProcessHandle.current().children().filter(ProcessHandle::isAlive)).isEmpty();
  }

  @Test
  void demoStay_enter_endsTheServerThatStayed() throws IOException {
    CommandRun run = CommandRun.of(realServer(), new byte[] {'\n'}, "demo", "--stay");

    assertThat(run.err()).isEmpty();
    assertThat(run.status()).isZero();
    assertThat(run.out())
        .containsPattern("until you press Enter. .*\n *" + MAP + "\n")
        .containsPattern("The tide map was at " + MAP + "\n")
        .contains("every check held")
        .doesNotContain("and ended with its server");
    assertThat(ProcessHandle.current().children().filter(ProcessHandle::isAlive)).isEmpty();
  }

  /** The user's own server has nothing to do with it. */
  @Test
  void demo_itsServerFails_isTheDemosFailure() throws IOException {
    Map<String, String> environment =
        launcher("rmdir \"$2\"; echo ready grpc=unix:x http=http://127.0.0.1:1/ pid=1; exec cat\n");

    CommandRun run = CommandRun.of(environment, NOTHING, "demo");

    assertThat(run.status()).isEqualTo(1);
    assertThat(run.err())
        .startsWith("pagetide: the demo failed: no server: the directory ")
        .hasLineCount(1);
    assertThat(ProcessHandle.current().children().filter(ProcessHandle::isAlive)).isEmpty();
  }
}
