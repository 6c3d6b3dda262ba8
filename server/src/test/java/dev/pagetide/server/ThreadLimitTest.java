package dev.pagetide.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.testkit.JavaProcess;
import dev.pagetide.testkit.JavaProcess.Launch;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A host that gives a server too few threads: told in one sentence. */
final class ThreadLimitTest {
  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  Path folder;

  /** With stacks of a GiB, a limit on address space is one on threads, and needs no other user. */
  private static Launch withAddressSpace(int gib) {
    String limit = "ulimit -v %d && exec \"$@\"".formatted(gib * 1024L * 1024L);
    return new Launch(List.of("sh", "-c", limit, "sh"), List.of("-Xss1000m"));
  }

  @Test
  void main_fewerThreadsThanItNeeds_endsWith1AndOneSentence() throws Exception {
    int refused = 0;
    // Where the JVM itself does not start, or the server does, tells how much address space the
    // former takes: it differs by platform.
    for (int gib = 14; gib <= 62; gib += 8) {
      try (JavaProcess server =
          JavaProcess.start(
              withAddressSpace(gib),
              PagetideServer.class,
              "--dir=" + folder.resolve("d"),
              "--http=off")) {
        if (isReady(server)) {
          assertThat(server.terminate()).isEqualTo(0);
          break;
        }
        int code = server.awaitExit();
        String errors = server.errors();
        if (errors.contains("pagetide-server: ")) {
          assertThat(code).isEqualTo(1);
          assertThat(errors.lines())
              .as("with %d GiB", gib)
              .singleElement()
              .asString()
              .startsWith("pagetide-server: the kernel lets this process start no more threads")
              .contains("ulimit -u", "pids.max");
          refused++;
        }
      }
    }

    assertThat(refused).isGreaterThanOrEqualTo(2);
  }

  @Test
  void isReached_anyOtherFailure_isFalse() {
    OutOfMemoryError threads = new OutOfMemoryError("unable to create native thread: possibly");

    assertThat(ThreadLimit.isReached(new IOException("cannot bind", threads))).isTrue();
    assertThat(ThreadLimit.isReached(new OutOfMemoryError("Java heap space"))).isFalse();
    assertThat(ThreadLimit.isReached(new IOException("unable to create native thread"))).isFalse();
    assertThat(ThreadLimit.isReached(null)).isFalse();
  }

  /** Beside the ready line, standard output may have the JVM's own warnings. */
  private static boolean isReady(JavaProcess server) throws IOException {
    @Nullable String line = server.readLine();
    while (line != null && !line.startsWith("ready ")) {
      line = server.readLine();
    }
    return line != null;
  }
}
