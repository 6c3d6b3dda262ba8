package dev.pagetide.client.hostile;

import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.PagetideException;
import dev.pagetide.client.Payload;
import dev.pagetide.client.ReceivedTransaction;
import dev.pagetide.client.Receiver;
import dev.pagetide.client.ReceiverOptions;
import dev.pagetide.client.Reply;
import dev.pagetide.client.Target;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;

/**
 * A receiver in a process that {@link KilledEndpointTest} kills. It keeps what comes and answers
 * nothing; each line it is told is answered with one.
 */
final class EndpointMember {
  /** What it is told. */
  enum Command {
    /** Ask the process that is named for a reply, with so many bytes; do not wait for it. */
    ASK,
    /** Send the process that is named so many bytes one-way; do not wait for the answer. */
    SEND,
    /** Stage so many bytes, and keep them. */
    STAGE,
    /** Say how each ASK and SEND has ended, once all have. */
    OUTCOMES
  }

  private EndpointMember() {}

  /** Arguments: the server's directory, its name, and the size of its range. */
  public static void main(String[] args) throws Exception {
    List<Future<?>> underWay = new ArrayList<>();
    ReceiverOptions options =
        ReceiverOptions.named(args[1])
            .withSizeBytes(Long.parseLong(args[2]))
            .withErrors((_, failure) -> failure.printStackTrace());
    try (BufferedReader input =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PagetideClient client = PagetideClient.connect(Path.of(args[0]));
        Receiver receiver = client.openReceiver(options, ReceivedTransaction::keep)) {
      System.out.println("open");
      for (String line = input.readLine(); line != null; line = input.readLine()) {
        String[] words = line.split(" ", -1);
        Command command = Command.valueOf(words[0]);
        switch (command) {
          case ASK -> {
            CompletableFuture<Reply> reply =
                receiver.sender().askAsync(Target.named(words[1]), 1, payload(words[2]));
            underWay.add(reply);
          }
          case SEND ->
              underWay.add(
                  receiver.sender().sendAsync(Target.named(words[1]), 1, payload(words[2])));
          case STAGE -> {
            var _ = receiver.sender().stage(Long.parseLong(words[1]));
          }
          case OUTCOMES -> {}
        }
        System.out.println(command == Command.OUTCOMES ? outcomes(underWay) : line);
      }
    }
  }

  private static Payload payload(String size) {
    return Payload.of(KilledEndpointTest.content(Integer.parseInt(size)));
  }

  private static String outcomes(List<Future<?>> underWay) throws InterruptedException {
    List<String> outcomes = new ArrayList<>();
    for (Future<?> future : underWay) {
      try {
        future.get();
        outcomes.add("done");
      } catch (ExecutionException e) {
        outcomes.add(
            e.getCause() instanceof PagetideException failure
                ? failure.reason().map(Enum::name).orElse(failure.code().name())
                : e.toString());
      }
    }
    return String.join(" ", outcomes);
  }
}
