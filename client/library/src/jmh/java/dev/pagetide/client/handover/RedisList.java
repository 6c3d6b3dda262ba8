package dev.pagetide.client.handover;

import java.io.EOFException;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Lists of a Redis that saves nothing, over its Unix socket: LPUSH by one end, BRPOP by the other,
 * and the answers by a second list.
 *
 * <p>The client is the least there can be: commands are written in place, replies are read in
 * place, small commands are gathered up to 64 KiB, and all is pipelined. The consumer has always
 * asked for 16 messages ahead, and the producer sends its BRPOP for the answer along with its
 * LPUSH.
 */
final class RedisList implements HandOver {
  private static final String SERVER = "redis-server";
  private static final int AHEAD = 32;
  private static final byte[] MESSAGES_POP = command("BRPOP", "m", "0");
  private static final byte[] ANSWERS_POP = command("BRPOP", "a", String.valueOf(PATIENCE_SECONDS));
  private static final byte[] NO_REPLIES = command("CLIENT", "REPLY", "OFF");
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;

  /** Redis holds what the consumer has not fetched: a window keeps that in the cache. */
  @Override
  public int window(int sizeBytes) {
    return Math.clamp((2 << 20) / Math.max(1, sizeBytes), 4, 512);
  }

  @Override
  public String missing() {
    boolean found =
        Stream.of(System.getenv().getOrDefault("PATH", "").split(File.pathSeparator, -1))
            .anyMatch(folder -> Files.isExecutable(Path.of(folder, SERVER)));
    return found ? "" : "there is no " + SERVER + " on the PATH (Debian: apt install redis-server)";
  }

  @Override
  public AutoCloseable between(Path directory) throws IOException, InterruptedException {
    Process server =
        new ProcessBuilder(
                SERVER,
                "--port",
                "0",
                "--unixsocket",
                address(directory).getPath().toString(),
                "--save",
                "",
                "--appendonly",
                "no",
                "--dir",
                directory.toString())
            .redirectOutput(directory.resolve("redis.log").toFile())
            .redirectErrorStream(true)
            .start();
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    while (!answers(directory)) {
      if (!server.isAlive() || System.nanoTime() > end) {
        server.destroyForcibly();
        throw new IOException(
            SERVER + " does not start: " + Files.readString(directory.resolve("redis.log")));
      }
      Thread.sleep(10);
    }
    return () -> {
      server.destroy();
      if (!server.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        server.destroyForcibly();
      }
    };
  }

  private static boolean answers(Path directory) {
    try (SocketChannel channel = SocketChannel.open(address(directory))) {
      return channel.isConnected();
    } catch (IOException e) {
      return false;
    }
  }

  private static UnixDomainSocketAddress address(Path directory) {
    return UnixDomainSocketAddress.of(directory.resolve("redis.sock"));
  }

