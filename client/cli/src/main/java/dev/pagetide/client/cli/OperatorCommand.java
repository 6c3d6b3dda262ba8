package dev.pagetide.client.cli;

import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.ShrinkerClient;
import java.util.concurrent.Callable;
import picocli.CommandLine.ParentCommand;

/** A command for the operator: it needs the server's own uid, or root. */
abstract class OperatorCommand implements Callable<Integer> {

  @ParentCommand
  @SuppressWarnings("NullAway.Init") // picocli sets it
  private Pagetide pagetide;

  /** Does the command's work. */
  abstract void run(ShrinkerClient shrinker, CommandIo io);

  @Override
  public final Integer call() {
    try (PagetideClient client = pagetide.connect()) {
      run(client.shrinker(), pagetide.io());
    }
    return 0;
  }
}
