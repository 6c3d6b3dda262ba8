package dev.pagetide.client.handover;

import dev.pagetide.client.handover.HandOver.ConsumerEnd;
import dev.pagetide.client.handover.HandOver.Phase;
import dev.pagetide.client.handover.HandOver.Receiver;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.StringJoiner;

/**
 * The process of the end that is handed bytes; it reads every one of them. Says {@code ready}; ends
 * when its standard input is closed.
 *
 * <p>{@code begin SIZE EVERY} on standard input begins a phase and is answered with {@code begun};
 * {@code end} is answered with what came in it, as {@link Consumed} parses it.
 */
final class Consumer implements Receiver {
  private Phase phase = new Phase(0, 1);
  private long count;
  private long numbers;
  private long[] readNanos = new long[1 << 10];

  private Consumer() {}

  /**
   * What came in a phase.
   *
   * @param count messages
   * @param numbers the sum of their numbers
   * @param readNanos when each had been read, by {@link System#nanoTime}, which is one clock for
   *     all processes here; only where every message was answered
   */
  record Consumed(long count, long numbers, List<Long> readNanos) {
    static Consumed parse(String line) {
      List<Long> words = Arrays.stream(line.split(" ", -1)).map(Long::valueOf).toList();
      return new Consumed(words.get(0), words.get(1), words.subList(2, words.size()));
    }
  }

  /**
   * Runs the process.
   *
   * @param args the way, and the directory
   */
  public static void main(String[] args) throws Exception {
    Consumer consumer = new Consumer();
    ConsumerEnd end = Way.valueOf(args[0]).make().consumer(Path.of(args[1]), consumer);
    System.out.println("ready");
    try (BufferedReader input =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      String line = input.readLine();
      while (line != null) {
        String[] words = line.split(" ", -1);
        if (words[0].equals("begin")) {
          Phase phase = new Phase(Integer.parseInt(words[1]), Integer.parseInt(words[2]));
          consumer.begin(phase);
          end.begin(phase);
          System.out.println("begun");
        } else {
          System.out.println(consumer.end());
        }
        line = input.readLine();
      }
    }
    System.exit(0);
  }

  private synchronized void begin(Phase next) {
    phase = next;
    count = 0;
    numbers = 0;
  }

  private synchronized String end() {
    StringJoiner words = new StringJoiner(" ");
    words.add(String.valueOf(count)).add(String.valueOf(numbers));
    for (int i = 0; phase.answerEvery() == 1 && i < count; i++) {
      words.add(String.valueOf(readNanos[i]));
    }
    return words.toString();
  }

  @Override
  public synchronized long received(MemorySegment bytes) {
    try {
      return read(bytes);
    } catch (RuntimeException | Error e) {
      // Some ways would go on, or hold it back.
      e.printStackTrace();
      Runtime.getRuntime().halt(1);
      throw e;
    }
  }

  private long read(MemorySegment bytes) {
    if (bytes.byteSize() != phase.sizeBytes()) {
      throw new IllegalStateException(
          "message of " + bytes.byteSize() + " bytes, not " + phase.sizeBytes());
    }
    numbers += Payload.read(bytes);
    if (phase.answerEvery() == 1) {
      if (count == readNanos.length) {
        readNanos = Arrays.copyOf(readNanos, 2 * readNanos.length);
      }
      readNanos[(int) count] = System.nanoTime();
    }
    count++;
    return count % phase.answerEvery() == 0 ? count : NO_ANSWER;
  }
}
