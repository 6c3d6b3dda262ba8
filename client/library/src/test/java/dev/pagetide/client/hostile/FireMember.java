package dev.pagetide.client.hostile;

import static org.awaitility.Awaitility.await;

import dev.pagetide.client.AccessMode;
import dev.pagetide.client.ClientOptions;
import dev.pagetide.client.ErrorReason;
import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.PagetideException;
import dev.pagetide.client.Receiver;
import dev.pagetide.client.ReceiverOptions;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * A process of {@link TransactionsUnderFireTest}: a receiver, and a sender on its stream. Does what
 * it is told on standard input; says {@link #FAILED} and why as soon as anything is not as it has
 * to be.
 */
final class FireMember {
  static final String FAILED = "failed";

  /** Comes before a number of transactions that were carried out since the last such line. */
  static final String PROGRESS = "done";

  private static final int PROGRESS_STEP = 25;
  private static final Duration CALL_TIMEOUT = Duration.ofSeconds(60);

  /** What it is told. Each is answered with a line, but for RUN. */
  enum Command {
    /** Become a receiver. */
    OPEN,
    /** Send the largest there are to the process that is named; answered with the tally. */
    LARGEST,
    /** Send at random, until STOP. */
    RUN,
    /** Let everything come to its end; answered with the tally. */
    STOP,
    /** Tell the book of one-ways. */
    BOOK,
    /** Be no receiver any more. */
    CLOSE
  }

  private final String name;
  private final long seed;
  private final PagetideClient client;
  private final OneWayBook book = new OneWayBook();
  private final Tally tally = new Tally();
  private final AtomicLong done = new AtomicLong();
  private final ParcelReceiver handler;
  private final List<String> peers;
  private @Nullable Receiver receiver;
  private @Nullable ParcelSender sender;

  private FireMember(PagetideClient client, String name, long seed, List<String> peers) {
    this.client = client;
    this.name = name;
    this.seed = seed;
    this.peers = peers;
    this.handler = new ParcelReceiver(name, book, tally, FireMember::fail);
  }

  /** Arguments: the server's directory, an access, a seed, its own name, and those of its peers. */
  public static void main(String[] args) throws Exception {
    ClientOptions options =
        ClientOptions.DEFAULT.withAccess(AccessMode.valueOf(args[1])).withCallTimeout(CALL_TIMEOUT);
    try (BufferedReader input =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PagetideClient client = PagetideClient.connect(Path.of(args[0]), options)) {
      client.shrinker().listRanges(); // whoever is to be killed soon has loaded its classes before
      FireMember member =
          new FireMember(
              client, args[3], Long.parseLong(args[2]), List.of(args).subList(4, args.length));
      for (String line = input.readLine(); line != null; line = input.readLine()) {
        member.obey(line.split(" ", -1));
      }
    } catch (Exception | Error e) {
      fail(e);
    }
  }

  private static void fail(Throwable failure) {
    failure.printStackTrace();
    System.out.println(FAILED + " " + failure.toString().replace('\n', ' '));
  }

  private void obey(String[] words) throws Exception {
    Command command = Command.valueOf(words[0]);
    switch (command) {
      case OPEN -> open();
      case LARGEST -> sender().sendLargest(words[1]);
      case RUN -> sender().start(seed);
      case STOP -> {
        sender().stop();
        handler.releaseAll();
      }
      case BOOK -> {}
      case CLOSE -> Objects.requireNonNull(receiver).close();
    }
    switch (command) {
      case OPEN, CLOSE -> System.out.println(command);
      case LARGEST, STOP -> System.out.println(tally);
      case BOOK -> System.out.println(book);
      case RUN -> {}
    }
  }

  /**
   * Opening does not wait for memory: where the others use all of it, it is refused and retried.
   */
  private void open() {
    await()
        .atMost(CALL_TIMEOUT)
        .until(() -> {
          try {
            openNow();
            return true;
          } catch (PagetideException e) {
            if (e.reason().orElse(null) != ErrorReason.NO_MEMORY) {
              throw e;
            }
            tally.count("open:" + Tally.nameOf(e));
            return false;
          }
        });
  }

  private void openNow() {
    Receiver opened =
        client.openReceiver(
            ReceiverOptions.named(name)
                .withSizeBytes(Parcel.RANGE_BYTES)
                .withErrors((_, failure) -> fail(failure)),
            handler);
    if (opened.sizeBytes() != Parcel.RANGE_BYTES) {
      throw new AssertionError("a range of " + opened.sizeBytes() + " bytes");
    }
    handler.repliesBy(opened.sender());
    receiver = opened;
    sender =
        new ParcelSender(
            opened.sender(), name, peers, book, tally, this::progress, FireMember::fail);
  }

  private ParcelSender sender() {
    return Objects.requireNonNull(sender);
  }

  private void progress() {
    if (done.incrementAndGet() % PROGRESS_STEP == 0) {
      System.out.println(PROGRESS + " " + PROGRESS_STEP);
    }
  }
}
