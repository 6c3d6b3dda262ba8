package dev.pagetide.server;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;

/** The directory alone, held until drained: stands in until the wiring replaces this file. */
final class RunningServer implements AutoCloseable {
  private final ServerDirectory directory;
  private final CountDownLatch drained = new CountDownLatch(1);

  private RunningServer(ServerDirectory directory) {
    this.directory = directory;
  }

  static RunningServer start(ServerOptions options) throws StartupException {
    return new RunningServer(
        ServerDirectory.open(options.directory(), options.socketMode(), options.socketGroup()));
  }

  String grpcTarget() {
    return "unix:" + directory.grpcSocket();
  }

  @Nullable String httpUrl() {
    return null;
  }

  void drain() {
    drained.countDown();
  }

  void awaitEnd() {
    boolean interrupted = false;
    while (true) {
      try {
        drained.await();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    try {
      directory.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
