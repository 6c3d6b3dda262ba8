package dev.pagetide.client.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.MethodDescriptor;
import dev.pagetide.client.ServerProcess;
import dev.pagetide.client.SessionTicket;
import dev.pagetide.v1.PageRangeProto;
import dev.pagetide.v1.ShrinkerProto;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Refusals as a person at the command line reads them. */
final class CommandWordsTest {

  @TempDir Path temporary = Path.of("");

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "page 0 is FREE, not USED: x; call UseRange(0, 1) before Read"
            + "|page 0 is FREE, not USED: x; run 'pagetide use 0..1' first",
        "pages [12, 300) exceed this range's 256 pages; ask for end_page <= 256"
            + "|pages 12..300 exceed this range's 256 pages; name pages of 0..256",
        "no range with range_id=7; ListRanges tells which there are"
            + "|no range with id 7; 'pagetide ranges' lists them",
        "size_bytes=0 is less than one page|--size 0 is less than one page",
        "Count: no answer in time|no answer in time",
        "lost, and the session with it: OpenRange: the server cannot be reached: x"
            + "|lost, and the session with it: the server cannot be reached: x",
        "ended: Exchange ended with INTERNAL (x)|ended: the call ended with INTERNAL (x)",
        "OpenRange: no answer within PT10S|no answer within 10 s",
        "Read: no answer within PT1M0.5S; x|no answer within 60500 ms; x",
        "timeout=PT0S is not between PT0.001S and PT1H|timeout=0 s is not between 1 ms and 3600 s",
        "nobody receives as PT10S|nobody receives as PT10S",
        "take what there is (OpenOptions.atMost, withSizeAtMost)"
            + "|take what there is (--at-most)",
        "Read ended with INTERNAL (x)|the call ended with INTERNAL (x)",
        "no reply within timeout_ms=5; x|no reply within --timeout 5ms; x",
        "open the range with a larger size_bytes|open the range with a larger --size",
        "stop it with StopUsingRange, see $1 and \\|stop it with 'pagetide stop', see $1 and \\",
      })
  void of_contractsWords_areTheCommandLines(String said, String shown) {
    assertThat(CommandWords.of(said)).isEqualTo(shown);
  }

  @Test
  void refusals_realServer_nameNoRpcAndNoField() throws IOException {
    try (ServerProcess server = ServerProcess.start()) {
      Path file = temporary.resolve("session");
      Map<String, String> environment =
          Map.of(
              "PAGETIDE_DIR", server.directory().toString(), "PAGETIDE_SESSION", file.toString());
      try (OpenSession _ = OpenSession.start(environment, file, "--size", "64KiB")) {
        refused(environment, "use 0..300", "pages 0..300 exceed this range's 16 pages");
        refused(environment, "read 0 1", "run 'pagetide use 0..1' first");
        refused(environment, "write 4KiB /etc/passwd", "run 'pagetide use 1..2' first");
        refused(environment, "zero 8KiB 1", "run 'pagetide use 2..3' first");
        refused(environment, "read 1MiB 1", "exceed this range's 65536 bytes");
        refused(environment, "count --range 7", "'pagetide ranges' lists them");
        refused(environment, "shrink 1 --range 18446744073709551615", "18446744073709551615");
        refused(environment, "open --session-file none/x --size 0", "--size 0 is less");
        refused(environment, "send nobody /etc/passwd", "no receiver named 'nobody'");
      }
      SessionTicket ended = new SessionTicket("x", 1, 4096, 1, 1, 1);
      try (SessionFile _ = SessionFile.create(file, ended)) {
        refused(environment, "range", "run 'pagetide open' first");
      }
    }
  }

  private static void refused(Map<String, String> environment, String line, String said) {
    CommandRun run = CommandRun.of(environment, new byte[0], line.split(" ", -1));

    assertThat(run.status()).as(line).isEqualTo(1);
    assertThat(run.err().lines()).as(line).hasSize(1);
    assertThat(run.err()).startsWith("pagetide: ").contains(said).doesNotContain(contractsWords());
  }

  /** The names of rpcs and fields that are no words of English. */
  private static List<String> contractsWords() {
    return Stream.of(PageRangeProto.getDescriptor(), ShrinkerProto.getDescriptor())
        .flatMap(file ->
            Stream.concat(
                file.getServices().stream()
                    .flatMap(service -> service.getMethods().stream())
                    .map(MethodDescriptor::getName)
                    .filter(name -> name.matches(".+[A-Z].*")),
                file.getMessageTypes().stream()
                    .flatMap(message -> message.getFields().stream())
                    .map(FieldDescriptor::getName)
                    .filter(name -> name.contains("_"))))
        .collect(Collectors.toList());
  }
}
