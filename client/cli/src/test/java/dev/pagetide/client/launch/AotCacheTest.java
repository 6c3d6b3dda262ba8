package dev.pagetide.client.launch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.client.launch.Launcher.Run;
import dev.pagetide.testkit.Requires;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever has become of the AOT cache, a command writes the same and ends the same. */
final class AotCacheTest {

  private static final String SERVER = "../../server/bin/pagetide-server";
  private static final String CLIENT = "../bin/pagetide";

  @TempDir static Path made = Path.of("");

  private static final Map<String, Launcher> WITH_CACHE = new HashMap<>();

  @TempDir Path temporary = Path.of("");

  @BeforeAll
  static void makeCaches() throws IOException, InterruptedException {
    for (String original : new String[] {SERVER, CLIENT}) {
      Path module = made.resolve("module of " + Path.of(original).getFileName());
      Launcher launcher = Launcher.copyOf(Path.of(original), module);
      String output = "-XX:AOTCacheOutput=" + made.resolve("cache");
      Run training = launcher.start(Map.of("PAGETIDE_JAVA_OPTS", output), "--help");
      assertThat(training.status()).as(training.err()).isZero();
      Files.move(made.resolve("cache"), launcher.cache());
      Files.setPosixFilePermissions(launcher.cache(), PosixFilePermissions.fromString("rw-r--r--"));
      Files.copy(Path.of(System.getProperty("java.home"), "release"), launcher.release());
      Files.setPosixFilePermissions(
          launcher.release(), PosixFilePermissions.fromString("rw-r--r--"));
      WITH_CACHE.put(original, launcher);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {SERVER, CLIENT})
  void start_cacheFits_isUsedInSilence(String original) throws IOException, InterruptedException {
    Run run = assertSame(launcher(original));

    assertThat(run.usedCache()).isTrue();
    assertThat(run.err().lines()).hasSize(1);
  }

  @ParameterizedTest
  @ValueSource(strings = {SERVER, CLIENT})
  void start_cacheMissing_isNotAskedFor(String original) throws IOException, InterruptedException {
    Launcher launcher = launcher(original);
    Files.delete(launcher.cache());

    assertNotUsed(launcher);
  }

  @ParameterizedTest
  @ValueSource(strings = {SERVER, CLIENT})
  void start_releaseFileMissing_cacheNotUsed(String original)
      throws IOException, InterruptedException {
    Launcher launcher = launcher(original);
    Files.delete(launcher.release());

    assertNotUsed(launcher);
  }

  @ParameterizedTest
  @ValueSource(strings = {SERVER, CLIENT})
  void start_cacheTruncated_onlyStandardErrorTells(String original)
      throws IOException, InterruptedException {
    Launcher launcher = launcher(original);
    for (long bytes : new long[] {Files.size(launcher.cache()) / 2, 100, 0}) {
      try (FileChannel cache = FileChannel.open(launcher.cache(), StandardOpenOption.WRITE)) {
        cache.truncate(bytes);
      }

      Run run = assertSame(launcher);

      assertThat(run.usedCache()).isTrue();
      assertThat(run.err().lines()).as("of " + bytes + " bytes").hasSizeGreaterThan(1);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {SERVER, CLIENT})
  void start_cacheOfAnotherJdk_isNotUsed(String original) throws IOException, InterruptedException {
    Launcher launcher = launcher(original);
    Files.writeString(launcher.release(), "JAVA_VERSION=\"25.0.0\"\n");

    assertNotUsed(launcher);
  }

  @ParameterizedTest
  @ValueSource(strings = {SERVER, CLIENT})
  void start_jarNewerThanCache_cacheNotUsed(String original)
      throws IOException, InterruptedException {
    Launcher launcher = launcher(original);
    Launcher.setAge(launcher.cache(), Duration.ofHours(2));

    assertNotUsed(launcher);
  }

  @ParameterizedTest
  @ValueSource(strings = {SERVER, CLIENT})
  void start_folderReadOnly_cacheIsUsed(String original) throws IOException, InterruptedException {
    Launcher launcher = launcher(original);
    allow(launcher.target(), "r-xr-xr-x");
    try {
      Run run = assertSame(launcher);

      assertThat(run.usedCache()).isTrue();
      assertThat(run.err().lines()).hasSize(1);
    } finally {
      allow(launcher.target(), "rwxr-xr-x");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {SERVER, CLIENT})
  void start_othersMayWrite_cacheNotUsed(String original) throws IOException, InterruptedException {
    Launcher launcher = launcher(original);
    for (Path path :
        new Path[] {launcher.target(), launcher.jar(), launcher.cache(), launcher.release()}) {
      String before = PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
      for (String rights : new String[] {"rwxrwxr-x", "rwxr-xrwx"}) {
        allow(path, rights);
        assertNotUsed(launcher);
      }
      allow(path, before);
    }
    assertThat(assertSame(launcher).usedCache()).as("with the rights as they were").isTrue();
  }

  @Tag(Requires.TAG)
  @ParameterizedTest
  @ValueSource(strings = {SERVER, CLIENT})
  void start_cacheOfAnotherUser_isNotUsed(String original)
      throws IOException, InterruptedException {
    Launcher launcher = launcher(original);
    for (Path path : new Path[] {launcher.target(), launcher.cache(), launcher.release()}) {
      Requires.giveAway(path, 65_534);
      assertNotUsed(launcher);
      Files.setAttribute(path, "unix:uid", 0);
    }
    assertThat(assertSame(launcher).usedCache()).as("with the owners as they were").isTrue();
  }

  @ParameterizedTest
  @ValueSource(strings = {SERVER, CLIENT})
  void start_cacheIsALink_isNotUsed(String original) throws IOException, InterruptedException {
    Launcher launcher = launcher(original);
    Path elsewhere = temporary.resolve("elsewhere");
    Files.move(launcher.cache(), elsewhere);
    Files.createSymbolicLink(launcher.cache(), elsewhere);

    assertNotUsed(launcher);
  }

  @ParameterizedTest
  @ValueSource(strings = {SERVER, CLIENT})
  void start_jarReplacedByAnOlderOne_sameOutput(String original)
      throws IOException, InterruptedException {
    Launcher launcher = launcher(original);
    Launcher.setAge(launcher.jar(), Duration.ofDays(1));

    assertThat(assertSame(launcher).usedCache()).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"-Xshare:off", "-XX:SharedArchiveFile=none", "-XX:AOTMode=off", "-Xshare:auto"})
  void start_optionThatExcludesTheCache_isNotUsed(String option)
      throws IOException, InterruptedException {
    for (String original : new String[] {SERVER, CLIENT}) {
      for (String variable : new String[] {"PAGETIDE_JAVA_OPTS", "JDK_JAVA_OPTIONS"}) {
        Run run = launcher(original).start(Map.of(variable, option), "a", "b c");

        assertThat(run.out()).as(run.err()).endsWith("arguments a|b c\n");
        assertThat(run.status()).isEqualTo(3);
        assertThat(run.usedCache()).isFalse();
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {SERVER, CLIENT})
  void start_othersAskedForLogging_isLeftAsItIsWithoutTheCache(String original)
      throws IOException, InterruptedException {
    for (String variable :
        new String[] {"JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS", "PAGETIDE_JAVA_OPTS"}) {
      Path log = temporary.resolve(variable);
      Path options = temporary.resolve(variable + ".options");
      for (String option : new String[] {"-Xlog:gc*:file=" + log, "@" + options}) {
        Files.writeString(options, "-Xlog:gc*:file=" + log);
        if (option.startsWith("@") && variable.equals("JAVA_TOOL_OPTIONS")) {
          continue; // the JVM expands no files there
        }
        Run run = launcher(original).start(Map.of(variable, option), "a", "b c");

        assertThat(run.out()).as(run.err()).isEqualTo("arguments a|b c\n");
        assertThat(run.status()).isEqualTo(3);
        assertThat(run.usedCache()).isFalse();
        assertThat(log).isNotEmptyFile();
        Files.delete(log);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "-Xmx64m",
        "-Xint",
        "-XX:-UseCompressedOops",
        "-XX:+UseCompactObjectHeaders",
        "-XX:-UseG1GC -XX:-UseSerialGC -XX:+UseParallelGC",
        "-XX:-UseG1GC -XX:-UseSerialGC -XX:+UseZGC"
      })
  void start_otherOptionsThanTrainedWith_sameOutput(String options)
      throws IOException, InterruptedException {
    for (String original : new String[] {SERVER, CLIENT}) {
      Run run = launcher(original).start(Map.of("PAGETIDE_JAVA_OPTS", options), "a", "b c");

      assertThat(run.out()).as(run.err()).isEqualTo("arguments a|b c\n");
      assertThat(run.status()).isEqualTo(3);
      assertThat(run.usedCache()).isTrue();
    }
  }

  private Launcher launcher(String original) throws IOException {
    Path copy = Files.createTempDirectory(temporary, "copy").resolve("module with blanks");
    return Objects.requireNonNull(WITH_CACHE.get(original)).copy(copy);
  }

  private static void allow(Path path, String rights) throws IOException {
    Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(rights));
  }

  private static void assertNotUsed(Launcher launcher) throws IOException, InterruptedException {
    Run run = assertSame(launcher);
    assertThat(run.usedCache()).isFalse();
    assertThat(run.err().lines()).hasSize(1);
  }

  /** What the launcher does must be what it does without any cache. */
  private static Run assertSame(Launcher launcher) throws IOException, InterruptedException {
    Run help = launcher.start("--help");
    assertThat(help.out()).isEqualTo("arguments --help\n");
    assertThat(help.status()).isZero();
    Run run = launcher.start("a", "b c");
    assertThat(run.out()).isEqualTo("arguments a|b c\n");
    assertThat(run.status()).isEqualTo(3);
    return run;
  }
}
