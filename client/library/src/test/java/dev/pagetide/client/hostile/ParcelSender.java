package dev.pagetide.client.hostile;

import static org.awaitility.Awaitility.await;

import dev.pagetide.client.AskOptions;
import dev.pagetide.client.ErrorReason;
import dev.pagetide.client.PagetideException;
import dev.pagetide.client.Payload;
import dev.pagetide.client.Reply;
import dev.pagetide.client.SendOptions;
import dev.pagetide.client.SendResult;
import dev.pagetide.client.Sender;
import dev.pagetide.client.StagedBuffer;
import dev.pagetide.client.StatusCode;
import dev.pagetide.client.Target;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Sends parcels to its peers without pause until it is told to stop: several threads ask, one sends
 * one-way. Whatever fails must fail as the contract says; everything else goes to {@code failed}.
 */
final class ParcelSender {
  /** What counts as carried out. */
  static final String ASKED = "asked";

  static final String SENT = "sent";

  /** The one process that is killed: only of it may it be said that it died. */
  static final String MORTAL = "mortal";

  private static final int ASKERS = 4;
  private static final int BURST = 8;
  private static final int MOST_SENDS_UNDER_WAY = 8;
  private static final int MOST_PADDING_BYTES = 8;
  private static final int PATIENCE_SECONDS = 120;

  /**
   * How any buffer may fail.
   *
   * <ul>
   *   <li>NO_BUFFER_SPACE: the receiver's range, or the asker's for the reply, or one's own for
   *       what is staged, has no gap so large.
   *   <li>TOO_MANY_BUFFERS: one of those ranges has --max-buffers of them.
   *   <li>NO_MEMORY: others use the budget, and let nothing go for --allocation-wait.
   * </ul>
   */
  private static final Set<ErrorReason> BUFFER_FAILURES =
      EnumSet.of(ErrorReason.NO_BUFFER_SPACE, ErrorReason.TOO_MANY_BUFFERS, ErrorReason.NO_MEMORY);

  private final Sender sender;
  private final String name;
  private final List<String> peers;
  private final OneWayBook book;
  private final Tally tally;
  private final Runnable done;
  private final Consumer<Throwable> failed;
  private final AtomicInteger nextAsk = new AtomicInteger();
  private final List<Thread> threads = new ArrayList<>();
  private volatile boolean stopping;

  /** A parcel under way. */
  private record Asked(Parcel parcel, String target, CompletableFuture<Reply> reply) {}

  private record Sent(int number, String target, CompletableFuture<SendResult> result) {}

  /**
   * Nothing is sent yet.
   *
   * @param done told of each transaction that was replied to or accepted
   */
  ParcelSender(
      Sender sender,
      String name,
      List<String> peers,
      OneWayBook book,
      Tally tally,
      Runnable done,
      Consumer<Throwable> failed) {
    this.sender = sender;
    this.name = name;
    this.peers = peers;
    this.book = book;
    this.tally = tally;
    this.done = done;
    this.failed = failed;
  }

  /** What a thread does until it is told to stop. */
  @FunctionalInterface
  private interface Work {
    void run(Random random) throws Exception;
  }

  /** One transaction, that may fail as it may. */
  @FunctionalInterface
  private interface Attempt {
    void run() throws Exception;
  }

  /** Starts all threads. */
  void start(long seed) {
    start(this::sendOneWays, seed);
    for (int i = 1; i <= ASKERS; i++) {
      start(this::askMuch, seed + i);
    }
  }

  private void start(Work work, long seed) {
    Thread thread =
        new Thread(() -> {
          try {
            work.run(new Random(Parcel.mix(seed)));
          } catch (Exception | Error e) {
            failed.accept(e);
          }
        });
    threads.add(thread);
    thread.start();
  }

  /** Begins nothing more, and waits until everything that was begun has ended. */
  void stop() throws InterruptedException {
    stopping = true;
    for (Thread thread : threads) {
      thread.join();
    }
  }

