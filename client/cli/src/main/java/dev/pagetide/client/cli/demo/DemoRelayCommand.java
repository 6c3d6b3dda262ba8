package dev.pagetide.client.cli.demo;

import dev.pagetide.client.cli.Pagetide;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/**
 * The process in the middle of the gRPC calls that the demo compares with. It passes calls on until
 * its input ends.
 */
@Command(name = DemoRelayCommand.NAME, hidden = true, description = "Used by 'pagetide demo'.")
public final class DemoRelayCommand implements Callable<Integer> {

  static final String NAME = "demo-relay";

  @ParentCommand
  @SuppressWarnings("NullAway.Init") // picocli sets it
  private Pagetide pagetide;

  @Parameters(index = "0", description = "The socket it serves at.")
  @SuppressWarnings("NullAway.Init") // picocli sets it
  private Path from;

  @Parameters(index = "1", description = "The socket it passes calls on to.")
  @SuppressWarnings("NullAway.Init") // picocli sets it
  private Path onward;

  @Override
  public Integer call() throws IOException {
    try (RelayedBytes relayed = new RelayedBytes()) {
      relayed.relay(from, onward);
      pagetide.io().out().println("ok relaying");
      while (pagetide.io().in().read() >= 0) {
        // Its input has no orders; only the end counts.
      }
    }
    return 0;
  }
}
