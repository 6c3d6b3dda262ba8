package dev.pagetide.client.cli;

import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;

/** A {@code pagetide open} of this process that holds a session until it is told to end. */
final class OpenSession implements AutoCloseable {

  private final OpenInput input = new OpenInput();
  private final CompletableFuture<CommandRun> run;

  private OpenSession(Map<String, String> environment, List<String> arguments) {
    run =
        CompletableFuture.supplyAsync(
            () -> CommandRun.of(environment, input, arguments.toArray(String[]::new)),
            task -> Thread.ofPlatform().daemon().start(task));
  }

  /** Opens a session and waits until {@code file} tells of it. */
  static OpenSession start(Map<String, String> environment, Path file, String... options) {
    List<String> arguments = new ArrayList<>(List.of("open"));
    arguments.addAll(List.of(options));
    OpenSession session = new OpenSession(environment, arguments);
    await().until(() -> session.run.isDone() || (Files.exists(file) && Files.size(file) > 0));
    if (session.run.isDone()) {
      throw new IllegalStateException("open has ended: " + session.run.join());
    }
    return session;
  }

  /** Ends the input, and waits for the command's end. */
  CommandRun end() {
    input.end();
    return run.join();
  }

  @Override
  public void close() {
    end();
  }

  /** A standard input that stays open until it is ended. */
  private static final class OpenInput extends InputStream {

    private final CountDownLatch ended = new CountDownLatch(1);

    void end() {
      ended.countDown();
    }

    @Override
    public int read() throws IOException {
      try {
        ended.await();
        return -1;
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new InterruptedIOException();
      }
    }

    @Override
    public int read(byte[] into, int offset, int length) throws IOException {
      return read();
    }
  }
}
