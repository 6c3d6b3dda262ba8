package dev.pagetide.client.handover;

import dev.pagetide.client.handover.Consumer.Consumed;
import dev.pagetide.client.handover.HandOver.Phase;
import dev.pagetide.client.handover.HandOver.ProducerEnd;
import dev.pagetide.client.hostile.Child;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** A way whose three processes run: the producer's is this one. For one thread. */
final class Running implements AutoCloseable {
  /**
   * With the JIT that servers and clients have, and a young generation that the messages of a phase
   * do not fill again and again.
   */
  private static final List<String> JAVA_OPTIONS = List.of("-Xms192m", "-Xmx512m", "-Xmn128m");

  /** Some times what has a method compiled by C2. */
  private static final int WARM_UP_MESSAGES = 200_000;

  private static final int WARM_UP_BYTES = 4 << 10;

  private final Way way;
  private final HandOver handOver;
  private final Path directory;
  private @Nullable Child between;
  private @Nullable Child consumer;
  private @Nullable ProducerEnd producer;

  /** The number of the last message of all. */
  private long number;

  private Running(Way way, HandOver handOver, Path directory) {
    this.way = way;
    this.handOver = handOver;
    this.directory = directory;
  }

  /** Starts the processes. */
  static Running start(Way way) throws Exception {
    // Not below the build's folder: a Unix socket's path has at most 107 bytes.
    Path directory = Files.createTempDirectory(Path.of("/tmp"), "pt-");
    Running running = new Running(way, way.make(), directory);
    try {
      running.start();
      return running;
    } catch (Throwable e) {
      running.close();
      throw e;
    }
  }

  private void start() throws Exception {
    if (!handOver.isDirect()) {
      between = child(Between.class);
    }
    consumer = child(Consumer.class);
    producer = handOver.producer(directory);
  }

  private Child child(Class<?> main) throws IOException {
    Child child = Child.start(List.of(), JAVA_OPTIONS, main, way.name(), directory.toString());
    try {
      var _ = child.readLine();
      return child;
    } catch (Throwable e) {
      child.close();
      throw e;
    }
  }

  Way way() {
    return way;
  }

  /**
   * How long messages took, one on its way at a time.
   *
   * @param oneWay from before the bytes were written until the consumer had read them all
   * @param roundTrip until the producer had the answer
   */
  record Latencies(Spread oneWay, Spread roundTrip) {}

  /**
   * Of how long many things took.
   *
   * @param p50 what half of them did not exceed, in microseconds
   * @param p99 what 99 of 100 did not exceed, in microseconds
   */
  record Spread(double p50, double p99) {
    static Spread of(long[] nanos) {
      Arrays.sort(nanos);
      return new Spread(
          nanos[nanos.length / 2] / 1e3, nanos[(int) (nanos.length * 99L / 100)] / 1e3);
    }
  }

  /**
   * Hands over messages until the JIT compilers have seen enough of them, or for that long; then
   * the largest ones, which go other ways, for that long again.
   */
  void warmUp(long atMostNanos) throws Exception {
    long piece = TimeUnit.MILLISECONDS.toNanos(200);
    long start = System.nanoTime();
    while (number < WARM_UP_MESSAGES && System.nanoTime() - start < atMostNanos) {
      var _ = latencies(WARM_UP_BYTES, piece);
      var _ = messagesPerSecond(WARM_UP_BYTES, piece);
    }
    start = System.nanoTime();
    while (System.nanoTime() - start < atMostNanos) {
      var _ = latencies(HandOver.MAX_SIZE_BYTES, piece);
      var _ = messagesPerSecond(HandOver.MAX_SIZE_BYTES, piece);
    }
  }

  /** Hands over messages for that long, each when the one before it has been answered. */
  Latencies latencies(int sizeBytes, long nanos) throws Exception {
    ProducerEnd end = begin(new Phase(sizeBytes, 1));
    long first = number + 1;
    long[] startNanos = new long[1 << 10];
    long[] answeredNanos = new long[1 << 10];
    int sent = 0;
    long now = System.nanoTime();
    long endNanos = now + nanos;
    while (now < endNanos) {
      if (sent == startNanos.length) {
        startNanos = Arrays.copyOf(startNanos, 2 * sent);
        answeredNanos = Arrays.copyOf(answeredNanos, 2 * sent);
      }
      startNanos[sent] = System.nanoTime();
      write(end);
      long answer = end.awaitAnswer();
      now = System.nanoTime();
      answeredNanos[sent] = now;
      sent++;
      if (answer != sent) {
        throw new IllegalStateException(way + " answers " + answer + " to message " + sent);
      }
    }
    List<Long> readNanos = end(sizeBytes, sent, first).readNanos();
    long[] oneWay = new long[sent];
    long[] roundTrip = new long[sent];
    for (int i = 0; i < sent; i++) {
      oneWay[i] = readNanos.get(i) - startNanos[i];
      roundTrip[i] = answeredNanos[i] - startNanos[i];
    }
    return new Latencies(Spread.of(oneWay), Spread.of(roundTrip));
  }

  /**
   * Hands over messages for that long, as many at once as the way's window has room for; tells how
   * many the consumer read a second. Of every half window the last message is answered.
   */
  double messagesPerSecond(int sizeBytes, long nanos) throws Exception {
    int window = handOver.window(sizeBytes);
    int every = Math.max(1, window / 2);
    ProducerEnd end = begin(new Phase(sizeBytes, every));
    long first = number + 1;
    long sent = 0;
    long answered = 0;
    long start = System.nanoTime();
    while (sent % every != 0 || System.nanoTime() - start < nanos) {
      if (sent - answered == window) {
        var _ = end.awaitAnswer();
        answered += every;
      }
      write(end);
      sent++;
    }
    for (; answered < sent; answered += every) {
      var _ = end.awaitAnswer();
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    var _ = end(sizeBytes, sent, first);
    return sent / seconds;
  }

  private ProducerEnd begin(Phase phase) throws Exception {
    if (producer == null || consumer == null) {
      throw new IllegalStateException(way + " does not run");
    }
    var _ = consumer.ask("begin " + phase.sizeBytes() + " " + phase.answerEvery());
    producer.begin(phase);
    return producer;
  }

  private void write(ProducerEnd end) throws Exception {
    number++;
    MemorySegment bytes = end.buffer();
    Payload.write(bytes, number);
    end.send();
  }

  /** Makes sure that every message came once. */
  private Consumed end(int sizeBytes, long sent, long first) throws IOException {
    if (consumer == null) {
      throw new IllegalStateException(way + " does not run");
    }
    Consumed consumed = Consumed.parse(consumer.ask("end"));
    long numbers = sizeBytes == 0 ? 0 : sent * (first + number) / 2;
    if (consumed.count() != sent || consumed.numbers() != numbers) {
      throw new IllegalStateException(
          "%s: sent %d messages, numbers' sum %d; consumed %d, sum %d"
              .formatted(way, sent, numbers, consumed.count(), consumed.numbers()));
    }
    return consumed;
  }

  /** Ends the processes, and removes the directory. */
  @Override
  public void close() throws IOException {
    try (Child _ = consumer;
        Child third = between) {
      if (producer != null) {
        producer.close();
      }
      if (third != null) {
        // It may have a process of its own to end.
        var _ = third.ask("end");
      }
    } finally {
      try (Stream<Path> paths = Files.walk(directory)) {
        for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
          Files.deleteIfExists(path);
        }
      }
    }
  }
}
