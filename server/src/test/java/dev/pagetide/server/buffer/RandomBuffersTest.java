package dev.pagetide.server.buffer;

import dev.pagetide.server.page.Seeds;
import dev.pagetide.testkit.Promise;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Random operations on buffers, against a model of a few lines. */
@Promise({19, 33, 34, 35, 36, 37, 38, 39, 40})
final class RandomBuffersTest {
  private static final long STEPS_PER_RANGE = 10_000;

  private static void run(long steps) {
    long seed = Seeds.next();
    for (long done = 0; done < steps; done += STEPS_PER_RANGE) {
      new RandomBuffers(seed + done).run(STEPS_PER_RANGE);
    }
  }

  @Test
  void buffers_atRandom_areAsTheModelSays() {
    run(200_000);
  }

  @Tag("long")
  @Test
  void buffers_atRandomForLong_areAsTheModelSays() {
    run(2_000_000);
  }
}
