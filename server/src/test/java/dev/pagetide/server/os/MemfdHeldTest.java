package dev.pagetide.server.os;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.shm.SharedFileLayout;
import dev.pagetide.testkit.HeldFile;
import dev.pagetide.testkit.Requires;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What goes on in a file while its client holds the inode lock: all that event loops do. */
@Tag(Requires.TAG)
final class MemfdHeldTest {
  private static final int PAGE = Memfd.systemPageSize();
  private static final int PAGES = 8;
  private static final SharedFileLayout LAYOUT = SharedFileLayout.of(PAGE, PAGES);
  private static final long LONG_SECONDS = 60;

  @SuppressWarnings("NullAway.Init") // before each test
  private Memfd held;

  @SuppressWarnings("NullAway.Init") // before each test
  private Memfd other;

  @BeforeEach
  void create() throws IOException {
    held = Memfd.create("pagetide-held", LAYOUT);
    other = Memfd.create("pagetide-other", LAYOUT);
    held.allocate(0, PAGES);
    other.allocate(0, PAGES);
  }

  @AfterEach
  void close() {
    held.close(true);
    other.close(true);
  }

  /** The calls that threads make on which other clients wait. */
  enum Call {
    READ {
      @Override
      void make(Memfd held, Memfd other) throws SystemCallException {
        held.read(5, ByteBuffer.allocate(3 * PAGE));
      }
    },
    WRITE {
      @Override
      void make(Memfd held, Memfd other) throws SystemCallException {
        held.write(5, ByteBuffer.allocate(3 * PAGE));
      }
    },
    WRITE_ZEROS {
      @Override
      void make(Memfd held, Memfd other) throws SystemCallException {
        held.writeZeros(5, 3L * PAGE);
      }
    },
    COPY_IN_OF_KEPT_PAGES {
      @Override
      void make(Memfd held, Memfd other) throws SystemCallException {
        held.copyFrom(other, 5, 7, 3L * PAGE, true);
      }
    },
    COPY_IN {
      @Override
      void make(Memfd held, Memfd other) throws SystemCallException {
        held.copyFrom(other, 5, 7, 3L * PAGE, false);
      }
    },
    COPY_OUT_OF_KEPT_PAGES {
      @Override
      void make(Memfd held, Memfd other) throws SystemCallException {
        other.copyFrom(held, 5, 7, 3L * PAGE, true);
      }
    },
    COPY_OUT {
      @Override
      void make(Memfd held, Memfd other) throws SystemCallException {
        other.copyFrom(held, 5, 7, 3L * PAGE, false);
      }
    },
    RESIDENT_PAGES {
      @Override
      void make(Memfd held, Memfd other) throws SystemCallException {
        assertThat(held.residentPages()).isEqualTo(PAGES + LAYOUT.bookkeepingPages());
      }
    },
    DUPLICATE {
      @Override
      void make(Memfd held, Memfd other) throws SystemCallException {
        held.duplicate().close();
      }
    };

    abstract void make(Memfd held, Memfd other) throws SystemCallException;
  }

  @ParameterizedTest
  @EnumSource
  void call_fileHeldByItsClient_isNotHeldUp(Call call) throws Exception {
    CompletableFuture<Void> done = new CompletableFuture<>();
    Thread caller =
        Thread.ofPlatform()
            .daemon()
            .unstarted(() -> {
              try {
                call.make(held, other);
                done.complete(null);
              } catch (IOException | RuntimeException | Error e) {
                done.completeExceptionally(e);
              }
            });
    try (HeldFile _ = HeldFile.hold(held.descriptor(), LAYOUT.dataOffset(), PAGE)) {
      caller.start();

      done.get(LONG_SECONDS, TimeUnit.SECONDS);
    } finally {
      caller.join(); // before the files are closed
    }
  }

  @Test
  void punch_fileHeldByItsClient_waitsForTheClient() throws Exception {
    CompletableFuture<Void> done = new CompletableFuture<>();
    try (HeldFile _ = HeldFile.hold(held.descriptor(), LAYOUT.dataOffset(), PAGE)) {
      Thread.ofPlatform()
          .daemon()
          .start(() -> {
            try {
              held.punch(0, 1);
              done.complete(null);
            } catch (IOException | RuntimeException | Error e) {
              done.completeExceptionally(e);
            }
          });

      Awaitility.await().during(Duration.ofMillis(200)).until(() -> !done.isDone());
    }
    done.get(LONG_SECONDS, TimeUnit.SECONDS);
  }
}
