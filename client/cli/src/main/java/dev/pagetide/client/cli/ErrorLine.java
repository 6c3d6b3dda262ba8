package dev.pagetide.client.cli;

import dev.pagetide.client.PagetideException;
import dev.pagetide.client.StatusCode;
import io.grpc.ManagedChannelRegistry;
import io.netty.channel.epoll.Epoll;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.ConnectException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** The one line on standard error that says why a command failed. */
final class ErrorLine {

  private static final String PREFIX = "pagetide: ";
  private static final Pattern OF_PARAMETER =
      Pattern.compile("^Invalid value for positional parameter at index \\S+ \\(([^)]*)\\): ");
  private static final Pattern OF_OPTION =
      Pattern.compile("^Invalid value for option '([^']*)'(?: \\([^)]*\\))?: ");
  private static final Pattern WHOLE_NUMBER = Pattern.compile("is not an? (?:int|long)\\b");
  private static final Pattern ENUMERATED =
      Pattern.compile("expected one of \\[(.*)] \\(case-insensitive\\) but was ('.*')");
  private static final Pattern UNMATCHED = Pattern.compile("^Unmatched arguments? from index \\d+");

  private ErrorLine() {}

  /** What is wrong with a command line, and where its syntax is explained. */
  static String ofMisuse(ParameterException misuse) {
    String said = String.valueOf(misuse.getMessage());
    said = OF_PARAMETER.matcher(said).replaceFirst("$1: ");
    said = OF_OPTION.matcher(said).replaceFirst("$1: ");
    said = WHOLE_NUMBER.matcher(said).replaceFirst("is not a whole number");
    said = ENUMERATED.matcher(said).replaceFirst(ErrorLine::noneOf);
    said = UNMATCHED.matcher(said).replaceFirst("unexpected");
    if (said.length() > 1 && Character.isLowerCase(said.charAt(1))) {
      said = Character.toLowerCase(said.charAt(0)) + said.substring(1);
    }
    return PREFIX
        + TerminalText.escape(said)
        + suggestions(misuse)
        + "; see '"
        + misuse.getCommandLine().getCommandSpec().qualifiedName()
        + " --help'";
  }

  private static String noneOf(MatchResult said) {
    return Matcher.quoteReplacement(
        said.group(2) + " is none of " + said.group(1).toLowerCase(Locale.ROOT));
  }

  private static String suggestions(ParameterException misuse) {
    if (!(misuse instanceof UnmatchedArgumentException unmatched)) {
      return "";
    }
    List<String> similar = unmatched.getSuggestions();
    return similar.isEmpty() ? "" : "; did you mean " + String.join(" or ", similar) + "?";
  }

  /** What is wrong with an argument that this process could not decode. */
  static String ofMangled(String argument) {
    return PREFIX + TerminalText.escape(PathConverter.mangled(argument));
  }

  /** Why a command failed. */
  static String of(Exception failure, Pagetide pagetide) {
    List<String> details = failure instanceof CommandFailure said ? said.details() : List.of();
    return Stream.concat(Stream.of(problem(failure, pagetide)), details.stream())
        .map(TerminalText::escape)
        .collect(Collectors.joining("\n", PREFIX, ""));
  }

  /** Why a command failed, in one sentence. The caller escapes it before showing it. */
  static String problem(Exception failure, Pagetide pagetide) {
    return switch (failure) {
      case CommandFailure said -> String.valueOf(said.getMessage());
      case PagetideException said -> sentence(said, pagetide);
      case ParameterException said -> String.valueOf(said.getMessage());
      case InvalidPathException said -> PathConverter.problem(said.getInput());
      case ManagedChannelRegistry.ProviderNotFoundException _ when !Epoll.isAvailable() ->
          "the library for Unix sockets cannot be unpacked into "
              + System.getProperty("java.io.tmpdir")
              + ", which may be full, read-only or mounted noexec; name another directory"
              + " with PAGETIDE_JAVA_OPTS=-Djava.io.tmpdir=DIR";
      default -> "unexpected failure: " + failure;
    };
  }

  /** Why a file could not be read or written, without its name. */
  static String reason(IOException failure) {
    return switch (failure) {
      case AccessDeniedException _ -> "permission denied";
      case NoSuchFileException _ -> "no such file or directory";
      case FileAlreadyExistsException _ -> "it exists";
      case FileSystemException said when said.getReason() != null -> said.getReason();
      default -> failure.getMessage() == null ? failure.toString() : failure.getMessage();
    };
  }

  /** The message of server or library, in the command line's words. */
  static String sentence(PagetideException failure, Pagetide pagetide) {
    String unreached = unreached(failure, pagetide);
    return unreached == null ? CommandWords.of(String.valueOf(failure.getMessage())) : unreached;
  }

  /** Why there was no connection; null if there was one, or the failure has another reason. */
  static @Nullable String unreached(PagetideException failure, Pagetide pagetide) {
    if (failure.code() != StatusCode.UNAVAILABLE || failure.reason().isPresent()) {
      return null;
    }
    boolean refused = isConnectFailure(failure);
    Path socket = pagetide.socket();
    if (socket == null) {
      return refused
          ? "no server listens at "
              + pagetide.server()
              + "; start one with 'pagetide-server --listen "
              + pagetide.server()
              + "', or name another with --connect"
          : null;
    }
    // If the directory may not be entered, this process cannot tell whether the socket is there.
    if (!Files.notExists(socket) && !Files.isWritable(socket)) {
      return "this user may not connect to "
          + socket
          + "; its server's options --socket-group and --socket-mode say who may";
    }
    return refused || Files.notExists(socket)
        ? "no server listens at "
            + socket
            + "; start one with '"
            + pagetide.serverCommand()
            + "', or name another's directory with --dir"
        : null;
  }

  private static boolean isConnectFailure(Throwable failure) {
    for (Throwable t = failure; t != null; t = t.getCause()) {
      if (t instanceof ConnectException || t instanceof FileNotFoundException) {
        return true;
      }
    }
    return false;
  }
}
