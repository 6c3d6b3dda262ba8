package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.testkit.Requires;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What a project that depends on the library downloads: the class path of {@code
 * client/examples/java} as Maven resolves it, with what the build of this tree has fetched.
 *
 * <p>The example is resolved as a stranger's project is: alone, in a local repository of its own
 * that holds our poms and classes, so nothing that this tree manages or imports reaches it. All
 * else comes from the build's own local repository, read as a remote one, so no network is needed.
 */
@Tag(Requires.TAG)
final class ConsumerClassPathTest {
  private static final long MOST_BYTES = 20_000_000;
  private static final long MOST_MINUTES = 5;
  private static final String VERSION = "0.1.0-SNAPSHOT";
  private static final Path TREE = Path.of("../..");
  private static final Pattern NATIVE =
      Pattern.compile(".*\\.(so|dylib|jnilib|dll)(\\..*)?", Pattern.CASE_INSENSITIVE);

  @TempDir static Path folder = Path.of("");

  private static List<Path> jars = List.of();

  @BeforeAll
  static void resolve() throws IOException, InterruptedException {
    Path maven = Requires.command("mvn", "Maven resolves what the library's users download");
    Path repository = folder.resolve("repository");
    install(repository, "pagetide", TREE, false);
    install(repository, "pagetide-proto", TREE.resolve("proto"), true);
    install(repository, "pagetide-client", TREE.resolve("client/library"), true);
    Path project = Files.createDirectory(folder.resolve("project"));
    Files.copy(TREE.resolve("client/examples/java/pom.xml"), project.resolve("pom.xml"));
    Path settings = folder.resolve("settings.xml");
    Path fetched = Path.of(System.getProperty("pagetide.localRepository"));
    Files.writeString(
        settings,
        "<settings><mirrors><mirror><id>fetched</id><mirrorOf>*</mirrorOf><url>"
            + fetched.toUri()
            + "</url></mirror></mirrors></settings>");
    Path said = folder.resolve("said");
    Path classPath = folder.resolve("class-path");
    List<String> command = new ArrayList<>(List.of(maven.toString(), "--batch-mode", "--quiet"));
    command.addAll(List.of("--settings", settings.toString()));
    command.addAll(List.of("--global-settings", settings.toString()));
    command.add("-Dmaven.repo.local=" + repository);
    command.add("-Dexec.executable=echo");
    command.add("-Dexec.args=%classpath");
    command.add("-Dexec.outputFile=" + classPath);
    command.add("org.codehaus.mojo:exec-maven-plugin:3.6.4:exec");
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .directory(project.toFile())
            .redirectInput(new File("/dev/null"))
            .redirectErrorStream(true)
            .redirectOutput(said.toFile());
    builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
    builder.environment().keySet().removeAll(Set.of("MAVEN_ARGS", "MAVEN_OPTS"));
    Process process = builder.start();
    try {
      boolean ended = process.waitFor(MOST_MINUTES, TimeUnit.MINUTES);

      assertThat(ended).as("ended; said so far: %s", Files.readString(said)).isTrue();
      assertThat(process.exitValue()).as(Files.readString(said)).isZero();
    } finally {
      process.descendants().forEach(ProcessHandle::destroyForcibly);
      process.destroyForcibly();
    }
    jars =
        Stream.of(Files.readString(classPath).strip().split(File.pathSeparator, -1))
            .filter(entry -> entry.endsWith(".jar"))
            .map(Path::of)
            .toList();
  }

  /** What {@code mvn install} leaves of a module: its pom, and its classes as they are now. */
  private static void install(Path repository, String artifact, Path module, boolean classes)
      throws IOException {
    Path home =
        Files.createDirectories(repository.resolve("dev/pagetide/" + artifact + "/" + VERSION));
    Path file = home.resolve(artifact + "-" + VERSION);
    Files.copy(module.resolve("pom.xml"), Path.of(file + ".pom"));
    if (!classes) {
      return;
    }
    Path root = module.resolve("target/classes");
    try (OutputStream bytes = Files.newOutputStream(Path.of(file + ".jar"));
        JarOutputStream jar = new JarOutputStream(bytes);
        Stream<Path> files = Files.walk(root)) {
      for (Path entry : files.filter(Files::isRegularFile).toList()) {
        jar.putNextEntry(new JarEntry(root.relativize(entry).toString()));
        Files.copy(entry, jar);
      }
    }
  }

  private static Stream<String> names() {
    return jars.stream().map(jar -> jar.getFileName().toString());
  }

  @Test
  void jars_ofAConsumer_areOursAndLessThan20Megabytes() throws IOException {
    long bytes = 0;
    for (Path jar : jars) {
      bytes += Files.size(jar);
    }

    assertThat(names())
        .contains("pagetide-client-" + VERSION + ".jar", "pagetide-proto-" + VERSION + ".jar")
        .anyMatch(name -> name.startsWith("grpc-netty-"));
    assertThat(bytes).as(jars.size() + " jars: " + jars).isLessThan(MOST_BYTES);
  }

  @Test
  void netty_ofAConsumer_isOfOneVersion() {
    List<Path> netty = jars.stream().filter(jar -> jar.toString().contains("/io/netty/")).toList();

    assertThat(netty).hasSizeGreaterThan(10);
    assertThat(netty.stream().map(jar -> jar.getName(jar.getNameCount() - 2)).distinct())
        .as(netty.toString())
        .hasSize(1);
  }

  @Test
  void natives_ofAConsumer_areThoseForLinux() throws IOException {
    List<String> natives = new ArrayList<>();
    for (Path jar : jars) {
      try (JarFile file = new JarFile(jar.toFile())) {
        file.stream()
            .map(JarEntry::getName)
            .filter(name -> NATIVE.matcher(name).matches())
            .forEach(natives::add);
      }
    }

    assertThat(natives)
        .containsExactlyInAnyOrder(
            "META-INF/native/libnetty_transport_native_epoll_x86_64.so",
            "META-INF/native/libnetty_transport_native_epoll_aarch_64.so");
  }

  @Test
  void commandLine_ofAConsumer_isNotThere() {
    assertThat(names())
        .noneMatch(name -> name.startsWith("picocli"))
        .noneMatch(name -> name.startsWith("jline"))
        .noneMatch(name -> name.startsWith("netty-all"))
        .noneMatch(name -> name.startsWith("pagetide-cli-"))
        .noneMatch(name -> name.startsWith("pagetide-server"));
  }
}
