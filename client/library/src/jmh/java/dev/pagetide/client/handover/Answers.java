package dev.pagetide.client.handover;

import io.grpc.Status;
import java.io.IOException;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;

/** Answers on their way from gRPC's thread to the producer's. */
final class Answers {
  private static final int CAPACITY = 4096;

  private final BlockingQueue<Long> queue = new ArrayBlockingQueue<>(CAPACITY);
  private volatile Status failure = Status.OK;

  void add(long answer) {
    queue.add(answer);
  }

  /** A call has ended, and not well. */
  void fail(Status status) {
    failure = status;
  }

  long await() throws IOException, InterruptedException {
    Long answer = queue.poll(HandOver.PATIENCE_SECONDS, TimeUnit.SECONDS);
    if (answer == null) {
      throw new IOException(
          "no answer for " + HandOver.PATIENCE_SECONDS + " s; gRPC says " + failure);
    }
    return answer;
  }
}
