package dev.pagetide.client.handover;

import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;

/**
 * A Unix socket between the two and nothing else: a message's length in 8 bytes, and the message,
 * written and read in place in direct buffers. Small ones are gathered, up to 64 KiB. The two trust
 * each other: nothing is checked, limited or survived.
 */
final class BareSocket implements HandOver {
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;

  /** The socket itself holds 200 KiB; the window only keeps the answers few. */
  @Override
  public int window(int sizeBytes) {
    return sizeBytes < 1 << 20 ? 512 : 8;
  }

  @Override
  public boolean isDirect() {
    return true;
  }

  @Override
  public AutoCloseable between(Path directory) {
    throw new UnsupportedOperationException("nothing stands between");
  }

  @Override
  public ConsumerEnd consumer(Path directory, Receiver receiver) throws IOException {
    ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    server.bind(address(directory));
    Thread.ofPlatform()
        .daemon()
        .start(() -> {
          try (server;
              SocketChannel channel = server.accept()) {
            consume(channel, receiver);
          } catch (EOFException e) {
            // The producer has ended.
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
    return _ -> {};
  }

  private static void consume(SocketChannel channel, Receiver receiver) throws IOException {
    SocketInput input = new SocketInput(channel);
    SocketOutput output = new SocketOutput(channel);
    while (true) {
      int size = (int) input.take(Long.BYTES).get(LONG, 0);
      long answer = receiver.received(input.take(size));
      if (answer != Receiver.NO_ANSWER) {
        output.reserve(Long.BYTES).set(LONG, 0, answer);
        output.flush();
      }
    }
  }

  @Override
  public ProducerEnd producer(Path directory) throws IOException {
    return new Producer(SocketChannel.open(address(directory)));
  }

  private static UnixDomainSocketAddress address(Path directory) {
    return UnixDomainSocketAddress.of(directory.resolve("bare.sock"));
  }

  private static final class Producer implements ProducerEnd {
    private final SocketChannel channel;
    private final SocketOutput output;
    private final SocketInput input;
    private int sizeBytes;

    Producer(SocketChannel channel) {
      this.channel = channel;
      this.output = new SocketOutput(channel);
      this.input = new SocketInput(channel);
    }

    @Override
    public void begin(Phase phase) {
      sizeBytes = phase.sizeBytes();
    }

    @Override
    public MemorySegment buffer() throws IOException {
      MemorySegment message = output.reserve(Long.BYTES + sizeBytes);
      message.set(LONG, 0, sizeBytes);
      return message.asSlice(Long.BYTES);
    }

    @Override
    public void send() throws IOException {
      output.flushIfEnough();
    }

    @Override
    public long awaitAnswer() throws IOException {
      output.flush();
      return input.take(Long.BYTES).get(LONG, 0);
    }

    @Override
    public void close() throws IOException {
      channel.close();
    }
  }
}