  /** The largest that fit, one after the other, while nobody else does anything. */
  void sendLargest(String target) {
    for (int number : new int[] {Parcel.LARGEST, Parcel.LARGEST_ALONE}) {
      Parcel parcel = parcel(target, false, number);
      boolean alone = number == Parcel.LARGEST_ALONE; // else the reply needs all of the range
      untilCounted(
          ASKED, () -> finish(new Asked(parcel, target, ask(parcel, target, number, alone, 0))));
    }
    Parcel oneWay = parcel(target, true, Parcel.LARGEST_ALONE);
    untilCounted(SENT, () -> finish(send(oneWay, target, Parcel.LARGEST_ALONE, true, 0)));
  }

  /** The one before may be on its way to being freed: then the next does not fit yet. */
  private void untilCounted(String what, Attempt attempt) {
    long before = tally.of(what);
    await()
        .atMost(PATIENCE_SECONDS, TimeUnit.SECONDS)
        .pollInterval(Duration.ofMillis(10))
        .until(() -> {
          attempt.run();
          return tally.of(what) > before;
        });
  }

  private Parcel parcel(String target, boolean oneWay, int number) {
    return Parcel.of(name, (int) ProcessHandle.current().pid(), target, oneWay, number);
  }

  private String anyPeer(Random random) {
    return peers.get(random.nextInt(peers.size()));
  }

  private void askMuch(Random random) throws Exception {
    while (!stopping) {
      int together = random.nextInt(32) == 0 ? BURST : 1;
      List<Asked> asked = new ArrayList<>();
      for (int i = 0; i < together; i++) {
        String target = anyPeer(random);
        int number = nextAsk.getAndIncrement();
        Parcel parcel = parcel(target, false, number);
        boolean staged = random.nextBoolean();
        int padding = random.nextInt(MOST_PADDING_BYTES + 1);
        Asked next = new Asked(parcel, target, ask(parcel, target, number, staged, padding));
        if (random.nextInt(64) == 0) {
          next.reply().cancel(true);
        }
        asked.add(next);
      }
      for (Asked each : asked) {
        finish(each);
      }
    }
  }

  private CompletableFuture<Reply> ask(
      Parcel parcel, String target, int number, boolean isStaged, int padding) {
    AskOptions options = AskOptions.DEFAULT.withClearOnFree(parcel.isClearedOnFree());
    if (parcel.timeoutMillis() > 0) {
      options = options.withTimeout(Duration.ofMillis(parcel.timeoutMillis()));
    }
    try (StagedBuffer staged = isStaged ? stage(sender, parcel, padding, tally) : null) {
      return sender.askAsync(Target.named(target), number, payload(parcel, staged), options);
    }
  }

