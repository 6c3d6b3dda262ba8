package dev.pagetide.client.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.pagetide.client.OpenOptions;
import dev.pagetide.client.PageRange;
import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.ServerProcess;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code pagetide top} for scripts, against a real server. */
final class TopCommandTest {
  private static final String HOSTILE = "evil\u2028\ue000\\e[2J";
  private static final String HOSTILE_SHOWN = "evil\\u{2028}\\u{e000}\\\\e[2J";

  @TempDir Path temporary = Path.of("");

  private static CommandRun top(Path directory, String... options) {
    String[] arguments = new String[options.length + 1];
    arguments[0] = "top";
    System.arraycopy(options, 0, arguments, 1, options.length);
    return CommandRun.of(Map.of("PAGETIDE_DIR", directory.toString()), new byte[0], arguments);
  }

  @Test
  void once_sessions_areRowsInTheOrderAskedFor() throws IOException {
    try (ServerProcess server = ServerProcess.start();
        PagetideClient client = PagetideClient.connect(server.directory());
        PageRange many = client.open(new OpenOptions(HOSTILE, 64 << 10));
        PageRange few = client.open(new OpenOptions("few", 64 << 10))) {
      var _ = many.useRange(0, 9);
      var _ = few.useRange(0, 2);

      CommandRun byUsed = top(server.directory(), "--once");
      CommandRun byName = top(server.directory(), "--once", "--sort", "name", "--reverse");
      CommandRun byFree = top(server.directory(), "--once", "--sort=free", "--color=always");
      CommandRun json = top(server.directory(), "--once", "--json");

      assertThat(byUsed.err()).isEmpty();
      assertThat(byUsed.status()).isZero();
      List<String> lines = byUsed.out().lines().toList();
      assertThat(lines).hasSize(9);
      assertThat(lines.get(0)).endsWith(server.directory().toString());
      assertThat(lines.get(3))
          .isEqualTo("Sessions   2  waiting uses 0  strays 0  contradictions 0");
      assertThat(lines.get(7)).endsWith(" " + HOSTILE_SHOWN).contains(" 9 ");
      assertThat(lines.get(8)).endsWith(" few");
      assertThat(byUsed.out()).matches("[\\P{C}\n]+");
      assertThat(byName.out().lines().toList().get(7)).endsWith(" few");
      assertThat(byFree.out()).contains("\u001b[").endsWith(HOSTILE_SHOWN + "\n");
      assertThat(json.out()).matches("[ -~]+\n");
      JsonObject parsed = JsonParser.parseString(json.out()).getAsJsonObject();
      assertThat(parsed.get("sessions").getAsInt()).isEqualTo(2);
      JsonObject range = parsed.getAsJsonArray("ranges").get(0).getAsJsonObject();
      assertThat(range.get("name").getAsString()).isEqualTo(HOSTILE);
      assertThat(range.get("used_pages").getAsInt()).isEqualTo(9);
      assertThat(range.get("pid").getAsLong()).isEqualTo(ProcessHandle.current().pid());
      assertThat(range.get("oldest_used_seconds").getAsDouble()).isPositive();
    }
  }

  @Test
  void once_noServer_isOneSentenceAndStatusOne() {
    for (String[] options : new String[][] {{"--once"}, {"--once", "--json"}}) {
      CommandRun run = top(temporary.resolve("absent"), options);

      assertThat(run.status()).isEqualTo(1);
      assertThat(run.out()).isEmpty();
      assertThat(run.err()).startsWith("pagetide: ").hasLineCount(1);
    }
  }

  @Test
  void top_noTerminal_saysWhatToGive() {
    CommandRun run = top(temporary);

    assertThat(run.status()).isEqualTo(1);
    assertThat(run.out()).isEmpty();
    assertThat(run.err())
        .isEqualTo(
            "pagetide: there is no terminal to draw on; give --once, or --json for a line each"
                + " time\n");
  }

  @Test
  void top_badOptions_areMisuse() {
    assertThat(top(temporary, "--interval", "99ms").status()).isEqualTo(2);
    assertThat(top(temporary, "--sort", "beauty").err()).contains("beauty", "contradictions");
  }

  @Test
  void json_serverGoneAndBack_isALineEachTimeUntilNobodyReads() throws Exception {
    try (ServerProcess server = ServerProcess.start()) {
      Lines out = new Lines();
      CommandIo io =
          new CommandIo(
              InputStream.nullInputStream(),
              new PrintStream(out, true, StandardCharsets.UTF_8),
              new PrintStream(OutputStream.nullOutputStream(), true, StandardCharsets.UTF_8),
              Map.of("PAGETIDE_DIR", server.directory().toString()),
              false,
              false,
              false);
      CompletableFuture<Integer> run =
          CompletableFuture.supplyAsync(
              () -> Pagetide.run(io, "top", "--json", "--interval=100ms"),
              task -> Thread.ofPlatform().daemon().start(task));
      out.awaitAnother("\"sessions\"");
      server.kill();
      out.awaitAnother("\"error\":\"no server listens at " + server.directory());
      server.startAgain();
      out.awaitAnother("\"sessions\"");
      out.closed = true;

      assertThat(run.get(1, TimeUnit.MINUTES)).isEqualTo(1);
      assertThat(out.text().lines())
          .hasSizeGreaterThan(2)
          .allSatisfy(line ->
              assertThat(JsonParser.parseString(line).getAsJsonObject().keySet()).contains("time"))
          .noneMatch(line -> line.contains("ListRanges:") || line.contains("Count:"));
    }
  }

  /** Standard output until somebody stops reading it. */
  private static final class Lines extends OutputStream {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    volatile boolean closed;

    @Override
    public void write(int b) throws IOException {
      write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] from, int offset, int length) throws IOException {
      if (closed) {
        throw new IOException("nobody reads");
      }
      bytes.write(from, offset, length);
    }

    String text() {
      return bytes.toString(StandardCharsets.UTF_8);
    }

    /** Waits for another line that contains {@code text}. */
    void awaitAnother(String text) {
      long before = text().lines().count();
      await()
          .atMost(Duration.ofSeconds(60))
          .until(() ->
              text()
                  .lines()
                  .skip(before)
                  .anyMatch(line -> line.contains(text) && line.endsWith("}")));
    }
  }
}
