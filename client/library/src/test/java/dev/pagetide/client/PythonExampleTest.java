package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.shm.HandoffStatus;
import dev.pagetide.shm.SharedFileHeader;
import dev.pagetide.shm.SharedFileLayout;
import dev.pagetide.testkit.Requires;
import dev.pagetide.v1.Opened;
import dev.pagetide.v1.SharedFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The Python example, a process that shares no code with the server, against a real server and
 * against one that breaks its promises.
 */
@Tag(Requires.TAG)
final class PythonExampleTest {

  private static final String PYTHON = "/usr/bin/python3";
  private static final Path EXAMPLE = Path.of("../examples/python/pagetide_example.py");
  private static final Path CONTRACT = Path.of("../../proto/src/main/proto");
  private static final int SIZE_BYTES = 64 << 10;
  private static final int PATIENCE_SECONDS = 120;

  @TempDir static Path stubs = Path.of("");

  private static int pageSize;

  @TempDir Path temporary = Path.of("");

  @BeforeAll
  static void generateStubs() throws IOException, InterruptedException {
    Requires.that(Files.isExecutable(Path.of(PYTHON)), PYTHON + ": the example is run by it");
    Path protoc =
        Requires.command("protoc", "it generates message stubs (Debian: protobuf-compiler)");
    Path plugin =
        Requires.command(
            "grpc_python_plugin", "it generates gRPC stubs (Debian: protobuf-compiler-grpc)");
    Run modules =
        Run.of(stubs, PYTHON, "-c", "import grpc, google.protobuf, mmap; print(mmap.PAGESIZE)");
    Requires.that(
        modules.status() == 0,
        "grpc and protobuf in %s (Debian: python3-grpcio, python3-protobuf): %s"
            .formatted(PYTHON, modules.err()));
    pageSize = Integer.parseInt(modules.out().strip());

    Run generated =
        Run.of(
            stubs,
            protoc.toString(),
            "-I",
            CONTRACT.toString(),
            "--plugin=protoc-gen-grpc_python=" + plugin,
            "--python_out=" + stubs,
            "--grpc_python_out=" + stubs,
            "pagetide/v1/page_range.proto");
    assertThat(generated.status()).as(generated.err()).isZero();
  }

  @Test
  void example_realServer_sharesAPageAndLeavesNothing() throws IOException, InterruptedException {
    try (ServerProcess server = ServerProcess.start();
        PagetideClient operator = PagetideClient.connect(server.directory())) {
      Run run = example(server.directory());

      assertThat(run.err()).isEmpty();
      assertThat(run.status()).isZero();
      List<String> lines = run.out().lines().toList();
      assertThat(lines).hasSize(10);
      assertThat(lines.subList(0, 8))
          .containsExactly(
              "opened %d pages of %d bytes".formatted(layout().pageCount(), pageSize),
              "mapped %d bytes, header as promised".formatted(layout().sizeBytes()),
              "page 0 is FREE, stamp 0",
              "UseRange, fresh: [0, 1)",
              "page 0 is USED, stamp 0",
              "written through the mapping, read over RPC: hello, server",
              "written over RPC, read through the mapping: hello, client",
              "StopUsingRange");
      assertThat(lines.get(8)).matches("page 0 is AVAILABLE, stamp [1-9][0-9]*");
      assertThat(lines.get(9)).isEqualTo("closed the session");
      await().untilAsserted(() -> assertThat(operator.shrinker().listRanges()).isEmpty());
    }
  }

  @Test
  void example_noServer_saysWhere() throws IOException, InterruptedException {
    assertFailure(
        example(temporary), "pagetide_example: no server to talk to in " + temporary + ": ");
  }

  @Test
  void example_serverRefusesToOpen_saysWhyAndLeavesTheOtherAlone()
      throws IOException, InterruptedException {
    try (ServerProcess server = ServerProcess.start("--max-sessions", "1");
        PagetideClient other = PagetideClient.connect(server.directory());
        PageRange range = other.open(OpenOptions.ofSize(SIZE_BYTES))) {
      Run run = example(server.directory());

      assertFailure(run, "pagetide_example: the server refused: RESOURCE_EXHAUSTED: ");
      assertThat(run.err()).contains("--max-sessions");
      assertThat(range.describe().freePages()).isEqualTo(range.pageCount());
    }
  }

