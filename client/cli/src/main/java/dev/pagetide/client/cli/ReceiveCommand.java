package dev.pagetide.client.cli;

import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.Payload;
import dev.pagetide.client.ReceivedTransaction;
import dev.pagetide.client.Receiver;
import dev.pagetide.client.ReceiverOptions;
import dev.pagetide.client.SenderIdentity;
import dev.pagetide.client.SessionEnd;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** {@code pagetide receive}: receives transactions under a name and writes their bytes. */
@Command(
    name = "receive",
    description = {
      "Take transactions that others send to NAME, until interrupted.",
      "Says of each on standard error who sent it, and writes its bytes to standard output, unless"
          + " that is a terminal."
    })
final class ReceiveCommand implements Callable<Integer> {

  @ParentCommand
  @SuppressWarnings("NullAway.Init") // picocli sets it
  private Pagetide pagetide;

  @Spec
  @SuppressWarnings("NullAway.Init") // picocli sets it
  private CommandSpec spec;

  @Parameters(
      index = "0",
      paramLabel = "NAME",
      description = "What senders name this receiver by; no other session of this user has it.")
  private String name = "";

  @Option(
      names = "--size",
      paramLabel = "SIZE",
      converter = SizeConverter.class,
      description =
          "The size of the range that transactions lie in, in whole pages; one-way ones have half"
              + " of it. Fails if the server's --max-range-bytes is less (default: 4MiB, or what"
              + " there is).")
  private @Nullable Long sizeBytes;

  @Option(
      names = "--at-most",
      description =
          "Take what there is if the server grants less than --size (default: fail with both"
              + " sizes).")
  private boolean atMost;

  @Option(
      names = "--count",
      paramLabel = "N",
      description = "End after that many transactions (default: go on until interrupted).")
  private @Nullable Long count;

  @Option(
      names = "--output",
      paramLabel = "FILE|-",
      description =
          "Where the bytes go; '-' is standard output, also if it is a terminal"
              + " (default: standard output, but nowhere if it is a terminal).")
  private @Nullable String output;

  @Option(
      names = "--reply",
      paramLabel = "TEXT",
      defaultValue = "",
      description = "What two-way transactions are replied with (default: no bytes).")
  private String reply = "";

  @Override
  public Integer call() throws IOException {
    if (count != null && count < 1) {
      throw new ParameterException(spec.commandLine(), "--count " + count + " is less than 1");
    }
    if (name.isEmpty()) {
      throw new ParameterException(spec.commandLine(), "NAME is empty");
    }
    CommandIo io = pagetide.io();
    CompletableFuture<@Nullable SessionEnd> end = new CompletableFuture<>();
    try (OutputStream out = open(io);
        PagetideClient client = pagetide.connect();
        Receiver receiver =
            client.openReceiver(
                options().withErrors((thread, failure) -> end.completeExceptionally(failure)),
                new Taking(io, out, end)::take)) {
      io.err()
          .println(
              "receiving as " + TerminalText.escape(name) + ", " + receiver.sizeBytes() + " bytes");
      var _ = receiver.ended().thenAccept(end::complete);
      SessionEnd ended = await(end);
      if (ended != null) {
        io.err().println("pagetide: " + TerminalText.escape(CommandWords.of(ended.message())));
        return 1;
      }
      return 0;
    }
  }

  private ReceiverOptions options() {
    ReceiverOptions options = ReceiverOptions.named(name);
    if (sizeBytes == null) {
      return options;
    }
    return atMost ? options.withSizeAtMost(sizeBytes) : options.withSizeBytes(sizeBytes);
  }

  private static @Nullable SessionEnd await(CompletableFuture<@Nullable SessionEnd> end) {
    try {
      return end.join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof RuntimeException failure) {
        throw failure;
      }
      throw e;
    }
  }

  private OutputStream open(CommandIo io) {
    if (output == null) {
      return io.terminal() ? OutputStream.nullOutputStream() : new Shared(io);
    }
    if (output.equals("-")) {
      return new Shared(io);
    }
    try {
      return Files.newOutputStream(Path.of(output));
    } catch (IOException e) {
      throw unwritten(e);
    }
  }

  private CommandFailure unwritten(IOException e) {
    return e instanceof StandardOutputProblem
        ? new CommandFailure(String.valueOf(e.getMessage()), e)
        : new CommandFailure("cannot write " + output + ": " + ErrorLine.reason(e), e);
  }

  /** Means for standard output what {@link CommandIo#outputProblem} says. */
  private static final class StandardOutputProblem extends IOException {
    private static final long serialVersionUID = 1;

    StandardOutputProblem(String sentence) {
      super(sentence);
    }
  }

  /** Standard output. Closing this does not close it, and this throws if it cannot be written. */
  private static final class Shared extends OutputStream {
    private final CommandIo io;

    Shared(CommandIo io) {
      this.io = io;
    }

    @Override
    public void write(int b) {
      io.out().write(b);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) {
      io.out().write(bytes, offset, length);
    }

    @Override
    public void flush() throws StandardOutputProblem {
      String problem = io.outputProblem();
      if (problem != null) {
        throw new StandardOutputProblem(problem);
      }
    }
  }

  /** Handles transactions, one at a time. */
  private final class Taking {
    private final CommandIo io;
    private final OutputStream out;
    private final CompletableFuture<@Nullable SessionEnd> end;
    private long taken;

    Taking(CommandIo io, OutputStream out, CompletableFuture<@Nullable SessionEnd> end) {
      this.io = io;
      this.out = out;
      this.end = end;
    }

    synchronized void take(ReceivedTransaction transaction) {
      if (count != null && taken == count) {
        return; // it came while the last one was handled, so its sender gets no reply from us
      }
      io.err().println(line(transaction));
      try (Progress progress = progress(transaction.sizeBytes())) {
        TransactionBytes.write(transaction.data(), out, progress);
      } catch (IOException e) {
        CommandFailure failure = unwritten(e);
        end.completeExceptionally(failure);
        throw failure;
      }
      if (!transaction.isOneWay()) {
        transaction.reply(Payload.of(reply.getBytes(StandardCharsets.UTF_8)));
      }
      taken++;
      if (count != null && taken == count) {
        end.complete(null);
      }
    }
  }

  /** The progress of writing {@code bytes}; nothing is shown if they go to the same terminal. */
  private Progress progress(long bytes) {
    return "-".equals(output)
        ? Progress.besideOutput(pagetide.io(), "writing", bytes)
        : Progress.begin(pagetide.io(), "writing", bytes);
  }

  /** One line about a transaction: its sender and its size. */
  static String line(ReceivedTransaction transaction) {
    return line(
        transaction.sender(), transaction.code(), transaction.isOneWay(), transaction.sizeBytes());
  }

  static String line(SenderIdentity sender, int code, boolean oneWay, long bytes) {
    return "from "
        + (sender.name().isEmpty() ? "a sender without a name" : TerminalText.escape(sender.name()))
        + ", pid "
        + (sender.pid().isPresent() ? Integer.toString(sender.pid().getAsInt()) : "?")
        + ", uid "
        + (sender.uid().isPresent() ? Long.toString(sender.uid().getAsLong()) : "?")
        + (oneWay ? ": one-way, code " : ": two-way, code ")
        + Integer.toUnsignedString(code)
        + ", "
        + bytes
        + " bytes";
  }
}