  private void finish(Asked asked) throws InterruptedException, TimeoutException {
    Parcel parcel = asked.parcel();
    try (Reply reply = asked.reply().get(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
      switch (parcel.conduct()) {
        case ANSWERS, ANSWERS_FROM_ANOTHER_THREAD -> {}
        case REFUSES, WAITS_UNTIL_IT_IS_OVER ->
            throw new AssertionError("a reply that nobody was to give, to " + parcel);
      }
      parcel.reply().verify(reply.data(), "the reply of " + asked.target());
      tally.count(ASKED);
      done.run();
    } catch (CancellationException e) {
      tally.count("cancelled");
    } catch (ExecutionException e) {
      PagetideException failure = typed(e);
      tally.count("ask:" + Tally.nameOf(failure));
      if (!mayFail(failure, asked)) {
        throw failure;
      }
    }
  }

  private static PagetideException typed(ExecutionException e) {
    if (e.getCause() instanceof PagetideException failure) {
      return failure;
    }
    throw new AssertionError("not a typed failure", e);
  }

  private static boolean mayFail(PagetideException failure, Asked asked) {
    ErrorReason reason = failure.reason().orElse(null);
    if (reason == null) {
      requireLocalRefusal(failure);
      return true;
    }
    if (BUFFER_FAILURES.contains(reason)) {
      return true;
    }
    return switch (reason) {
      case TARGET_DIED -> asked.target().equals(MORTAL);
      case TRANSACTION_TIMED_OUT -> asked.parcel().timeoutMillis() > 0;
      case TOO_MANY_TRANSACTIONS -> true; // bursts of several threads at once
      case REFUSED_BY_RECEIVER -> wasRefusedWithReason(failure, asked.parcel());
      default -> false;
    };
  }

  private static boolean wasRefusedWithReason(PagetideException failure, Parcel parcel) {
    String why = String.valueOf(failure.getMessage());
    return parcel.conduct() == Parcel.Conduct.REFUSES
        ? why.contains(ParcelReceiver.AS_AGREED)
        : why.contains(ParcelReceiver.CANNOT_REPLY);
  }

  /** What comes without a reason is the library's refusal to queue more, and nothing else. */
  static void requireLocalRefusal(PagetideException failure) {
    if (failure.reason().isEmpty()
        && (failure.code() != StatusCode.RESOURCE_EXHAUSTED || failure.outcomeUnknown())) {
      throw failure;
    }
  }

  private void sendOneWays(Random random) throws Exception {
    ArrayDeque<Sent> underWay = new ArrayDeque<>();
    int number = 0;
    while (!stopping) {
      String target = anyPeer(random);
      Parcel parcel = parcel(target, true, number);
      int padding = random.nextInt(MOST_PADDING_BYTES + 1);
      underWay.addLast(send(parcel, target, number, random.nextBoolean(), padding));
      number++;
      if (underWay.size() > MOST_SENDS_UNDER_WAY) {
        finish(underWay.removeFirst());
      }
    }
    while (!underWay.isEmpty()) {
      finish(underWay.removeFirst());
    }
  }

  private Sent send(Parcel parcel, String target, int number, boolean isStaged, int padding) {
    try (StagedBuffer staged = isStaged ? stage(sender, parcel, padding, tally) : null) {
      return new Sent(
          number,
          target,
          sender.sendAsync(
              Target.named(target),
              number,
              payload(parcel, staged),
              new SendOptions(parcel.isClearedOnFree())));
    }
  }

  private void finish(Sent sent) throws InterruptedException, TimeoutException {
    try {
      SendResult result = sent.result().get(PATIENCE_SECONDS, TimeUnit.SECONDS);
      if (result.oneWaySpam()) {
        tally.count("spam");
      }
      book.accepted(sent.target(), sent.number());
      tally.count(SENT);
      done.run();
    } catch (ExecutionException e) {
      PagetideException failure = typed(e);
      tally.count("send:" + Tally.nameOf(failure));
      ErrorReason reason = failure.reason().orElse(null);
      boolean asItMay =
          reason == null
              || BUFFER_FAILURES.contains(reason)
              || reason == ErrorReason.NO_ONE_WAY_SPACE
              || (reason == ErrorReason.TARGET_DIED && sent.target().equals(MORTAL));
      if (!asItMay) {
        throw failure;
      }
      requireLocalRefusal(failure);
    }
  }

  /** A parcel written in place behind some padding; null if there is no room for it. */
  static @Nullable StagedBuffer stage(Sender sender, Parcel parcel, int padding, Tally tally) {
    int size = parcel.sizeBytes();
    int before = size + padding > Parcel.RANGE_BYTES ? 0 : padding;
    try {
      StagedBuffer staged = sender.stage(size + before, parcel.isClearedOnFree());
      staged.segment().asSlice(before).copyFrom(parcel.bytes());
      return staged;
    } catch (PagetideException e) {
      tally.count("stage:" + Tally.nameOf(e));
      ErrorReason reason = e.reason().orElse(null);
      if (reason != null && !BUFFER_FAILURES.contains(reason)) {
        throw e;
      }
      requireLocalRefusal(e);
      return null;
    }
  }

  /** All that lies behind the padding, or, where nothing could be staged, the bytes themselves. */
  private static Payload payload(Parcel parcel, @Nullable StagedBuffer staged) {
    int size = parcel.sizeBytes();
    return staged == null
        ? Payload.of(parcel.bytes().asByteBuffer())
        : Payload.of(staged, staged.sizeBytes() - size, size);
  }
}
