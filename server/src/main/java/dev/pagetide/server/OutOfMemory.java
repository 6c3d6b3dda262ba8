package dev.pagetide.server;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.turbo.TurboFilter;
import ch.qos.logback.core.spi.FilterReply;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;
import org.slf4j.Marker;

/**
 * The end of the process after an OutOfMemoryError, because a server that met one can promise
 * nothing any more: whatever was under way may have been left half done.
 *
 * <p>The launcher tells the JVM to exit at the first lack of heap. The JVM does not do so for
 * memory outside the heap, nor for threads. Those errors are thrown by Java code, which Netty and
 * gRPC may catch.
 */
/*
 * Code that catches an error and cannot handle it logs it: ours, gRPC's and Netty's. What nobody
 * catches ends a thread. So we look at what is logged, before it is known whether its level is on,
 * and at what ends a thread. Netty's handler of a connection logs what it catches only at FINE;
 * hence we turn that level on, and the configuration of the log leaves those lines out.
 *
 * An error that is caught where a thread could not be started is not logged: the work runs on the
 * thread that is there, and nothing is left half done.
 */
final class OutOfMemory {
  /** The exit code, which is also the JVM's own for -XX:+ExitOnOutOfMemoryError. */
  static final int EXIT_CODE = 3;

  /** How long the log's last lines may take. */
  private static final long LAST_LINES_NANOS = TimeUnit.SECONDS.toNanos(2);

  /** How deep causes may be nested. */
  private static final int MAX_CAUSES = 100;

  /** Logs at FINE why it ends a connection. Kept, because the logging forgets levels otherwise. */
  private static final java.util.logging.Logger CONNECTIONS =
      java.util.logging.Logger.getLogger("io.grpc.netty.NettyServerHandler");

  private OutOfMemory() {}

  /** From now on an OutOfMemoryError ends this process. */
  static void endsTheProcess() {
    CountDownLatch met = new CountDownLatch(1);
    // Started now, because no thread may be had later. It ends the process even if nobody reads
    // standard error, and the other thread waits there.
    Thread end =
        Thread.ofPlatform()
            .daemon()
            .name("pagetide-out-of-memory")
            .unstarted(() -> {
              await(met);
              LockSupport.parkNanos(LAST_LINES_NANOS);
              Runtime.getRuntime().halt(EXIT_CODE);
            });
    end.start();
    watch(error -> {
      met.countDown();
      say(error);
      LogOutput.end();
      Runtime.getRuntime().halt(EXIT_CODE);
    });
  }

  /** Calls {@code met} with each OutOfMemoryError that is logged, or that ends a thread. */
  static void watch(Consumer<OutOfMemoryError> met) {
    Thread.setDefaultUncaughtExceptionHandler((thread, thrown) -> {
      OutOfMemoryError error = in(thrown);
      if (error != null) {
        met.accept(error);
      }
      LoggerFactory.getLogger(OutOfMemory.class)
          .error("thread {} was ended by a bug of the server", thread.getName(), thrown);
    });
    if (LoggerFactory.getILoggerFactory() instanceof LoggerContext context) {
      context.addTurboFilter(new Watch(met));
      CONNECTIONS.setLevel(java.util.logging.Level.FINE);
    }
  }

  private static void await(CountDownLatch latch) {
    boolean over = false;
    while (!over) {
      try {
        latch.await();
        over = true;
      } catch (InterruptedException e) {
        // No thread interrupts this one; it goes on in any case.
      }
    }
  }

  /** Past the log, whose queue may be full, and whose thread may be this one. */
  private static void say(OutOfMemoryError error) {
    String line =
        "out of memory, so this process ends with "
            + EXIT_CODE
            + ": "
            + error.getMessage()
            + "; give it more (-Xmx, -XX:MaxDirectMemorySize, ulimit -u), or lower"
            + " --max-request-bytes-in-flight or --max-sessions\n";
    System.err.writeBytes(line.getBytes(StandardCharsets.UTF_8));
    System.err.flush();
  }

  /** The OutOfMemoryError that a failure is, or that caused it; null if none did. */
  static @Nullable OutOfMemoryError in(@Nullable Throwable failure) {
    Throwable thrown = failure;
    for (int depth = 0; thrown != null && depth < MAX_CAUSES; depth++) {
      if (thrown instanceof OutOfMemoryError error) {
        return error;
      }
      for (Throwable suppressed : thrown.getSuppressed()) {
        if (suppressed instanceof OutOfMemoryError error) {
          return error;
        }
      }
      thrown = thrown.getCause();
    }
    return null;
  }

  /** Looks at every line that is to be logged, whether or not its level is on. */
  private static final class Watch extends TurboFilter {
    private final Consumer<OutOfMemoryError> met;

    Watch(Consumer<OutOfMemoryError> met) {
      this.met = met;
    }

    @Override
    public FilterReply decide(
        @Nullable Marker marker,
        Logger logger,
        Level level,
        @Nullable String format,
        Object @Nullable [] arguments,
        @Nullable Throwable thrown) {
      // A throwable that comes as the last argument is not in `thrown` yet.
      Throwable failure =
          thrown == null
                  && arguments != null
                  && arguments.length > 0
                  && arguments[arguments.length - 1] instanceof Throwable last
              ? last
              : thrown;
      OutOfMemoryError error = in(failure);
      if (error != null) {
        met.accept(error);
      }
      return FilterReply.NEUTRAL;
    }
  }
}
