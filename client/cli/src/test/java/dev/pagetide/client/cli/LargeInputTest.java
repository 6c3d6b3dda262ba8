package dev.pagetide.client.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.pagetide.client.ServerProcess;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code write} and {@code send} do with more than one piece, or one message, can carry. */
final class LargeInputTest {
  private static final byte[] NOTHING = new byte[0];
  private static final int RANGE_BYTES = 20 << 20;
  private static final int FILE_BYTES = 17 << 20;
  private static final int SEED = 7;

  @TempDir Path temporary = Path.of("");

  @AutoClose
  @SuppressWarnings("NullAway.Init") // started before each test
  private ServerProcess server;

  @SuppressWarnings("NullAway.Init")
  private OpenSession session;

  private Map<String, String> environment = Map.of();

  @BeforeEach
  void open() throws IOException {
    server =
        ServerProcess.start(
            "--max-range-bytes", "20MiB", "--max-resident-bytes", "64MiB", "--pressure", "off");
    Path file = temporary.resolve("session");
    environment =
        Map.of("PAGETIDE_DIR", server.directory().toString(), "PAGETIDE_SESSION", file.toString());
    session = OpenSession.start(environment, file, "--size", "20MiB");
  }

  @AfterEach
  void end() throws IOException {
    session.close();
  }

  private CommandRun run(String... line) {
    return CommandRun.of(environment, NOTHING, line);
  }

  /** A file of that size which takes no room on the disk. */
  private Path sparse(long bytes) throws IOException {
    Path path = temporary.resolve("sparse");
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(bytes);
    }
    return path;
  }

  private Path random() throws IOException {
    byte[] bytes = new byte[FILE_BYTES];
    new Random(SEED).nextBytes(bytes);
    return Files.write(temporary.resolve("random"), bytes);
  }

  @Test
  void write_moreThanTheRangeHolds_isRefusedWithTheTrueSizeAndWritesNothing() throws IOException {
    Path large = sparse((2L << 30) + 5);
    assertThat(run("use", "0..2").status()).isZero();
    assertThat(CommandRun.of(environment, new byte[] {'x'}, "write", "0").status()).isZero();

    CommandRun written = run("write", "0", large.toString());

    assertThat(written.status()).isEqualTo(1);
    assertThat(written.out()).isEmpty();
    assertThat(written.err())
        .isEqualTo(
            "pagetide: "
                + large
                + " has 2147483653 bytes, and the range has 20971520 from offset 0 on; nothing was"
                + " written: give fewer bytes, or open a larger range\n");
    assertThat(run("read", "0", "1").out()).isEqualTo("x");
  }

  @Test
  void write_endlessInput_isRefusedAndWritesNothing() {
    CommandRun written =
        CommandRun.of(
            environment,
            new InputStream() {
              @Override
              public int read() {
                return 'y';
              }

              @Override
              public int read(byte[] into, int offset, int length) {
                Arrays.fill(into, offset, offset + length, (byte) 'y');
                return length;
              }
            },
            "write",
            "4096");

    assertThat(written.status()).isEqualTo(1);
    assertThat(written.err())
        .isEqualTo(
            "pagetide: standard input has more than 20967424 bytes, and the range has 20967424 from"
                + " offset 4096 on; nothing was written: give fewer bytes, or open a larger"
                + " range\n");
  }

  @Test
  void write_fileOfSeveralPieces_writesAllOfIt() throws IOException {
    Path file = random();
    assertThat(run("use", "0.." + RANGE_BYTES / 4096).status()).isZero();

    CommandRun written = run("write", "4096", file.toString());

    assertThat(written.err()).isEmpty();
    assertThat(written.out()).isEqualTo("wrote " + FILE_BYTES + " bytes\n");
    assertThat(run("read", "4096", Integer.toString(FILE_BYTES)).bytes())
        .isEqualTo(ByteString.copyFrom(Files.readAllBytes(file)));
  }

  @Test
  void write_pageOnTheWayIsNotUsed_tellsHowMuchWasWritten() throws IOException {
    Path file = random();
    int usedBytes = 12 << 20;
    assertThat(run("use", "0.." + usedBytes / 4096).status()).isZero();

    CommandRun written = run("write", "0", file.toString());

    assertThat(written.status()).isEqualTo(1);
    assertThat(written.out()).isEmpty();
    assertThat(written.err())
        .contains("page 3072 is FREE, not USED")
        .endsWith("; the first " + usedBytes + " of " + FILE_BYTES + " bytes were written\n");
    assertThat(run("read", "0", Integer.toString(usedBytes)).bytes())
        .isEqualTo(ByteString.copyFrom(Files.readAllBytes(file), 0, usedBytes));
  }

  @Test
  void write_fileOfProc_writesItsContent() throws IOException {
    Path version = Path.of("/proc/version");
    assertThat(run("use", "0..1").status()).isZero();

    CommandRun written = run("write", "0", version.toString());

    long length = Files.readAllBytes(version).length;
    assertThat(length).isPositive();
    assertThat(written.out()).isEqualTo("wrote " + length + " bytes\n");
    assertThat(run("read", "0", Long.toString(length)).out()).isEqualTo(Files.readString(version));
  }

  @Test
  void send_moreThanTwoGibibytes_isRefusedWithWhatTheServerGrants() throws IOException {
    Path large = sparse((2L << 30) + 5);

    CommandRun sent = run("send", "inbox", large.toString());

    assertThat(sent.status()).isEqualTo(1);
    assertThat(sent.err())
        .startsWith(
            "pagetide: "
                + large
                + " has 2147483653 bytes, and the server grants a range of 20971520; raise its"
                + " --max-range-bytes");
  }
}
