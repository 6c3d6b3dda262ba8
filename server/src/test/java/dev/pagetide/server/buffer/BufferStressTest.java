package dev.pagetide.server.buffer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.page.Crowd;
import dev.pagetide.server.page.PageFailure;
import dev.pagetide.server.page.Seeds;
import dev.pagetide.testkit.Promise;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/**
 * What holds of buffers while several threads allocate, deliver, pin, free and free again, and
 * another scans, with memory for half of the pages.
 *
 * <p>FORBIDDEN: a buffer freed by two; a buffer whose bytes are not what its builder wrote, because
 * its space was given twice, or because a page was stopped under it and reclaimed; and anything
 * that is left when all is freed.
 */
@Promise({33, 34, 36, 38})
final class BufferStressTest {
  private static final int THREADS = 4;
  private static final int PAGES = 16;
  private static final int OPERATIONS = 4_000;

  private final TestBuffers buffers = TestBuffers.withMemoryFor(PAGES / 2, PAGES);
  private final BufferAllocator allocator = buffers.allocator;

  /** Offsets of delivered buffers, each twice; who takes one out frees what is there. */
  private final Queue<Long> tickets = new ConcurrentLinkedQueue<>();

  private final AtomicInteger delivered = new AtomicInteger();
  private final AtomicInteger freed = new AtomicInteger();
  private final AtomicInteger refused = new AtomicInteger();
  private final AtomicInteger working = new AtomicInteger(THREADS);

  private void work(Random random) {
    for (int i = 0; i < OPERATIONS; i++) {
      if (random.nextInt(3) == 0) {
        build(random);
      } else {
        Long ticket = tickets.poll();
        if (ticket != null) {
          free(ticket, random);
        }
      }
    }
  }

  private void build(Random random) {
    int size = random.nextInt(random.nextInt(4) == 0 ? 3 * 4096 : 600);
    BufferRequest request =
        new BufferRequest(size, random.nextBoolean(), random.nextInt(4) == 0, random.nextInt(2));
    Buffer buffer;
    try {
      buffer = allocator.allocate(request);
    } catch (BufferFailure | PageFailure.NoMemory e) {
      refused.incrementAndGet();
      return;
    }
    buffers.fill(buffer, 1 + random.nextInt(100));
    if (random.nextInt(8) == 0) {
      buffers.abandon(buffer);
      return;
    }
    allocator.deliver(buffer);
    delivered.incrementAndGet();
    tickets.add(buffer.offset());
    tickets.add(buffer.offset());
  }

  private void free(long offset, Random random) {
    try {
      if (random.nextBoolean()) {
        look(allocator.pin(offset, 0));
      }
      allocator.free(offset);
      freed.incrementAndGet();
    } catch (BufferFailure.NotABuffer e) {
      // Its other ticket was used before, or its space belongs to one that is being built.
    } catch (BufferFailure.Busy e) {
      tickets.add(offset);
    }
  }

  private void look(Buffer pinned) {
    try {
      byte[] bytes = buffers.bytesOf(pinned);
      for (byte each : bytes) {
        if (each == 0 || each != bytes[0]) {
          throw new AssertionError(pinned + " holds " + each + " beside " + bytes[0]);
        }
      }
    } finally {
      allocator.unpin(pinned);
    }
  }

  @Test
  void buffers_inAnyInterleaving_endAsTheyBegan() throws InterruptedException {
    long seed = Seeds.next();
    BufferTotals atStart = allocator.totals();
    List<Crowd.Member> members = new ArrayList<>();
    for (int i = 0; i < THREADS; i++) {
      members.add(index -> {
        try {
          work(new Random(seed + index));
        } finally {
          working.decrementAndGet();
        }
      });
    }
    members.add(_ -> {
      while (working.get() > 0) {
        buffers.shrinker.scan(3);
      }
    });

    Crowd.run(members);
    buffers.checkInvariants();
    while (!tickets.isEmpty()) {
      free(tickets.remove(), new Random(seed));
    }

    assertThat(freed).hasValue(delivered.get());
    assertThat(delivered).hasPositiveValue();
    assertThat(allocator.totals()).isEqualTo(atStart);
    assertThat(buffers.map()).doesNotContain("U");
    buffers.checkInvariants();
    long available = buffers.shrinker.count();
    assertThat(buffers.shrinker.scan(PAGES).reclaimed()).isEqualTo(available);
    assertThat(buffers.map()).isEqualTo("F".repeat(PAGES));
    buffers.close();
  }

  @Test
  void free_ofOneBufferByAll_hasOneWinner() throws InterruptedException {
    for (int round = 0; round < 200; round++) {
      Buffer contended = buffers.delivered(new BufferRequest(100, true, round % 2 == 0, 1));
      AtomicInteger winners = new AtomicInteger();

      Crowd.run(
          THREADS,
          _ -> {
            try {
              allocator.free(contended.offset());
              winners.incrementAndGet();
            } catch (BufferFailure.NotABuffer e) {
              // It lost.
            }
          });

      assertThat(winners).hasValue(1);
      assertThat(allocator.totals().oneWayUsedBytes()).isZero();
      buffers.checkInvariants();
    }
    buffers.close();
  }
}
