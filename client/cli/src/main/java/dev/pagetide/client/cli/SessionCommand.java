package dev.pagetide.client.cli;

import dev.pagetide.client.ClientOptions;
import dev.pagetide.client.PageRange;
import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.PagetideException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;

/** A command on the range that a running {@code pagetide open} holds. */
abstract class SessionCommand implements Callable<Integer> {

  @ParentCommand
  @SuppressWarnings("NullAway.Init") // picocli sets it
  private Pagetide pagetide;

  @Option(
      names = "--session-file",
      paramLabel = "FILE",
      description =
          "The file that 'pagetide open' wrote (default: the environment's PAGETIDE_SESSION, else"
              + " where it writes by default).")
  private @Nullable Path sessionFile;

  /** The options of the command's client. */
  ClientOptions options() {
    return ClientOptions.DEFAULT;
  }

  /** Does the command's work on {@code range}. */
  abstract void run(PageRange range, CommandIo io) throws IOException;

  /** The failure's message, in the command line's words. */
  final String sentence(PagetideException failure) {
    return ErrorLine.sentence(failure, pagetide);
  }

  /** Why the server was not reached; null if it was. */
  final @Nullable String unreached(PagetideException failure) {
    return ErrorLine.unreached(failure, pagetide);
  }

  @Override
  public final Integer call() throws IOException {
    var ticket = SessionFile.read(pagetide.sessionFile(sessionFile, false));
    try (PagetideClient client = pagetide.connect(options());
        PageRange range = client.attach(ticket)) {
      run(range, pagetide.io());
    }
    return 0;
  }
}
