package dev.pagetide.client.launch;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;

/** A copy of one launcher, in a module's folder of its own whose jar is {@link StandIn}. */
record Launcher(Path module, String name) {

  private static final int PATIENCE_SECONDS = 120;
  private static final Path HOME = Path.of(System.getProperty("java.home"));
  private static final String MAIN = StandIn.class.getName();

  /** Copies {@code original} and makes its jar, without a cache. */
  static Launcher copyOf(Path original, Path module) throws IOException {
    Launcher launcher = new Launcher(module, original.getFileName().toString());
    Files.createDirectories(module.resolve("bin"));
    Files.createDirectories(launcher.target());
    // Whatever the umask of the tests is.
    Files.setPosixFilePermissions(launcher.target(), PosixFilePermissions.fromString("rwxr-xr-x"));
    Files.copy(original, launcher.script(), StandardCopyOption.COPY_ATTRIBUTES);
    Manifest manifest = new Manifest();
    manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
    manifest.getMainAttributes().put(Attributes.Name.MAIN_CLASS, MAIN);
    String entry = MAIN.replace('.', '/') + ".class";
    try (JarOutputStream jar =
            new JarOutputStream(Files.newOutputStream(launcher.jar()), manifest);
        InputStream bytes = StandIn.class.getResourceAsStream("/" + entry)) {
      jar.putNextEntry(new JarEntry(entry));
      jar.write(bytes.readAllBytes());
    }
    Files.setPosixFilePermissions(launcher.jar(), PosixFilePermissions.fromString("rw-r--r--"));
    setAge(launcher.jar(), Duration.ofHours(1));
    return launcher;
  }

  /** A copy of this one with all files and their times. */
  Launcher copy(Path destination) throws IOException {
    try (Stream<Path> files = Files.walk(module)) {
      files.forEach(file -> {
        try {
          Files.copy(
              file,
              destination.resolve(module.relativize(file).toString()),
              StandardCopyOption.COPY_ATTRIBUTES);
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      });
    }
    return new Launcher(destination, name);
  }

  /** Makes the cache as the build does for the client. */
  Run makeCache(Map<String, String> environment) throws IOException, InterruptedException {
    return run(
        environment,
        List.of(
            "sh", Path.of("../../.mvn/make-aot-cache").toString(), "client", module.toString()));
  }

  Run start(String... arguments) throws IOException, InterruptedException {
    return start(Map.of(), arguments);
  }

  Run start(Map<String, String> environment, String... arguments)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(script().toString()));
    command.addAll(List.of(arguments));
    return run(environment, command);
  }

  private Run run(Map<String, String> environment, List<String> command)
      throws IOException, InterruptedException {
    Path out = Files.createTempFile("pagetide-launcher", ".out");
    Path err = Files.createTempFile("pagetide-launcher", ".err");
    try {
      ProcessBuilder builder =
          new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(err.toFile());
      for (String options :
          List.of("PAGETIDE_JAVA_OPTS", "JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS")) {
        builder.environment().remove(options);
      }
      builder.environment().put("PAGETIDE_JAVA_HOME", HOME.toString());
      builder.environment().putAll(environment);
      Process process = builder.start();
      if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw new IllegalStateException(command + " does not end: " + Files.readString(err));
      }
      return new Run(process.exitValue(), Files.readString(out), Files.readString(err));
    } finally {
      Files.delete(out);
      Files.delete(err);
    }
  }

  static void setAge(Path file, Duration age) throws IOException {
    Files.setLastModifiedTime(file, FileTime.from(Instant.now().minus(age)));
  }

  Path script() {
    return module.resolve("bin", name);
  }

  Path target() {
    return module.resolve("target");
  }

  Path jar() {
    return target().resolve(name + ".jar");
  }

  Path cache() {
    return target().resolve(name + ".aot");
  }

  Path release() {
    return target().resolve(name + ".aot.release");
  }

  /** A process that has ended, and what it wrote. */
  record Run(int status, String out, String err) {
    /** Whether the launcher gave the JVM a cache. */
    boolean usedCache() {
      return err.contains(" -XX:AOTCache=");
    }
  }
}
