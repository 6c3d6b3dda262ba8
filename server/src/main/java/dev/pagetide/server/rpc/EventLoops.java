package dev.pagetide.server.rpc;

import dev.pagetide.server.net.LoopWatch;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.util.concurrent.EventExecutor;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Supplier;

/** The event-loop threads that serve all connections of one server. */
final class EventLoops implements AutoCloseable {
  /**
   * One loop for every two processors. Clients and workers need the other processors. And if two
   * connections are on one loop, a message from one to the other wakes no second thread.
   */
  private static final int LOOPS = Math.max(1, Runtime.getRuntime().availableProcessors() / 2);

  private final EventLoopGroup acceptor =
      new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
  private final EventLoopGroup loops =
      new MultiThreadIoEventLoopGroup(LOOPS, EpollIoHandler.newFactory());

  /** The loop that accepts connections. */
  EventLoopGroup acceptor() {
    return acceptor;
  }

  /** The loops that read and write connections. */
  EventLoopGroup connections() {
    return loops;
  }

  /**
   * Runs tasks on an event loop. If the caller is an event-loop thread, this queues the task behind
   * the current batch of reads on that loop. Otherwise it runs the task on any loop.
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

  /**
   * Makes a value for each loop.
   *
   * @return gives the value of the loop whose thread asks
   */
  <T> Supplier<T> forEachLoop(Function<EventExecutor, T> make) {
    Map<EventExecutor, T> values = new HashMap<>();
    loops.forEach(loop -> values.put(loop, make.apply(loop)));
    return () -> {
      for (Map.Entry<EventExecutor, T> value : values.entrySet()) {
        if (value.getKey().inEventLoop()) {
          return value.getValue();
        }
      }
      throw new AssertionError("not an event loop: " + Thread.currentThread());
    };
  }

  /** Has all loops watched. */
  void watchedBy(LoopWatch watch) {
    watch.watch(acceptor);
    watch.watch(loops);
  }

  /** Ends the loops. No thread may be about to answer a call any more. */
  @Override
  public void close() {
    loops.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    acceptor.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
  }
}
