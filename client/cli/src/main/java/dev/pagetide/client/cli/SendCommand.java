package dev.pagetide.client.cli;

import dev.pagetide.client.AskOptions;
import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.Payload;
import dev.pagetide.client.RangeAccess;
import dev.pagetide.client.Reply;
import dev.pagetide.client.SendOptions;
import dev.pagetide.client.SendResult;
import dev.pagetide.client.Sender;
import dev.pagetide.client.SenderOptions;
import dev.pagetide.client.StagedBuffer;
import dev.pagetide.client.Target;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** {@code pagetide send}: sends a file to a receiver, in one transaction. */
@Command(
    name = "send",
    description = {
      "Hand a file or standard input to a receiver, in one transaction.",
      "The bytes are read straight into shared memory, from where the server copies them once.",
      "With --two-way the reply's bytes are written to standard output."
    })
final class SendCommand implements Callable<Integer> {

  /** Room for the reply's bytes, in addition to the file's. */
  private static final long REPLY_BYTES = 4L << 20;

  @ParentCommand
  @SuppressWarnings("NullAway.Init") // picocli sets it
  private Pagetide pagetide;

  @Spec
  @SuppressWarnings("NullAway.Init") // picocli sets it
  private CommandSpec spec;

  @Parameters(index = "0", paramLabel = "NAME", description = "The receiver's name.")
  private String name = "";

  @Parameters(
      index = "1",
      arity = "0..1",
      paramLabel = "FILE",
      description = "The file whose bytes are sent (default: standard input).")
  private @Nullable Path file;

  @Option(
      names = "--uid",
      paramLabel = "UID",
      description = "The user whose receiver it is (default: this user).")
  private @Nullable Long uid;

  @Option(
      names = "--code",
      paramLabel = "N",
      defaultValue = "0",
      description = "A number for the receiver to tell transactions apart by (default: 0).")
  private int code;

  @Option(
      names = "--two-way",
      description = "Wait for a reply and write it to standard output (default: one-way).")
  private boolean twoWay;

  @Option(
      names = "--timeout",
      paramLabel = "TIME",
      converter = TimeConverter.class,
      description =
          "How long to wait for the reply, such as 500ms or 5s (default: as long as it takes).")
  private @Nullable Duration timeout;

  @Option(
      names = "--clear-on-free",
      description =
          "Make the bytes, and the reply's, zeros when they are freed (default: they are left).")
  private boolean clearOnFree;

  @Override
  public Integer call() throws IOException {
    Target target = target();
    AskOptions options = askOptions();
    try (CommandInput input = CommandInput.open(file, Long.MAX_VALUE, pagetide.io());
        PagetideClient client = pagetide.connect();
        Sender sender = openSender(client, input);
        StagedBuffer staged = sender.stage(input.sizeBytes(), clearOnFree)) {
      try (Progress progress = Progress.begin(pagetide.io(), "reading", staged.sizeBytes())) {
        readInto(input, staged.segment(), progress);
      }
      if (twoWay) {
        ask(sender, target, Payload.of(staged), options);
      } else {
        send(sender, target, Payload.of(staged));
      }
    }
    return 0;
  }

  /** A sender whose range has room for the bytes, and for a reply if the server grants that. */
  private static Sender openSender(PagetideClient client, CommandInput input) {
    long bytes = input.sizeBytes();
    Sender sender = client.openSender(SenderOptions.DEFAULT.withSizeAtMost(bytes + REPLY_BYTES));
    long granted = sender.sizeBytes();
    boolean shared = sender.access() == RangeAccess.SHARED;
    if (!shared && bytes > Integer.MAX_VALUE) {
      sender.close();
      throw new CommandFailure(
          input.name()
              + " has "
              + bytes
              + " bytes, which go through shared memory only, and this client has mapped none; send"
              + " it on the server's host, with --dir");
    }
    if (shared && granted < bytes) {
      sender.close();
      throw new CommandFailure(
          input.name()
              + " has "
              + bytes
              + " bytes, and the server grants a range of "
              + granted
              + "; raise its --max-range-bytes (to twice the bytes for a one-way send, because"
              + " those may have half of the receiver's range)");
    }
    return sender;
  }

  private Target target() {
    try {
      return new Target(name, uid == null ? OptionalLong.empty() : OptionalLong.of(uid));
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
    }
  }

  private AskOptions askOptions() {
    AskOptions options = AskOptions.DEFAULT.withClearOnFree(clearOnFree);
    if (timeout == null) {
      return options;
    }
    if (!twoWay) {
      throw new ParameterException(
          spec.commandLine(), "--timeout is for the reply; give --two-way, too");
    }
    try {
      return options.withTimeout(timeout);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(
          spec.commandLine(), "--" + CommandWords.of(String.valueOf(e.getMessage())), e);
    }
  }

  private void ask(Sender sender, Target target, Payload payload, AskOptions options)
      throws IOException {
    CommandIo io = pagetide.io();
    Reply answer;
    try (Progress _ = Progress.begin(io, "waiting for the reply", 0)) {
      answer = sender.ask(target, code, payload, options);
    }
    try (Reply reply = answer;
        Progress progress =
            Progress.besideOutput(io, "writing the reply", reply.data().byteSize())) {
      TransactionBytes.write(reply.data(), io.out(), progress);
    }
  }

  private void send(Sender sender, Target target, Payload payload) {
    SendResult result;
    try (Progress _ = Progress.begin(pagetide.io(), "sending", 0)) {
      result = sender.send(target, code, payload, new SendOptions(clearOnFree));
    }
    pagetide.io().out().println("sent " + payload.sizeBytes() + " bytes");
    if (result.oneWaySpam()) {
      pagetide
          .io()
          .err()
          .println("pagetide: the receiver's one-way space is almost full, and not by others");
    }
  }

  private static void readInto(CommandInput input, MemorySegment staged, Progress progress) {
    for (long at = 0; at < staged.byteSize(); at += CommandInput.PIECE_BYTES) {
      long length = Math.min(staged.byteSize() - at, CommandInput.PIECE_BYTES);
      input.next(staged.asSlice(at, length).asByteBuffer());
      progress.at(at + length);
    }
  }
}
