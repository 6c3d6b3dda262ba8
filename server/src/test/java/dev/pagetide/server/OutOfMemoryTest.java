package dev.pagetide.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.kit.RawHttp2;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.testkit.JavaProcess;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;
import org.slf4j.bridge.SLF4JBridgeHandler;

/** A process that is out of memory ends, also if other code catches the error. */
final class OutOfMemoryTest {
  private static OutOfMemoryError error() {
    return new OutOfMemoryError("none left, says the test");
  }

  @Test
  void in_errorItsCauseOrSuppressed_isFoundAndNothingElse() {
    OutOfMemoryError error = error();
    Throwable suppressing = new IllegalStateException("first");
    suppressing.addSuppressed(error);

    assertThat(OutOfMemory.in(error)).isSameAs(error);
    assertThat(OutOfMemory.in(new ExecutionException(new IOException(error)))).isSameAs(error);
    assertThat(OutOfMemory.in(suppressing)).isSameAs(error);
    assertThat(OutOfMemory.in(new StackOverflowError())).isNull();
    assertThat(OutOfMemory.in(null)).isNull();
  }

  /** Throws the error where its argument says, and lives on if nothing ends it. */
  static final class Main {
    public static void main(String[] arguments) throws Exception {
      SLF4JBridgeHandler.removeHandlersForRootLogger();
      SLF4JBridgeHandler.install();
      OutOfMemory.endsTheProcess();
      var log = LoggerFactory.getLogger("of another's");
      switch (arguments[0]) {
        case "thread" ->
            Thread.ofPlatform()
                .start(() -> {
                  throw error();
                });
        case "logged" -> log.warn("caught", error());
        case "argument" -> log.error("caught id={}", 7, new IOException(error()));
        case "silent" -> log.trace("caught", error());
        case "connection" ->
            java.util.logging.Logger.getLogger("io.grpc.netty.NettyServerHandler")
                .log(java.util.logging.Level.FINE, "Connection Error", error());
        default -> log.error("caught", new IllegalStateException("no lack of memory"));
      }
      System.out.println("lives on");
      new CountDownLatch(1).await();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"thread", "logged", "argument", "silent", "connection"})
  void error_whereverItIsMet_endsTheProcess(String where) throws Exception {
    try (JavaProcess process = JavaProcess.start(Main.class, where)) {
      assertThat(process.awaitExit()).isEqualTo(OutOfMemory.EXIT_CODE);
      assertThat(process.errors()).contains("none left, says the test", "ends with 3");
    }
  }

  @Test
  void anotherFailure_logged_processLivesOn() throws Exception {
    try (JavaProcess process = JavaProcess.start(Main.class, "other")) {
      assertThat(process.readLine()).isEqualTo("lives on");
      assertThat(process.isAlive()).isTrue();
    }
  }

  /** The server keeps what has come of a message until the rest comes, which never does. */
  private static void sendPartOfAWrite(RawHttp2 client) throws IOException {
    int stream = client.startCall("/pagetide.v1.PageRangeService/Write", 1 << 20);
    byte[] part = new byte[16 * 1024];
    for (int i = 0; i < 60; i++) {
      client.sendData(stream, part);
    }
  }

  @Test
  void server_memoryOutsideTheHeapIsMissing_ends() throws Exception {
    JavaProcess.Launch small =
        new JavaProcess.Launch(List.of(), List.of("-XX:MaxDirectMemorySize=6m"));
    List<RawHttp2> clients = new ArrayList<>();
    try (TestServer server = TestServer.start(small)) {
      try {
        for (int client = 0; client < 16; client++) {
          RawHttp2 http2 = RawHttp2.connect(server.target());
          clients.add(http2);
          sendPartOfAWrite(http2);
        }
      } catch (IOException e) {
        // The server ended while we sent.
      }

      assertThat(server.process().awaitExit()).isEqualTo(OutOfMemory.EXIT_CODE);
      assertThat(server.process().errors()).contains("out of memory", "direct memory");
    } finally {
      for (RawHttp2 client : clients) {
        client.close();
      }
    }
  }
}