  @Override
  public ConsumerEnd consumer(Path directory, Receiver receiver) throws IOException {
    SocketChannel pops = SocketChannel.open(address(directory));
    // Of its own: a connection that waits in BRPOP takes no other command.
    SocketChannel pushes = SocketChannel.open(address(directory));
    Thread.ofPlatform()
        .daemon()
        .start(() -> {
          try (pops;
              pushes) {
            consume(pops, new SocketOutput(pushes), receiver);
          } catch (EOFException e) {
            // The server has ended.
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
    return _ -> {};
  }

  private static void consume(SocketChannel pops, SocketOutput pushes, Receiver receiver)
      throws IOException {
    byte[] prefix = pushPrefix("a", Long.BYTES);
    put(pushes.reserve(NO_REPLIES.length), NO_REPLIES);
    SocketInput input = new SocketInput(pops);
    SocketOutput output = new SocketOutput(pops);
    int asked = 0;
    while (true) {
      if (asked <= AHEAD / 2) {
        for (; asked < AHEAD; asked++) {
          put(output.reserve(MESSAGES_POP.length), MESSAGES_POP);
        }
        output.flush();
      }
      long answer = receiver.received(popped(input));
      asked--;
      if (answer != Receiver.NO_ANSWER) {
        push(pushes, prefix, Long.BYTES).set(LONG, 0, answer);
        pushes.flush();
      }
    }
  }

  @Override
  public ProducerEnd producer(Path directory) throws IOException {
    return new Producer(SocketChannel.open(address(directory)));
  }

  private static final class Producer implements ProducerEnd {
    private final SocketChannel channel;
    private final SocketOutput output;
    private final SocketInput input;
    private byte[] prefix = {};
    private int sizeBytes;

    /** Pushes whose reply has not been read. */
    private int unread;

    Producer(SocketChannel channel) {
      this.channel = channel;
      this.output = new SocketOutput(channel);
      this.input = new SocketInput(channel);
    }

    @Override
    public void begin(Phase phase) {
      sizeBytes = phase.sizeBytes();
      prefix = pushPrefix("m", sizeBytes);
    }

    @Override
    public MemorySegment buffer() throws IOException {
      return push(output, prefix, sizeBytes);
    }

    @Override
    public void send() throws IOException {
      unread++;
      output.flushIfEnough();
    }

    @Override
    public long awaitAnswer() throws IOException {
      put(output.reserve(ANSWERS_POP.length), ANSWERS_POP);
      output.flush();
      for (; unread > 0; unread--) {
        expect(input, ':');
        var _ = number(input);
      }
      return popped(input).get(LONG, 0);
    }

    @Override
    public void close() throws IOException {
      channel.close();
    }
  }

  private static byte[] command(String... words) {
    StringBuilder text = new StringBuilder("*" + words.length + "\r\n");
    for (String word : words) {
      text.append('$').append(word.length()).append("\r\n").append(word).append("\r\n");
    }
    return text.toString().getBytes(StandardCharsets.US_ASCII);
  }

  /** A push up to its value. */
  private static byte[] pushPrefix(String list, int sizeBytes) {
    String command = "*3\r\n$5\r\nLPUSH\r\n$1\r\n" + list + "\r\n$" + sizeBytes + "\r\n";
    return command.getBytes(StandardCharsets.US_ASCII);
  }

  /** Writes a push; tells where its value is to be. */
  private static MemorySegment push(SocketOutput output, byte[] prefix, int sizeBytes)
      throws IOException {
    MemorySegment command = output.reserve(prefix.length + sizeBytes + 2);
    put(command, prefix);
    command.set(ValueLayout.JAVA_BYTE, prefix.length + sizeBytes, (byte) '\r');
    command.set(ValueLayout.JAVA_BYTE, prefix.length + sizeBytes + 1L, (byte) '\n');
    return command.asSlice(prefix.length, sizeBytes);
  }

  private static void put(MemorySegment target, byte[] bytes) {
    MemorySegment.copy(bytes, 0, target, ValueLayout.JAVA_BYTE, 0, bytes.length);
  }

  /** Reads the reply to a BRPOP: the list's name and the value. */
  private static MemorySegment popped(SocketInput input) throws IOException {
    expect(input, '*');
    if (number(input) != 2) {
      throw new IOException("Redis has nothing for this end, after " + PATIENCE_SECONDS + " s");
    }
    var _ = bulk(input);
    return bulk(input);
  }

  private static MemorySegment bulk(SocketInput input) throws IOException {
    expect(input, '$');
    int size = number(input);
    return input.take(size + 2).asSlice(0, size);
  }

  private static void expect(SocketInput input, char wanted) throws IOException {
    char kind = (char) input.takeByte();
    if (kind != wanted) {
      throw new IOException("Redis answers " + kind + ", not " + wanted);
    }
  }

  private static int number(SocketInput input) throws IOException {
    byte next = input.takeByte();
    boolean isNegative = next == '-';
    int number = isNegative ? 0 : next - '0';
    next = input.takeByte();
    while (next != '\r') {
      number = 10 * number + next - '0';
      next = input.takeByte();
    }
    var _ = input.takeByte();
    return isNegative ? -number : number;
  }
}
