package dev.pagetide.server.metrics;

import com.google.protobuf.ByteString;
import dev.pagetide.server.kit.FetchedFile;
import dev.pagetide.server.kit.MappedRange;
import dev.pagetide.server.kit.RawEndpoint;
import dev.pagetide.server.kit.RawHandoff;
import dev.pagetide.server.kit.RawSession;
import dev.pagetide.server.kit.Refusal;
import dev.pagetide.server.kit.TestServer;
import dev.pagetide.shm.ClientCounts;
import dev.pagetide.shm.PageWord;
import dev.pagetide.v1.ExchangeResponse;
import dev.pagetide.v1.ScanRequest;
import dev.pagetide.v1.ShrinkerServiceGrpc.ShrinkerServiceBlockingStub;
import dev.pagetide.v1.Transaction;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;

/**
 * Clients of every kind, at work on one server until they are told to stop: more pages are wanted
 * than there are, so that uses wait and are refused; buffers are sent, with and without a reply;
 * sessions come and go; the operator scans; one client trespasses.
 */
final class MixedLoad {
  private static final int PAGES = 32;
  private static final int CLIENTS = 4;

  /** A server that is too small for this load: 128 pages for 4 times 32 and buffers. */
  static final String[] OPTIONS = {
    "--max-range-bytes=128KiB",
    "--max-resident-bytes=512KiB",
    "--max-resident-bytes-per-uid=512KiB",
    "--high-watermark=480KiB",
    "--low-watermark=440KiB",
    "--allocation-wait=20ms",
    "--protect-recent=0ms"
  };

  private final TestServer server;
  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final List<Future<?>> works = new ArrayList<>();
  private final List<AutoCloseable> opened = new ArrayList<>();
  private final CountDownLatch over = new CountDownLatch(1);

  private MixedLoad(TestServer server) {
    this.server = server;
  }

  /** Something that is done again and again. */
  @FunctionalInterface
  private interface Round {
    void go() throws Exception;
  }

  static MixedLoad start(TestServer server) throws Exception {
    MixedLoad load = new MixedLoad(server);
    // First of all, while there is memory: these two are not to be refused.
    load.trespass();
    load.sendBuffers();
    for (int client = 0; client < CLIENTS; client++) {
      load.usePages();
    }
    load.comeAndGo();
    ShrinkerServiceBlockingStub operator = server.shrinkerWithoutDeadline();
    load.repeat(
        20,
        () -> {
          var _ = operator.scan(ScanRequest.newBuilder().setPages(7).build());
        });
    collectGarbage(server.process().pid());
    return load;
  }

  /** Goes round until the load is over, with a pause after each round. */
  private void repeat(int pauseMillis, Round round) {
    works.add(
        threads.submit(() -> {
          while (!over.await(pauseMillis, TimeUnit.MILLISECONDS)) {
            try {
              round.go();
            } catch (StatusRuntimeException refused) {
              if (refused.getStatus().getCode() != Status.Code.RESOURCE_EXHAUSTED) {
                throw refused;
              }
            }
          }
          return null;
        }));
  }

  private void usePages() {
    RawSession session = RawSession.open(server.connect(), PAGES);
    ByteString bytes = ByteString.copyFromUtf8("written");
    repeat(
        1,
        () -> {
          int _ = session.use(0, PAGES / 2).size();
          int _ = session.use(RawSession.span(PAGES / 2, PAGES)).size();
          session.write(0, bytes);
          var _ = session.read(0, bytes.size());
          session.fillZero(RawSession.PAGE, RawSession.PAGE);
          session.stop(0, PAGES / 4);
          int _ = session.use(0, PAGES / 4).size();
          session.stop(0, PAGES);
        });
    // A page past the end: refused, and no trouble of the server's.
    repeat(
        50,
        () -> {
          var _ = Refusal.of(() -> session.use(0, PAGES + 1));
        });
  }

  private void comeAndGo() {
    ManagedChannel channel = server.connect();
    repeat(
        50,
        () -> {
          RawSession session = RawSession.open(channel, 1);
          try (FetchedFile file = RawHandoff.fetch(server, session.token())) {
            file.header().writeClientCounts(new ClientCounts(20, 10, 10, 1));
          }
          session.cancel();
          var _ = session.end();
        });
  }

  private void sendBuffers() {
    ManagedChannel channel = server.connect();
    RawEndpoint alice = RawEndpoint.open(channel, "alice", 4);
    RawEndpoint bob = RawEndpoint.open(channel, "bob", 4);
    ByteString bytes = ByteString.copyFrom(new byte[1000]);
    repeat(
        10,
        () -> {
          var oneWay =
              RawEndpoint.to("bob", RawEndpoint.bytes(bytes)).setFlags(RawEndpoint.ONE_WAY);
          exchange(alice, bob, alice.transact(oneWay), bytes);
          exchange(
              alice, bob, alice.transact(RawEndpoint.to("bob", RawEndpoint.bytes(bytes))), bytes);
          var _ = alice.await(alice.allocateLater(5L * RawSession.PAGE, false)); // no such space
        });
  }

  /** Lets bob serve what comes of a command of alice's, if anything does. */
  private static void exchange(RawEndpoint alice, RawEndpoint bob, long command, ByteString bytes) {
    Awaitility.await()
        .pollDelay(0, TimeUnit.MILLISECONDS)
        .pollInterval(1, TimeUnit.MILLISECONDS)
        .until(() -> bob.waiting() > 0 || alice.isAnswered(command));
    ExchangeResponse early = alice.isAnswered(command) ? alice.await(command) : null;
    if (early != null && early.hasFailed()) {
      return; // there was no memory
    }
    Transaction transaction = bob.take();
    if ((transaction.getFlags() & RawEndpoint.ONE_WAY) == 0) {
      var _ = bob.await(bob.reply(transaction.getTransaction(), RawEndpoint.bytes(bytes)));
    }
    ExchangeResponse answer = alice.await(command);
    if (answer.hasReplied()) {
      alice.free(answer.getReplied().getOffset());
    }
    bob.free(transaction.getOffset());
  }

  /** Touches a page that it does not use again and again, and leaves a word that cannot be. */
  private void trespass() throws IOException {
    RawSession session = RawSession.open(server.connect(), 4);
    int _ = session.use(0, 1).size();
    MappedRange mapped = new MappedRange(server, session.opened().getRangeId());
    opened.add(mapped);
    if (!mapped.table().casWord(0, PageWord.USED_WORD, 0)) {
      throw new AssertionError("page 0 is not USED");
    }
    repeat(
        100,
        () -> {
          mapped.scribble(3);
        });
  }

  /** So that there are collections to be seen, however little is allocated. */
  private static void collectGarbage(long pid) throws Exception {
    String jcmd = Path.of(System.getProperty("java.home"), "bin", "jcmd").toString();
    for (int i = 0; i < 2; i++) {
      Process process =
          new ProcessBuilder(jcmd, Long.toString(pid), "GC.run")
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      if (process.waitFor() != 0) {
        throw new AssertionError("jcmd failed");
      }
    }
  }

  /** Ends the load, and fails if any part of it has failed. */
  void end() throws Exception {
    over.countDown();
    threads.shutdown();
    for (Future<?> work : works) {
      work.get(60, TimeUnit.SECONDS);
    }
    for (AutoCloseable resource : opened) {
      resource.close();
    }
  }
}
