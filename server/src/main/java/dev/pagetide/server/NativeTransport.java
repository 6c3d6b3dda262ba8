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
 * The check whether Netty's native library can be loaded. At every start, Netty unpacks it from the
 * jar into a folder for temporary files.
 */
final class NativeTransport {
  /**
   * The properties that name that folder. Netty takes the first that is set; the JVM sets the last.
   */
  private static final List<String> FOLDERS =
      List.of("io.netty.native.workdir", "io.netty.tmpdir", "java.io.tmpdir");

  /** The dynamic linker's words for a file on a mount with noexec. */
  private static final String NOT_MAPPED = "failed to map segment";

  private NativeTransport() {}

  /**
   * Why the library cannot be loaded, and what to do about it; empty if it can. Starts no thread.
   */
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
    // For example, a C library lacks a symbol; then no other folder helps.
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

  /** Whether the message is the dynamic linker's: those begin with the library's path. */
  private static boolean isOfTheLinker(Throwable thrown) {
    return thrown instanceof UnsatisfiedLinkError && text(thrown).contains(".so: ");
  }

  /**
   * Whether a file could not be written or read. An entry of the jar does not count: Netty also
   * looks there for a second name, which is never there.
   */
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
