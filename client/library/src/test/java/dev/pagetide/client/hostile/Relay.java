package dev.pagetide.client.hostile;

import dev.pagetide.client.hostile.StepwiseClient.Step;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * A directory whose sockets lead to a server's: it passes on everything, descriptors too, and does
 * something of the test's own once a client has come to a step, before it passes on what is next.
 *
 * <p>For the server it is the client: both connections come from this process.
 */
final class Relay implements AutoCloseable {
  private static final int MOST_BYTES = 64 << 10;

  private final Path directory;
  private final Path target;
  private final int grpcListener;
  private final int handoffListener;
  private final Set<Integer> connections = ConcurrentHashMap.newKeySet();
  private final AtomicReference<@Nullable Stop> stop = new AtomicReference<>();

  /** What is to be done at a step, once. */
  private record Stop(Step step, Runnable action) {}

  /** A relay in {@code directory}, which is made, to the sockets in {@code target}. */
  Relay(Path directory, Path target) throws IOException {
    this.directory = Files.createDirectory(directory);
    this.target = target;
    grpcListener = SystemCalls.listen(directory.resolve("grpc.sock"));
    handoffListener = SystemCalls.listen(directory.resolve("handoff.sock"));
    Thread.ofPlatform().daemon().start(() -> accept(grpcListener, this::passOnCalls));
    Thread.ofPlatform().daemon().start(() -> accept(handoffListener, this::passOnHandoff));
  }

  /** From now on, {@code action} is done when a client has come to {@code step}. */
  void stopAt(Step step, Runnable action) {
    stop.set(new Stop(step, action));
  }

  private void at(Step step) {
    Stop next = stop.get();
    if (next != null && next.step == step && stop.compareAndSet(next, null)) {
      next.action.run();
    }
  }

  @FunctionalInterface
  private interface Connection {
    void passOn(int client);
  }

  private void accept(int listener, Connection connection) {
    int client = SystemCalls.accept(listener);
    while (client >= 0) {
      int accepted = client;
      connections.add(accepted);
      Thread.ofPlatform().daemon().start(() -> connection.passOn(accepted));
      client = SystemCalls.accept(listener);
    }
  }

  private void passOnCalls(int client) {
    int server = SystemCalls.connect(target.resolve("grpc.sock"));
    if (server < 0) {
      end(client);
      return;
    }
    connections.add(server);
    Thread answers =
        Thread.ofPlatform()
            .daemon()
            .start(() -> {
              pump(server, client, false);
              SystemCalls.shutdown(client);
            });
    pump(client, server, true);
    SystemCalls.shutdown(server);
    join(answers);
    end(client);
    end(server);
  }

  private void pump(int from, int to, boolean areRequests) {
    String bytes = SystemCalls.receive(from, MOST_BYTES);
    while (!bytes.isEmpty() && send(to, bytes)) {
      if (areRequests && bytes.contains("/OpenRange")) {
        at(Step.OPEN_SENT);
      }
      bytes = SystemCalls.receive(from, MOST_BYTES);
    }
  }

  private static boolean send(int to, String bytes) {
    int sent = 0;
    while (sent < bytes.length()) {
      int more = SystemCalls.send(to, bytes.substring(sent));
      if (more < 0) {
        return false;
      }
      sent += more;
    }
    return true;
  }

  private void passOnHandoff(int client) {
    at(Step.OPENED);
    int server = SystemCalls.connect(target.resolve("handoff.sock"));
    if (server >= 0) {
      connections.add(server);
      at(Step.HANDOFF_CONNECTED);
      passOnHandoff(client, server);
      end(server);
    }
    end(client);
  }

  private void passOnHandoff(int client, int server) {
    String token = SystemCalls.receive(client, MOST_BYTES);
    if (token.isEmpty() || !send(server, token)) {
      return;
    }
    at(Step.TOKEN_SENT);
    String status = SystemCalls.receive(server, 1);
    if (status.isEmpty() || !send(client, status)) {
      return;
    }
    at(Step.STATUS_RECEIVED);
    int descriptor = SystemCalls.receiveDescriptor(server);
    if (descriptor < 0) {
      return;
    }
    // It fails where the client has given up meanwhile.
    int _ = SystemCalls.sendDescriptor(client, descriptor);
    SystemCalls.close(descriptor);
    at(Step.DESCRIPTOR_RECEIVED);
    // Whoever has what it wants closes.
    String _ = SystemCalls.receive(client, 1);
  }

  private void end(int socket) {
    if (connections.remove(socket)) {
      SystemCalls.close(socket);
    }
  }

  private static void join(Thread thread) {
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Ends all connections; their threads close them. */
  @Override
  public void close() throws IOException {
    for (int listener : new int[] {grpcListener, handoffListener}) {
      SystemCalls.shutdown(listener);
      SystemCalls.close(listener);
    }
    connections.forEach(SystemCalls::shutdown);
    Files.deleteIfExists(directory.resolve("grpc.sock"));
    Files.deleteIfExists(directory.resolve("handoff.sock"));
    Files.delete(directory);
  }
}
