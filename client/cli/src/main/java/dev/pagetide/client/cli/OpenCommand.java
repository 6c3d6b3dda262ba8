package dev.pagetide.client.cli;

import dev.pagetide.client.AccessMode;
import dev.pagetide.client.ClientOptions;
import dev.pagetide.client.OpenOptions;
import dev.pagetide.client.PageRange;
import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.SessionEnd;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;

/** {@code pagetide open}: opens a range and holds it until its input ends. */
@Command(
    name = "open",
    description = {
      "Open a range and hold it until the end of standard input (Ctrl-D).",
      "The other commands reach it through the session file, which is removed at the end."
    })
final class OpenCommand implements Callable<Integer> {

  @ParentCommand
  @SuppressWarnings("NullAway.Init") // picocli sets it
  private Pagetide pagetide;

  @Option(
      names = "--size",
      required = true,
      paramLabel = "SIZE",
      converter = SizeConverter.class,
      description =
          "The size of the range, in whole pages, such as 4MiB; fails if the server's"
              + " --max-range-bytes is less. Required.")
  private long sizeBytes;

  @Option(
      names = "--at-most",
      description =
          "Take what there is if the server grants less than --size (default: fail with both"
              + " sizes).")
  private boolean atMost;

  @Option(
      names = "--name",
      paramLabel = "NAME",
      defaultValue = "",
      description = "What operators see in 'pagetide ranges' (default: no name).")
  private String name = "";

  @Option(
      names = "--access",
      paramLabel = "auto|shared|remote",
      defaultValue = "auto",
      description =
          "Whether the range's file is mapped into this process: if it can be (auto), always"
              + " (shared; else opening fails), or never (remote). Default: auto.")
  private AccessMode access = AccessMode.AUTO;

  @Option(
      names = "--session-file",
      paramLabel = "FILE",
      description =
          "Where to write the session, mode 0600; a file that a killed 'pagetide open' left is"
              + " replaced (default: the environment's PAGETIDE_SESSION, else a file for each"
              + " server in $XDG_RUNTIME_DIR/pagetide, else in /tmp/pagetide-UID).")
  private @Nullable Path sessionFile;

  @Override
  public Integer call() {
    CommandIo io = pagetide.io();
    Path path = pagetide.sessionFile(sessionFile, true);
    try (PagetideClient client = pagetide.connect(ClientOptions.DEFAULT.withAccess(access));
        PageRange range = client.open(new OpenOptions(name, sizeBytes, atMost));
        SessionFile file = SessionFile.create(path, range.ticket())) {
      Thread removal = Thread.ofPlatform().unstarted(file::close);
      Runtime.getRuntime().addShutdownHook(removal); // Ctrl-C and TERM remove the file, too
      io.out()
          .println(
              "range "
                  + Long.toUnsignedString(range.rangeId())
                  + ": "
                  + range.pageCount()
                  + " pages of "
                  + range.pageSize()
                  + " bytes, "
                  + access(range)
                  + "; session in "
                  + path);
      io.out().flush();
      boolean ours = hold(range, io);
      forget(removal);
      return ours ? 0 : 1;
    }
  }

  private static String access(PageRange range) {
    return range.whyRemote().map(why -> "remote (" + why + ")").orElse("mapped into this process");
  }

  private static void forget(Thread removal) {
    try {
      Runtime.getRuntime().removeShutdownHook(removal);
    } catch (IllegalStateException e) {
      // RACE: the process is ending at this moment; either the hook removes the file or this thread
      // does.
    }
  }

  /** Waits for the end of the input or of the session; true if the input ended. */
  private static boolean hold(PageRange range, CommandIo io) {
    CompletableFuture<@Nullable SessionEnd> end = new CompletableFuture<>();
    var _ = range.ended().thenAccept(end::complete);
    var _ =
        range
            .draining()
            .thenAccept(notice ->
                io.err()
                    .println(
                        "pagetide: the server stops in "
                            + notice.grace().toMillis()
                            + " ms; the range ends with it"));
    Thread.ofPlatform().daemon().name("input").start(() -> drain(io.in(), end));
    SessionEnd ended = end.join();
    if (ended == null) {
      return true;
    }
    io.err().println("pagetide: " + TerminalText.escape(CommandWords.of(ended.message())));
    return false;
  }

  private static void drain(InputStream input, CompletableFuture<@Nullable SessionEnd> end) {
    try {
      input.transferTo(OutputStream.nullOutputStream());
      end.complete(null);
    } catch (IOException e) {
      end.complete(
          new SessionEnd(
              SessionEnd.Cause.CLOSED, "standard input cannot be read: " + e.getMessage()));
    }
  }
}
