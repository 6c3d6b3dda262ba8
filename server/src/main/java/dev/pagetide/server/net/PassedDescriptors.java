package dev.pagetide.server.net;

import io.netty.channel.ChannelException;
import io.netty.channel.ChannelOption;
import io.netty.channel.unix.IntegerUnixChannelOption;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.util.Locale;
import java.util.Optional;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * The descriptors that a client sends with its bytes, and how a listening socket refuses them.
 *
 * <p>The server wants no descriptor from a client. A read without room for one closes it, and the
 * kernel decides how long that takes: a TCP socket with SO_LINGER keeps the reading thread for
 * years. That thread is an event loop, which serves others, too. With SO_PASSRIGHTS at 0 (Linux
 * 6.16) the sender gets EPERM, and the descriptor never arrives.
 *
 * <p>The option is about receiving; such a socket still sends descriptors.
 */
public final class PassedDescriptors {
  private static final int SOL_SOCKET = 1;
  private static final int SO_PASSRIGHTS = 83;

  /** What the C library says for ENOPROTOOPT: the kernel does not know the option. */
  private static final String UNKNOWN_OPTION = "Protocol not available";

  private static final ChannelOption<Integer> OPTION =
      new IntegerUnixChannelOption("SO_PASSRIGHTS", SOL_SOCKET, SO_PASSRIGHTS);

  private static final Optional<String> PROBLEM = problem(SO_PASSRIGHTS);

  private PassedDescriptors() {}

  /**
   * Has a listening Unix socket refuse descriptors, if the kernel can. Each accepted socket
   * inherits this from the listening one.
   *
   * @param options takes the option of a listening socket, before it is bound
   */
  public static void refuse(BiConsumer<ChannelOption<Integer>, Integer> options) {
    if (PROBLEM.isEmpty()) {
      options.accept(OPTION, 0);
    }
  }

  /** Why descriptors cannot be refused here, and what that means; empty if they can. */
  public static Optional<String> problem() {
    return PROBLEM;
  }

  static Optional<String> problem(int option) {
    Socket socket = null;
    try {
      socket = Socket.newSocketDomain();
      socket.setIntOpt(SOL_SOCKET, option, 0);
      return Optional.empty();
    } catch (IOException | ChannelException e) {
      String said = String.valueOf(e.getMessage());
      return Optional.of(
          String.format(
              Locale.ROOT,
              "descriptors that clients send cannot be refused (%s): a client can stop the"
                  + " connections of others by sending one whose close takes long; the alert"
                  + " PagetideLoopStalled would show it",
              said.contains(UNKNOWN_OPTION) ? "SO_PASSRIGHTS needs Linux 6.16" : said));
    } finally {
      close(socket);
    }
  }

  private static void close(@Nullable Socket socket) {
    try {
      if (socket != null) {
        socket.close();
      }
    } catch (IOException e) {
      // The number is free whatever close says.
    }
  }
}
