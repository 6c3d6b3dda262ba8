package dev.pagetide.server;

import io.netty.channel.epoll.Epoll;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The question whether Netty's native library can be loaded: Netty unpacks it from the jar into a
 * folder for temporary files at every start.
 */
final class NativeTransport {
  /** What names that folder, the first that is set; the JVM sets the last. */
  private static final List<String> FOLDERS =
      List.of("io.netty.native.workdir", "io.netty.tmpdir", "java.io.tmpdir");

  /** What the dynamic linker says of a file on a mount with noexec. */
  private static final String NOT_MAPPED = "failed to map segment";

  private NativeTransport() {}

  /** What stands in the way, and what to do about it; empty if nothing does. Starts no thread. */
  static Optional<String> problem() {
    Throwable cause = Epoll.isAvailable() ? null : Epoll.unavailabilityCause();
    return Optional.ofNullable(cause).map(NativeTransport::problem);
  }

  private static String problem(Throwable cause) {
    List<Throwable> all = new ArrayList<>();
    collect(cause, all);
    Optional<String> mount =
        first(all, one -> isOfTheLinker(one) && text(one).contains(NOT_MAPPED));
    Optional<String> file = mount.or(() -> first(all, NativeTransport::isOfAFile));
    if (file.isPresent()) {
      return ofTheFolder(file.get());
    }
    // Such as a C library that lacks a symbol: no folder can help.
    return "Netty's native transport, which the server cannot do without, does not work here: "
        + first(all, NativeTransport::isOfTheLinker).orElse(text(cause));
  }

  private static String ofTheFolder(String said) {
    String property =
        FOLDERS.stream()
            .filter(one -> System.getProperty(one) != null)
            .findFirst()
            .orElse(FOLDERS.getLast());
    return String.format(
        Locale.ROOT,
        "Netty's native library cannot be unpacked to %s (%s) and loaded from there: %s; %s",
        System.getProperty(property),
        property,
        said,
        remedy(said));
  }

  private static String remedy(String said) {
    if (said.contains("File too large")) {
      return "start the server with a larger ulimit -f (RLIMIT_FSIZE)";
    }
    if (said.contains("Too many open files")) {
      return "start the server with a larger ulimit -n (RLIMIT_NOFILE)";
    }
    return "make that folder writable, with room, and on a mount without noexec, or name another"
        + " one: PAGETIDE_JAVA_OPTS=-Dio.netty.native.workdir=FOLDER";
  }

  private static Optional<String> first(List<Throwable> all, Predicate<Throwable> wanted) {
    return all.stream().filter(wanted).findFirst().map(NativeTransport::text);
  }

  /** The dynamic linker's sentences begin with the library's path. */
  private static boolean isOfTheLinker(Throwable thrown) {
    return thrown instanceof UnsatisfiedLinkError && text(thrown).contains(".so: ");
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
