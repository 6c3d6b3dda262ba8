package dev.pagetide.server.rpc;

import com.google.rpc.Code;
import dev.pagetide.v1.ErrorReason;
import dev.pagetide.v1.WaitMode;
import io.grpc.Context;
import io.grpc.Deadline;
import java.util.concurrent.TimeUnit;

/** How long a call may wait for memory. */
final class WaitPolicy {
  private WaitPolicy() {}

  /** Refuses a mode that this server does not know. */
  static WaitMode known(WaitMode mode) {
    if (mode == WaitMode.UNRECOGNIZED) {
      throw StatusMapper.status(
          Code.INVALID_ARGUMENT,
          ErrorReason.ERROR_REASON_MODE_INVALID,
          "wait is none of the WaitModes; ask for WAIT_MODE_NEVER or WAIT_MODE_UNTIL_DEADLINE");
    }
    return mode;
  }

  /**
   * How long the current call may wait, from now. It is nine tenths of the time left until its
   * deadline, so that a refusal still arrives, which says more than an expired deadline does. And
   * it is at most what the server allows.
   */
  static long nanos(WaitMode mode, long mostNanos) {
    if (mode == WaitMode.WAIT_MODE_NEVER) {
      return 0;
    }
    Deadline deadline = Context.current().getDeadline();
    if (deadline == null) {
      return mostNanos;
    }
    long left = deadline.timeRemaining(TimeUnit.NANOSECONDS);
    return Math.clamp(left - left / 10, 0, mostNanos);
  }
}
