package dev.pagetide.client.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code pagetide send} and {@code pagetide receive}, over a relay that hands bytes on. */
final class SendReceiveTest {

  private static final byte[] HELLO = "hello\n".getBytes(StandardCharsets.UTF_8);

  @TempDir Path temporary = Path.of("");

  @SuppressWarnings("NullAway.Init") // started before each test
  private FakeRelay relay;

  @BeforeEach
  void start() throws IOException {
    relay = new FakeRelay();
  }

  @AfterEach
  void stop() {
    relay.close();
  }

  private CommandRun run(byte[] input, String... arguments) {
    List<String> all = new ArrayList<>(Arrays.asList(arguments));
    all.addAll(List.of("--connect", relay.address()));
    return CommandRun.of(Map.of(), input, all.toArray(String[]::new));
  }

  private CompletableFuture<CommandRun> receive(String... arguments) {
    CompletableFuture<CommandRun> running =
        CompletableFuture.supplyAsync(
            () -> run(new byte[0], arguments), task -> Thread.ofPlatform().daemon().start(task));
    await().until(() -> running.isDone() || relay.hasReceiver("inbox"));
    assertThat(running).isNotDone();
    return running;
  }

  private static CommandRun join(CompletableFuture<CommandRun> running) {
    await().until(running::isDone);
    return running.join();
  }

  @Test
  void send_oneWay_itsBytesComeOutOfReceive() {
    CompletableFuture<CommandRun> receiver = receive("receive", "inbox", "--count", "2");

    CommandRun first = run(HELLO, "send", "inbox", "--code", "7");
    CommandRun second = run(new byte[0], "send", "inbox");

    assertThat(first.err()).isEmpty();
    assertThat(first.status()).isZero();
    assertThat(first.out()).isEqualTo("sent 6 bytes\n");
    assertThat(second.out()).isEqualTo("sent 0 bytes\n");
    CommandRun received = join(receiver);
    assertThat(received.status()).isZero();
    assertThat(received.out()).isEqualTo("hello\n");
    assertThat(received.err().lines())
        .satisfiesExactly(
            line -> assertThat(line).startsWith("receiving as inbox"),
            line ->
                assertThat(line)
                    .matches(
                        "from \\\\u\\{1b}\\[31msender-\\d+-[0-9a-f]{8}, pid 42, uid \\?: one-way,"
                            + " code 7, 6 bytes"),
            line -> assertThat(line).endsWith("one-way, code 0, 0 bytes"));
  }

  @Test
  void send_twoWay_writesTheReplyAndNothingElse() throws IOException {
    Path file = temporary.resolve("file");
    byte[] bytes = new byte[100_000];
    Arrays.fill(bytes, (byte) 'x');
    Files.write(file, bytes);
    Path output = temporary.resolve("output");
    CompletableFuture<CommandRun> receiver =
        receive(
            "receive", "inbox", "--count", "1", "--reply", "thanks", "--output", output.toString());

    CommandRun sent =
        run(new byte[0], "send", "inbox", file.toString(), "--two-way", "--timeout", "20s");

    assertThat(sent.err()).isEmpty();
    assertThat(sent.status()).isZero();
    assertThat(sent.out()).isEqualTo("thanks");
    CommandRun received = join(receiver);
    assertThat(received.status()).isZero();
    assertThat(received.out()).isEmpty();
    assertThat(output).hasBinaryContent(bytes);
  }

  @Test
  void send_nobodyReceives_fails() {
    CommandRun sent = run(HELLO, "send", "nobody");

    assertThat(sent.status()).isEqualTo(1);
    assertThat(sent.err()).isEqualTo("pagetide: nobody receives as nobody\n");
    assertThat(sent.out()).isEmpty();
  }

  @Test
  void send_noSuchFile_fails() {
    Path none = temporary.resolve("none");

    CommandRun sent = run(HELLO, "send", "inbox", none.toString());

    assertThat(sent.status()).isEqualTo(1);
    assertThat(sent.err()).isEqualTo("pagetide: there is no file " + none + "\n");
  }

  @Test
  void send_moreThanAMessageCarries_withoutSharedMemory_fails() {
    CommandRun sent = run(new byte[(1 << 20) + 1], "send", "inbox");

    assertThat(sent.status()).isEqualTo(1);
    assertThat(sent.err()).contains("1048577 bytes", "max_data_bytes=1048576", "not mapped");
  }

  @Test
  void send_fileOfProc_sendsItsContentAlthoughItsSizeIsZero() throws IOException {
    Path version = Path.of("/proc/version");
    assertThat(Files.size(version)).isZero();
    CompletableFuture<CommandRun> receiver = receive("receive", "inbox", "--count", "1");

    CommandRun sent = run(new byte[0], "send", "inbox", version.toString());

    assertThat(sent.err()).isEmpty();
    assertThat(sent.out()).isEqualTo("sent " + Files.readAllBytes(version).length + " bytes\n");
    assertThat(join(receiver).out()).isEqualTo(Files.readString(version));
  }

  @Test
  void send_moreThanAnArrayHolds_withoutSharedMemory_fails() throws IOException {
    Path large = temporary.resolve("large");
    try (RandomAccessFile file = new RandomAccessFile(large.toFile(), "rw")) {
      file.setLength(2L << 30);
    }

    CommandRun sent = run(new byte[0], "send", "inbox", large.toString());

    assertThat(sent.status()).isEqualTo(1);
    assertThat(sent.err())
        .isEqualTo(
            "pagetide: "
                + large
                + " has 2147483648 bytes, which go through shared memory only, and this client has"
                + " mapped none; send it on the server's host, with --dir\n");
  }

  @Test
  void receive_fileThatCannotBeWritten_isNamedWithTheReason() {
    CompletableFuture<CommandRun> receiver = receive("receive", "inbox", "--output", "/dev/full");

    assertThat(run(HELLO, "send", "inbox").status()).isZero();

    CommandRun received = join(receiver);
    assertThat(received.status()).isEqualTo(1);
    assertThat(received.err()).contains("pagetide: cannot write /dev/full: ");
  }

  @Test
  void send_inputCannotBeRead_saysWhy() {
    InputStream directory =
        new InputStream() {
          @Override
          public int read() throws IOException {
            throw new IOException("Is a directory");
          }

          @Override
          public int read(byte[] into, int offset, int length) throws IOException {
            return read();
          }
        };

    CommandRun sent = CommandRun.of(Map.of(), directory, "send", "inbox");

    assertThat(sent.status()).isEqualTo(1);
    assertThat(sent.err()).isEqualTo("pagetide: cannot read standard input: Is a directory\n");
  }

  @Test
  void receive_serverEnds_saysSoAndFails() {
    CompletableFuture<CommandRun> receiver = receive("receive", "inbox");

    relay.close();

    CommandRun received = join(receiver);
    assertThat(received.status()).isEqualTo(1);
    assertThat(received.err()).contains("the connection to the server was lost");
  }
}
