package dev.pagetide.server.pressure;

import java.lang.foreign.Arena;
import java.util.concurrent.locks.LockSupport;

/**
 * A process that eats memory at a bounded rate: so many bytes each so many milliseconds, by a clock
 * of its own, and keeps them.
 *
 * <p>Says {@code ready} before it begins, which it does when a line comes in; {@code ate N} when it
 * is through; and then waits for its end.
 */
final class MemoryEater {
  private MemoryEater() {}

  /**
   * Runs the process.
   *
   * @param args bytes a step, milliseconds from step to step, number of steps
   */
  public static void main(String[] args) throws Exception {
    long stepBytes = Long.parseLong(args[0]);
    long periodNanos = Long.parseLong(args[1]) * 1_000_000;
    int steps = Integer.parseInt(args[2]);
    System.out.println("ready");
    int _ = System.in.read();
    long next = System.nanoTime();
    long eaten = 0;
    for (int step = 0; step < steps; step++) {
      var _ = Arena.global().allocate(stepBytes, Long.BYTES).fill((byte) 1);
      eaten += stepBytes;
      next += periodNanos;
      while (System.nanoTime() < next) {
        LockSupport.parkNanos(next - System.nanoTime());
      }
    }
    System.out.println("ate " + eaten);
    while (System.in.read() >= 0) {
      // Until its input ends, or it is killed.
    }
  }
}
