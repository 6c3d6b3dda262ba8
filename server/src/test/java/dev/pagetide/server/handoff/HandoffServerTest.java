package dev.pagetide.server.handoff;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.kit.RawHandoff;
import dev.pagetide.server.os.FileDuplicate;
import dev.pagetide.server.os.PageFile;
import dev.pagetide.server.os.SystemCallException;
import dev.pagetide.server.page.PageFileMaker;
import dev.pagetide.server.page.PageObserver;
import dev.pagetide.server.page.RangeConfig;
import dev.pagetide.server.page.RangeMode;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.server.session.CutOffObserver;
import dev.pagetide.server.session.EndReason;
import dev.pagetide.server.session.Peer;
import dev.pagetide.server.session.Session;
import dev.pagetide.server.session.SessionConfig;
import dev.pagetide.server.session.SessionRegistry;
import dev.pagetide.shm.HandoffStatus;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The listener in this process: who may have a file, and what goes wrong within a hand-off. */
final class HandoffServerTest {
  private static final int EMFILE = 24;

  private final BlockingQueue<HandoffOutcome> outcomes = new LinkedBlockingQueue<>();
  private volatile Step beforeDuplicate = () -> {};
  private volatile boolean observerFails;
  private final SessionRegistry sessions = registry();

  private final HandoffServer server =
      new HandoffServer(
          sessions, new HandoffConfig(4, Duration.ofSeconds(60)), this::ended, CutOffObserver.NONE);

  @TempDir
  @SuppressWarnings("NullAway.Init")
  private Path folder;

  @SuppressWarnings("NullAway.Init")
  private String socket;

  private int ownUid;
  private int ownPid;

  /** What is done on the event loop before a descriptor is duplicated. */
  @FunctionalInterface
  private interface Step {
    void run() throws IOException;
  }

  @BeforeEach
  void listen() throws IOException {
    ownUid = (int) Files.getAttribute(Path.of("/proc/self").toRealPath(), "unix:uid");
    ownPid = Math.toIntExact(ProcessHandle.current().pid());
    socket = folder.resolve("s").toString();
    server.listen(Path.of(socket));
  }

  @AfterEach
  void close() {
    server.close();
    server.close();
    List.copyOf(sessions.sessionsAfter(0))
        .forEach(session -> sessions.end(session, EndReason.CANCELLED));
    assertThat(Path.of(socket)).doesNotExist();
  }

  private SessionRegistry registry() {
    PageBudget budget = PageBudget.root("--max-resident-bytes", 1000);
    return new SessionRegistry(
        new SessionConfig(100, 100, 1000, 1000),
        new RangeConfig(this::file, 1 << 20, 1),
        budget,
        new Shrinker(budget, PageClock.MONOTONIC, PageObserver.NONE),
        InstantSource.system());
  }

