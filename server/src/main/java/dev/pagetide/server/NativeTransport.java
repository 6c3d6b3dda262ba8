package dev.pagetide.server;

import io.netty.channel.epoll.Epoll;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The question whether Netty's native library can be loaded: Netty unpacks it from the jar into a
 * folder for temporary files at every start.
 */
final class NativeTransport {
  /** What names that folder, the first that is set; the JVM sets the last. */
  private static final String[] FOLDERS = {
    "io.netty.native.workdir", "io.netty.tmpdir", "java.io.tmpdir"
  };

  /** What the dynamic linker says of a file on a mount with noexec. */
  private static final String NOT_MAPPED = "failed to map segment";

  private NativeTransport() {}

  /** What stands in the way, and what to do about it; empty if nothing does. Starts no thread. */
  static Optional<String> problem() {
    Throwable cause = Epoll.isAvailable() ? null : Epoll.unavailabilityCause();
    return Optional.ofNullable(cause).map(NativeTransport::problem);
  }

  private static String problem(Throwable cause) {
    String property = FOLDERS[FOLDERS.length - 1];
    for (int i = FOLDERS.length - 1; i >= 0; i--) {
      property = System.getProperty(FOLDERS[i]) == null ? property : FOLDERS[i];
    }
    return ("Netty's native library cannot be unpacked to %s (%s) and loaded from there: %s; make"
            + " that folder writable, with room, and on a mount without noexec, or name another"
            + " one: PAGETIDE_JAVA_OPTS=-Dio.netty.native.workdir=FOLDER")
        .formatted(System.getProperty(property), property, reason(cause));
  }

  /** What the loader says of a mount, or of a file that could not be written; else what it says. */
  private static String reason(Throwable thrown) {
    List<Throwable> all = new ArrayList<>();
    collect(thrown, all);
    return all.stream()
        .filter(one -> one instanceof UnsatisfiedLinkError && text(one).contains(NOT_MAPPED))
        .findFirst()
        .or(() -> all.stream().filter(NativeTransport::isOfAFile).findFirst())
        .map(NativeTransport::text)
        .orElse(text(thrown));
  }

  /** Netty looks for a second name in the jar, too, which is never there. */
  private static boolean isOfAFile(Throwable thrown) {
    return thrown instanceof IOException && !text(thrown).startsWith("META-INF/");
  }

  private static void collect(@Nullable Throwable thrown, List<Throwable> all) {
    if (thrown != null && !all.contains(thrown)) {
      all.add(thrown);
      collect(thrown.getCause(), all);
      for (Throwable suppressed : thrown.getSuppressed()) {
        collect(suppressed, all);
      }
    }
  }

  private static String text(Throwable thrown) {
    return String.valueOf(thrown.getMessage()).lines().findFirst().orElse(thrown.toString());
  }
}