  @Test
  void example_handoffRefused_saysWhyAndUsesNoPage() throws IOException, InterruptedException {
    try (FakeHandoff server =
        new FakeHandoff(temporary, promise(), HandoffStatus.BUSY.code(), file(8, 9))) {
      Run run = example(temporary);

      assertFailure(
          run, opening(), "handoff.sock handed over no file: too many connections wait; try again");
      assertThat(server.uses).hasValue(0);
    }
  }

  @Test
  void example_fileOfAnotherServer_isNotUsed() throws IOException, InterruptedException {
    Path file = file(8, 10);
    byte[] before = Files.readAllBytes(file);
    try (FakeHandoff server =
        new FakeHandoff(temporary, promise(), HandoffStatus.PASSED.code(), file)) {
      Run run = example(temporary);

      assertFailure(run, opening(), "the header's server instance is 10, not 9 as promised");
      assertThat(server.uses).hasValue(0);
      assertThat(file).hasBinaryContent(before);
    }
  }

  @Test
  void example_fileTooShort_isNotMapped() throws IOException, InterruptedException {
    Path file = file(8, 9);
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.truncate(layout().sizeBytes() - 1);
    }
    try (FakeHandoff server =
        new FakeHandoff(temporary, promise(), HandoffStatus.PASSED.code(), file)) {
      Run run = example(temporary);

      assertFailure(
          run,
          opening(),
          "the file's size is %d, not %d as promised"
              .formatted(layout().sizeBytes() - 1, layout().sizeBytes()));
      assertThat(server.uses).hasValue(0);
    }
  }

  @Test
  void example_noStubs_saysWhereToReadOn() throws IOException, InterruptedException {
    Run run = Run.of(temporary, PYTHON, EXAMPLE.toString(), "--dir", temporary.toString());

    assertFailure(run, "pagetide_example: No module named 'pagetide'; README.md says");
  }

  private static SharedFileLayout layout() {
    return SharedFileLayout.of(pageSize, SIZE_BYTES / pageSize);
  }

  /** Opened as of range 8 of server instance 9. */
  private static Opened promise() {
    SharedFileLayout layout = layout();
    return Opened.newBuilder()
        .setSession("secret")
        .setRangeId(8)
        .setServerInstance(9)
        .setPageSize(layout.pageSize())
        .setPageCount(layout.pageCount())
        .setFile(
            SharedFile.newBuilder()
                .setLayoutVersion(SharedFileLayout.VERSION)
                .setSizeBytes(layout.sizeBytes())
                .setTableOffset(layout.tableOffset())
                .setDataOffset(layout.dataOffset()))
        .build();
  }

  private Path file(long rangeId, long serverInstance) throws IOException {
    Path file = temporary.resolve("file");
    try (Arena arena = Arena.ofConfined();
        FileChannel channel =
            FileChannel.open(
                file,
                StandardOpenOption.CREATE_NEW,
                StandardOpenOption.READ,
                StandardOpenOption.WRITE)) {
      var bytes = channel.map(FileChannel.MapMode.READ_WRITE, 0, layout().sizeBytes(), arena);
      new SharedFileHeader(bytes).writeOnce(layout(), rangeId, serverInstance);
    }
    return file;
  }

  private static String opening() {
    return "opened %d pages of %d bytes\n".formatted(layout().pageCount(), pageSize);
  }

  private static void assertFailure(Run run, String sentence) {
    assertFailure(run, "", sentence);
  }

  private static void assertFailure(Run run, String out, String sentence) {
    assertThat(run.err()).startsWith("pagetide_example: ").contains(sentence);
    assertThat(run.err().lines()).hasSize(1);
    assertThat(run.status()).isEqualTo(1);
    assertThat(run.out()).isEqualTo(out);
  }

  private static Run example(Path directory) throws IOException, InterruptedException {
    return Run.of(stubs, PYTHON, EXAMPLE.toString(), "--dir", directory.toString());
  }

  /** A process that has ended, and what it wrote. */
  private record Run(int status, String out, String err) {

    static Run of(Path pythonPath, String... command) throws IOException, InterruptedException {
      Path out = Files.createTempFile("pagetide-python", ".out");
      Path err = Files.createTempFile("pagetide-python", ".err");
      try {
        ProcessBuilder builder =
            new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(err.toFile());
        builder.environment().put("PYTHONPATH", pythonPath.toString());
        Process process = builder.start();
        if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
          process.destroyForcibly();
          throw new IllegalStateException(
              String.join(" ", command) + " does not end: " + Files.readString(err));
        }
        return new Run(process.exitValue(), Files.readString(out), Files.readString(err));
      } finally {
        Files.delete(out);
        Files.delete(err);
      }
    }
  }
}
