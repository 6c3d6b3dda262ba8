package dev.pagetide.client.cli.demo;

import dev.pagetide.client.cli.CommandFailure;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The end of a demo, which leaves neither process nor folder behind: when it was played, and when
 * Ctrl-C or TERM ends this process in the middle.
 */
/*
 * A terminal's Ctrl-C goes to the children, too. So the demo may see one of them end before this
 * process's own end has begun: wasInterrupted() gives that a moment to come, because what failed
 * for that reason is not to be told as a failure.
 */
final class DemoEnd implements AutoCloseable {
  private static final long MOMENT_MILLIS = 500;
  private static final int ROUNDS = 10;

  private final Path directory;
  private final CountDownLatch interrupted = new CountDownLatch(1);
  private final CountDownLatch played = new CountDownLatch(1);
  private final Thread hook = Thread.ofPlatform().unstarted(this::interrupt);

  private DemoEnd(Path directory) {
    this.directory = directory;
  }

  /** Sees to the end of a demo that begins now. */
  static DemoEnd of(Path directory) {
    DemoEnd end = new DemoEnd(directory);
    Runtime.getRuntime().addShutdownHook(end.hook);
    return end;
  }

  /** Whether this process is being ended; waits a moment for that. */
  boolean wasInterrupted() {
    try {
      return interrupted.await(MOMENT_MILLIS, TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /** The process is told to end: ends the children, and what they make the demo do. */
  private void interrupt() {
    interrupted.countDown();
    for (int round = 0; round < ROUNDS; round++) {
      // The demo may be starting another one at this moment.
      List<ProcessHandle> children = ProcessHandle.current().descendants().toList();
      children.forEach(ProcessHandle::destroyForcibly);
      children.forEach(child -> child.onExit().join());
      try {
        if (played.await(MOMENT_MILLIS / ROUNDS, TimeUnit.MILLISECONDS) && children.isEmpty()) {
          break;
        }
      } catch (InterruptedException e) {
        break; // nobody interrupts a hook
      }
    }
    for (int round = 0; round < ROUNDS && remove() != null; round++) {
      Thread.onSpinWait(); // something was still being written there
    }
  }

  /** Removes the folder with all that is in it; tells what stands in the way, or null. */
  private synchronized @Nullable IOException remove() {
    if (!Files.exists(directory)) {
      return null;
    }
    try (Stream<Path> paths = Files.walk(directory)) {
      for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(path);
      }
      return null;
    } catch (IOException e) {
      return e;
    } catch (UncheckedIOException e) {
      return e.getCause();
    }
  }

  /**
   * The demo is over.
   *
   * @throws CommandFailure if the folder cannot be removed
   */
  @Override
  public void close() {
    played.countDown();
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      return; // RACE: the process is being ended at this moment, and the hook does the rest.
    }
    IOException left = remove();
    if (left != null) {
      throw new CommandFailure("cannot remove " + directory + ": " + left.getMessage(), left);
    }
  }
}
