package dev.pagetide.client.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.Receiver;
import dev.pagetide.client.ReceiverOptions;
import dev.pagetide.client.ServerProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the commands do where a real server grants less than was asked for. */
final class GrantedSizeCommandTest {

  private static final int GRANTED = 256 << 10;

  @TempDir Path temporary = Path.of("");

  @SuppressWarnings("NullAway.Init") // started before all tests
  private static ServerProcess server;

  @BeforeAll
  static void start() throws IOException {
    server = ServerProcess.start("--max-range-bytes=" + GRANTED);
  }

  @AfterAll
  static void stop() throws IOException {
    server.close();
  }

  private static CommandRun run(String... line) {
    return CommandRun.of(Map.of("PAGETIDE_DIR", server.directory().toString()), new byte[0], line);
  }

  private String file(int bytes) throws IOException {
    return Files.write(temporary.resolve("file-" + bytes), new byte[bytes]).toString();
  }

  private static void isRefused(CommandRun run) {
    assertThat(run.status()).isEqualTo(1);
    assertThat(run.out()).isEmpty();
    assertThat(run.err().lines())
        .singleElement()
        .asString()
        .contains("1073741824", "262144", "--max-range-bytes", "(--at-most)")
        .doesNotContain("OpenOptions", "withSizeAtMost");
  }

  @Test
  void open_moreThanTheServerGrants_failsUnlessAtMost() {
    isRefused(run("open", "--size", "1GiB", "--session-file", session()));
    assertThat(Path.of(session())).doesNotExist();

    CommandRun taken = run("open", "--size", "1GiB", "--at-most", "--session-file", session());

    assertThat(taken.err()).isEmpty();
    assertThat(taken.status()).isZero();
    assertThat(taken.out()).containsPattern(": \\d+ pages of \\d+ bytes");
  }

  private String session() {
    return temporary.resolve("session").toString();
  }

  @Test
  void receive_moreThanTheServerGrants_failsUnlessAtMost() throws IOException {
    isRefused(run("receive", "inbox", "--size", "1GiB"));

    takesWhatThereIs("atmost", "--size", "1GiB", "--at-most");
    takesWhatThereIs("default");
  }

  private void takesWhatThereIs(String name, String... options) throws IOException {
    List<String> line = new ArrayList<>(List.of("receive", name, "--count", "1"));
    line.addAll(List.of(options));
    CompletableFuture<CommandRun> receiving =
        CompletableFuture.supplyAsync(
            () -> run(line.toArray(String[]::new)),
            task -> Thread.ofPlatform().daemon().start(task));
    List<CommandRun> sends = new ArrayList<>();
    await()
        .until(() -> {
          sends.add(run("send", name, file(10))); // fails until the receiver is there
          return receiving.isDone() || sends.getLast().status() == 0;
        });

    await().until(receiving::isDone);
    CommandRun received = receiving.getNow(sends.getLast());
    assertThat(received.err()).startsWith("receiving as " + name + ", 262144 bytes");
    assertThat(received.status()).isZero();
    assertThat(sends.getLast().out()).isEqualTo("sent 10 bytes\n");
  }

  @Test
  void send_moreThanARangeMayHave_namesTheRemedy() throws IOException {
    CommandRun sent = run("send", "nobody", file(GRANTED + 1));

    assertThat(sent.status()).isEqualTo(1);
    assertThat(sent.err().lines())
        .singleElement()
        .asString()
        .contains("262145 bytes", "a range of 262144", "raise its --max-range-bytes")
        .doesNotContain("size_bytes");
  }

  @Test
  void send_moreThanHalfOfTheReceiversRange_namesTheRemedy() throws IOException {
    try (PagetideClient client = PagetideClient.connect(server.directory());
        Receiver _ = client.openReceiver(ReceiverOptions.named("half"), _ -> {})) {
      CommandRun sent = run("send", "half", file(GRANTED / 2 + 8));

      assertThat(sent.status()).isEqualTo(1);
      assertThat(sent.err())
          .contains("half of a range", "at least 262160 bytes", "--max-range-bytes");
    }
  }
}
