package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.testkit.Requires;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The contract as it is, without an option more, gives stubs in languages other than Java. */
@Tag(Requires.TAG)
final class ContractStubsTest {

  private static final Path CONTRACT = Path.of("../../proto/src/main/proto");
  private static final int PATIENCE_SECONDS = 120;

  @TempDir Path stubs = Path.of("");

  @Test
  void contract_protocGo_onePackageOfMessagesAndServices()
      throws IOException, InterruptedException {
    Path messages =
        Requires.command("protoc-gen-go", "it generates Go messages (Debian: protoc-gen-go)");
    Path services =
        Requires.command("protoc-gen-go-grpc", "it generates Go (Debian: protoc-gen-go-grpc)");

    generate(
        "--plugin=" + messages,
        "--plugin=" + services,
        "--go_out=" + stubs,
        "--go-grpc_out=" + stubs);

    Path folder = stubs.resolve("pagetide.dev/proto/pagetide/v1");
    assertThat(generated()).extracting(Path::getParent).containsOnly(folder);
    for (String name : protos()) {
      assertThat(folder.resolve(name + ".pb.go")).content().contains("\npackage pagetidev1\n");
      assertThat(folder.resolve(name + "_grpc.pb.go"))
          .content()
          .contains("\npackage pagetidev1\n", "ServiceClient interface {");
    }
  }

  @Test
  void contract_protocCpp_messagesAndServices() throws IOException, InterruptedException {
    Path plugin =
        Requires.command(
            "grpc_cpp_plugin", "it generates C++ stubs (Debian: protobuf-compiler-grpc)");

    generate("--plugin=protoc-gen-grpc=" + plugin, "--cpp_out=" + stubs, "--grpc_out=" + stubs);

    for (String name : protos()) {
      Path folder = stubs.resolve("pagetide/v1");
      assertThat(folder.resolve(name + ".pb.h")).content().contains("namespace pagetide {");
      assertThat(folder.resolve(name + ".grpc.pb.h")).content().contains("Service final {");
    }
  }

  @Test
  void contract_protocPython_messagesAndServices() throws IOException, InterruptedException {
    Path plugin =
        Requires.command(
            "grpc_python_plugin", "it generates Python stubs (Debian: protobuf-compiler-grpc)");

    generate(
        "--plugin=protoc-gen-grpc_python=" + plugin,
        "--python_out=" + stubs,
        "--grpc_python_out=" + stubs);

    for (String name : protos()) {
      Path folder = stubs.resolve("pagetide/v1");
      assertThat(folder.resolve(name + "_pb2.py")).content().contains("DESCRIPTOR");
      assertThat(folder.resolve(name + "_pb2_grpc.py")).content().contains("ServiceStub(object)");
    }
  }

  /** Runs protoc on every file of the contract; it may say nothing. */
  private void generate(String... options) throws IOException, InterruptedException {
    Path protoc =
        Requires.command("protoc", "it generates message stubs (Debian: protobuf-compiler)");
    List<String> command = new ArrayList<>(List.of(protoc.toString(), "-I", CONTRACT.toString()));
    command.addAll(List.of(options));
    protos().forEach(name -> command.add("pagetide/v1/" + name + ".proto"));
    Path log = Files.createTempFile("pagetide-protoc", ".log");
    try {
      Process process =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(log.toFile())
              .start();
      boolean ended = process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS);
      process.destroyForcibly();
      assertThat(ended).as("protoc ends").isTrue();
      assertThat(log).content().isEmpty();
      assertThat(process.exitValue()).isZero();
    } finally {
      Files.delete(log);
    }
  }

  private List<Path> generated() throws IOException {
    try (Stream<Path> files = Files.walk(stubs)) {
      return files.filter(Files::isRegularFile).toList();
    }
  }

  /** The names of the contract's files, without ending. */
  private static List<String> protos() throws IOException {
    try (Stream<Path> files = Files.list(CONTRACT.resolve("pagetide/v1"))) {
      List<String> names =
          files.map(file -> file.getFileName().toString().replaceFirst("\\.proto$", "")).toList();
      assertThat(names).isNotEmpty();
      return names;
    }
  }
}
