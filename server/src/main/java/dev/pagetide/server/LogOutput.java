package dev.pagetide.server;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import org.slf4j.LoggerFactory;

/**
 * The way of the log's lines: into a queue, and from there one thread writes them to standard
 * error. That may be a pipe that no process reads. So no thread that logs ever waits, and lines
 * that do not fit into the queue are lost. {@code logback.xml} says how long the queue is.
 */
final class LogOutput {
  /** The name of the queue in {@code logback.xml}. */
  private static final String QUEUE = "QUEUE";

  private LogOutput() {}

  /** Writes the lines in the queue, for at most a second, and ends the output. */
  static void end() {
    if (LoggerFactory.getILoggerFactory() instanceof LoggerContext context) {
      var queue = context.getLogger(Logger.ROOT_LOGGER_NAME).getAppender(QUEUE);
      if (queue != null) {
        queue.stop();
      }
    }
  }
}