  /** A real file whose duplication a test may disturb. */
  private PageFile file(String name, dev.pagetide.shm.SharedFileLayout layout)
      throws SystemCallException {
    PageFile real = PageFileMaker.MEMFD.make(name, layout);
    return (PageFile)
        Proxy.newProxyInstance(
            PageFile.class.getClassLoader(),
            new Class<?>[] {PageFile.class},
            (_, method, arguments) -> {
              if (method.getReturnType() == FileDuplicate.class) {
                beforeDuplicate.run();
              }
              try {
                return method.invoke(real, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  private void ended(HandoffOutcome outcome) {
    outcomes.add(outcome);
    if (observerFails) {
      throw new OutOfMemoryError("as the test says");
    }
  }

  private Session open(Peer peer) {
    return sessions.open(peer, "", RangeMode.PAGES, 4096);
  }

  private void assertStatus(Session session, HandoffStatus status) throws IOException {
    try (RawHandoff connection = RawHandoff.connect(socket)) {
      assertThat(connection.send(session.token() + "\n")).isTrue();
      assertThat(connection.readStatus()).isEqualTo(status.code());
      OptionalInt descriptor = connection.receiveDescriptor();
      assertThat(descriptor.isPresent()).isEqualTo(status == HandoffStatus.PASSED);
      if (descriptor.isPresent()) {
        assertThat(isNamed(Path.of("/proc/self/fd/" + descriptor.getAsInt()), nameOf(session)))
            .isTrue();
        RawHandoff.closeDescriptor(descriptor.getAsInt());
      }
      assertThat(connection.readStatus()).isEqualTo(RawHandoff.END);
    }
  }

  private void assertOutcome(HandoffOutcome expected) throws InterruptedException {
    assertThat(outcomes.poll(30, TimeUnit.SECONDS)).isEqualTo(expected);
    assertThat(outcomes).as("further outcomes").isEmpty();
  }

  private static String nameOf(Session session) {
    return "pagetide-range-" + session.rangeId() + " ";
  }

  private static void assertFiles(Session session, long expected) {
    Awaitility.await().until(() -> descriptors(nameOf(session)) == expected);
  }

  private static long descriptors(String name) throws IOException {
    try (var descriptors = Files.list(Path.of("/proc/self/fd"))) {
      return descriptors.filter(descriptor -> isNamed(descriptor, name)).count();
    }
  }

  private static boolean isNamed(Path descriptor, String name) {
    try {
      return Files.readSymbolicLink(descriptor).toString().contains(name);
    } catch (IOException e) {
      return false; // closed since it was listed
    }
  }

  @Test
  void handoff_openedByThisProcess_isPassed() throws Exception {
    Session session = open(Peer.unix(ownUid, ownPid));
    assertStatus(session, HandoffStatus.PASSED);
    assertOutcome(HandoffOutcome.PASSED);
    assertFiles(session, 1);
  }

  @Test
  void handoff_pidOfOpenerUnknown_isPassed() throws Exception {
    assertStatus(open(Peer.unix(ownUid, 0)), HandoffStatus.PASSED);
    assertOutcome(HandoffOutcome.PASSED);
  }

  @Test
  void handoff_openedByAnotherProcess_isUnknown() throws Exception {
    assertStatus(open(Peer.unix(ownUid, ownPid + 1)), HandoffStatus.UNKNOWN_SESSION);
    assertOutcome(HandoffOutcome.UNKNOWN_SESSION);
  }

  @Test
  void handoff_openedByAnotherUid_isUnknown() throws Exception {
    assertStatus(open(Peer.unix(ownUid + 1, ownPid)), HandoffStatus.UNKNOWN_SESSION);
    assertStatus(open(Peer.unix(ownUid + 1, 0)), HandoffStatus.UNKNOWN_SESSION);
  }

  @Test
  void handoff_openedByTcp_isUnknown() throws Exception {
    assertStatus(open(Peer.TCP), HandoffStatus.UNKNOWN_SESSION);
    assertOutcome(HandoffOutcome.UNKNOWN_SESSION);
  }

  @Test
  void handoff_kernelRefusesADuplicate_isFailedAndWorksLater() throws Exception {
    Session session = open(Peer.unix(ownUid, ownPid));
    beforeDuplicate =
        () -> {
          throw new SystemCallException("fcntl(7, 1030, 0)", EMFILE);
        };
    assertStatus(session, HandoffStatus.FAILED);
    assertOutcome(HandoffOutcome.FAILED);
    assertFiles(session, 1);

    beforeDuplicate = () -> {};
    assertStatus(session, HandoffStatus.PASSED);
    assertOutcome(HandoffOutcome.PASSED);
  }

  @Test
  void handoff_clientGoesBeforeItIsSent_leavesNoDuplicate() throws Exception {
    Session session = open(Peer.unix(ownUid, ownPid));
    AtomicReference<@Nullable RawHandoff> client = new AtomicReference<>();
    beforeDuplicate =
        () -> {
          RawHandoff going = client.get();
          if (going != null) {
            going.close();
          }
        };
    RawHandoff connection = RawHandoff.connect(socket);
    client.set(connection);
    assertThat(connection.send(session.token() + "\n")).isTrue();

    assertOutcome(HandoffOutcome.BROKEN);
    assertFiles(session, 1);
  }

  @Test
  void handoff_sessionEndsBeforeItIsSent_isStillThatFile() throws Exception {
    Session session = open(Peer.unix(ownUid, ownPid));
    Thread ending = new Thread(() -> sessions.end(session, EndReason.CANCELLED));
    beforeDuplicate =
        () -> {
          // Its token is unknown by now, and its end waits for this entry.
          ending.start();
          Awaitility.await().until(() -> session.range().isClosed());
        };

    assertStatus(session, HandoffStatus.PASSED);

    ending.join();
    assertOutcome(HandoffOutcome.PASSED);
    assertFiles(session, 0);
  }

  /** Each user has one connection served at a time here, so one that stays keeps out the next. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void handoff_bugInTheServer_endsTheConnectionAndNothingElse(boolean noMemory) throws Exception {
    Session session = open(Peer.unix(ownUid, ownPid));
    beforeDuplicate =
        () -> {
          if (noMemory) {
            throw new OutOfMemoryError("as the test says");
          }
          throw new IllegalStateException("a bug");
        };
    try (RawHandoff connection = RawHandoff.connect(socket)) {
      assertThat(connection.send(session.token() + "\n")).isTrue();
      assertThat(connection.readStatus()).isEqualTo(RawHandoff.END);
    }
    assertOutcome(HandoffOutcome.FAILED);
    beforeDuplicate = () -> {};
    assertStatus(session, HandoffStatus.PASSED);
  }

  @Test
  void handoff_observerFails_endsTheConnectionAndKeepsNoDescriptor() throws Exception {
    Session session = open(Peer.unix(ownUid, ownPid));
    observerFails = true;
    assertStatus(session, HandoffStatus.PASSED);
    assertOutcome(HandoffOutcome.PASSED);

    assertStatus(session, HandoffStatus.PASSED);
    assertOutcome(HandoffOutcome.PASSED);
    assertFiles(session, 1);
  }

  @Test
  void close_connectionsWaiting_endsThemAndAcceptsNoMore() throws Exception {
    try (RawHandoff connection = RawHandoff.connect(socket)) {
      assertThat(connection.send("a")).isTrue();

      server.close();

      assertThat(connection.readStatus()).isEqualTo(RawHandoff.END);
    }
  }
}
