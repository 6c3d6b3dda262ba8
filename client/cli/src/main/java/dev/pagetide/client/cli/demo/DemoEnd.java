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
 * The end of a demo. It leaves neither process nor folder behind, whether the demo has come to its
 * end or Ctrl-C or TERM ends this process before.
 */
/*
 * A terminal sends Ctrl-C to the children, too. So the demo may see a child end before this process
 * has begun to end. wasInterrupted() waits a moment for that, because a step that failed for that
 * reason must not be reported as a failure.
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

  /** Prepares the end of a demo that begins now. */
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

  /**
   * Ends the children, because this process was told to end. That makes the demo's current step
   * fail.
   */
  private void interrupt() {
    interrupted.countDown();
    for (int round = 0; round < ROUNDS; round++) {
      // The demo may start another child at this moment.
      List<ProcessHandle> children = ProcessHandle.current().descendants().toList();
      children.forEach(ProcessHandle::destroyForcibly);
      children.forEach(child -> child.onExit().join());
      try {
        if (played.await(MOMENT_MILLIS / ROUNDS, TimeUnit.MILLISECONDS) && children.isEmpty()) {
          break;
        }
      } catch (InterruptedException e) {
        break; // no thread interrupts a hook
      }
    }
    for (int round = 0; round < ROUNDS && remove() != null; round++) {
      Thread.onSpinWait(); // a process was still writing there
    }
  }

  /** Removes the folder with everything in it. Returns why that failed, or null. */
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
   * Ends the demo.
   *
   * @throws CommandFailure if the folder cannot be removed
   */
  @Override
  public void close() {
    played.countDown();
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      return; // RACE: the process is ending at this moment, and the hook does the rest
    }
    IOException left = remove();
    if (left != null) {
      throw new CommandFailure("cannot remove " + directory + ": " + left.getMessage(), left);
    }
  }
}
