package dev.pagetide.server.os;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pagetide.shm.SharedFileLayout;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Copies from one shared file into another, where the source's pages are kept, and where not. */
final class MemfdCopyTest {
  private static final int PAGE = Memfd.systemPageSize();
  private static final int PAGES = 64;
  private static final SharedFileLayout LAYOUT = SharedFileLayout.of(PAGE, PAGES);
  private static final int ODD = 4321;

  @SuppressWarnings("NullAway.Init") // before each test
  private Memfd source;

  @SuppressWarnings("NullAway.Init") // before each test
  private Memfd target;

  @BeforeEach
  void create() throws IOException {
    source = Memfd.create("pagetide-copy-source", LAYOUT);
    target = Memfd.create("pagetide-copy-target", LAYOUT);
  }

  @AfterEach
  void close() {
    source.close(true);
    target.close(true);
  }

  private static byte[] random(int length) {
    byte[] bytes = new byte[length];
    new Random(length).nextBytes(bytes);
    return bytes;
  }

  private static byte[] read(Memfd file, long offset, int length) throws IOException {
    byte[] bytes = new byte[length];
    file.read(offset, ByteBuffer.wrap(bytes));
    return bytes;
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void copyFrom_oddSpan_copiesItAndNothingElse(boolean kept) throws IOException {
    byte[] bytes = random(30 * PAGE + ODD);
    source.write(ODD, ByteBuffer.wrap(bytes));
    byte[] around = random(PAGES * PAGE);
    target.write(0, ByteBuffer.wrap(around));

    target.copyFrom(source, ODD, 2 * ODD, bytes.length, kept);

    assertThat(read(target, 2 * ODD, bytes.length)).isEqualTo(bytes);
    assertThat(read(target, 0, 2 * ODD)).isEqualTo(Arrays.copyOf(around, 2 * ODD));
    int end = 2 * ODD + bytes.length;
    assertThat(read(target, end, PAGES * PAGE - end))
        .isEqualTo(Arrays.copyOfRange(around, end, PAGES * PAGE));
  }

  @Test
  void copyFrom_holeNotKept_zerosAndNoMemoryThere() throws IOException {
    long before = source.residentPages();

    target.copyFrom(source, 0, 0, 3L * PAGE, false);

    assertThat(read(target, 0, 3 * PAGE)).containsOnly(0);
    assertThat(source.residentPages()).isEqualTo(before);
  }

  @Test
  void copyFrom_holeInKeptPages_zeros() throws IOException {
    source.write(0, ByteBuffer.wrap(random(3 * PAGE)));
    long before = source.residentPages();
    source.punch(1, 2); // as a hostile client may do to its own staged buffer

    target.copyFrom(source, 0, 0, 3L * PAGE, true);

    assertThat(read(target, PAGE, PAGE)).containsOnly(0);
    assertThat(source.residentPages()).isLessThanOrEqualTo(before);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void copyFrom_pastEitherEnd_refusedAndNothingCopied(boolean kept) throws IOException {
    source.write(0, ByteBuffer.wrap(random(PAGE)));
    long end = (long) PAGES * PAGE;

    assertThatThrownBy(() -> target.copyFrom(source, end - 1, 0, 2, kept))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> target.copyFrom(source, 0, end - 1, 2, kept))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThat(read(target, 0, PAGES * PAGE)).containsOnly(0);
  }
}
