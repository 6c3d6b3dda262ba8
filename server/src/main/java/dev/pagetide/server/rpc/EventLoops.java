package dev.pagetide.server.rpc;

import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.util.concurrent.EventExecutor;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;

/** The threads that all connections of one server live on. */
final class EventLoops implements AutoCloseable {
  /**
   * One for every two processors: clients and workers need the others, and a message from one
   * connection to another wakes no second thread where both are on one loop.
   */
  private static final int LOOPS = Math.max(1, Runtime.getRuntime().availableProcessors() / 2);

  private final EventLoopGroup acceptor =
      new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
  private final EventLoopGroup loops =
      new MultiThreadIoEventLoopGroup(LOOPS, EpollIoHandler.newFactory());

  /** Where connections are accepted. */
  EventLoopGroup acceptor() {
    return acceptor;
  }

  /** Where connections are read and written. */
  EventLoopGroup connections() {
    return loops;
  }

  /**
   * Runs a task on an event loop: on the calling thread, if that is one, after what it is at, which
   * is all that its connections have brought; else on any.
   */
  Executor soon() {
    return task -> {
      for (EventExecutor loop : loops) {
        if (loop.inEventLoop()) {
          loop.execute(task);
          return;
        }
      }
      loops.next().execute(task);
    };
  }

  /** Ends them; nobody may be about to answer a call any more. */
  @Override
  public void close() {
    loops.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    acceptor.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
  }
}
