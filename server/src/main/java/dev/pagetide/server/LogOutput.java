package dev.pagetide.server;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import org.slf4j.LoggerFactory;

/**
 * Where the log's lines go: into a queue, and from there by one thread to standard error, which may
 * be a pipe that nobody reads. So no thread that logs ever waits; what does not fit into the queue
 * is lost. {@code logback.xml} says how long the queue is.
 */
final class LogOutput {
  /** The name of the queue in {@code logback.xml}. */
  private static final String QUEUE = "QUEUE";

  private LogOutput() {}

  /** Writes what is queued, as far as that takes at most a second, and ends the output. */
  static void end() {
    if (LoggerFactory.getILoggerFactory() instanceof LoggerContext context) {
      var queue = context.getLogger(Logger.ROOT_LOGGER_NAME).getAppender(QUEUE);
      if (queue != null) {
        queue.stop();
      }
    }
  }
}
