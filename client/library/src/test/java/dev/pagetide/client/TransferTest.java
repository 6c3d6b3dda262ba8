package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.pagetide.v1.ReadRequest;
import dev.pagetide.v1.WriteRequest;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Reads and writes of any length: cut to what one request may carry, and put together again. */
final class TransferTest {

  @AutoClose private final FakeServer server = new FakeServer();

  @AutoClose
  @SuppressWarnings("NullAway.Init") // opened before each test
  private PagetideClient client;

  @SuppressWarnings("NullAway.Init") // opened before each test
  private PageRange range;

  @BeforeEach
  void open() {
    client = server.client();
    range = client.open(OpenOptions.ofSize(1024));
    for (int i = 0; i < server.bytes.length; i++) {
      server.bytes[i] = (byte) (i * 7 + 1);
    }
  }

  @AfterEach
  void close() {
    client.close();
    server.close();
  }

  @Test
  void read_longerThanOneRequest_isCutAndPutTogether() {
    byte[] read = range.read(5, 100);

    assertThat(read).isEqualTo(Arrays.copyOfRange(server.bytes, 5, 105));
    assertThat(server.reads).extracting(ReadRequest::getOffset).containsExactly(5L, 37L, 69L, 101L);
    assertThat(server.reads).extracting(ReadRequest::getLength).containsExactly(32, 32, 32, 4);
  }

  @Test
  void read_exactlyOneRequest_isNotCut() {
    assertThat(range.read(0, 32)).hasSize(32);

    assertThat(server.reads).hasSize(1);
  }

  @Test
  void read_nothing_stillAsksTheServer() {
    assertThat(range.read(3, 0)).isEmpty();

    assertThat(server.reads).extracting(ReadRequest::getLength).containsExactly(0);
  }

  @Test
  void read_intoBuffer_fillsTheRemainingBytesOnly() {
    ByteBuffer into = ByteBuffer.allocateDirect(64).position(3).limit(51);

    range.read(2, into);

    assertThat(into.position()).isEqualTo(51);
    byte[] filled = new byte[64];
    into.clear().get(filled);
    assertThat(Arrays.copyOfRange(filled, 3, 51))
        .isEqualTo(Arrays.copyOfRange(server.bytes, 2, 50));
    assertThat(Arrays.copyOfRange(filled, 0, 3)).containsOnly(0);
    assertThat(Arrays.copyOfRange(filled, 51, 64)).containsOnly(0);
  }

  @Test
  void read_readOnlyBuffer_isRefusedAndSendsNothing() {
    assertThatThrownBy(() -> range.read(0, ByteBuffer.allocate(4).asReadOnlyBuffer()))
        .isInstanceOf(IllegalArgumentException.class);

    assertThat(server.reads).isEmpty();
  }

  @Test
  void write_longerThanOneRequest_isCutInOrder() {
    byte[] written = new byte[70];
    Arrays.fill(written, (byte) 9);

    range.write(10, written);

    assertThat(server.writes).extracting(WriteRequest::getOffset).containsExactly(10L, 42L, 74L);
    assertThat(Arrays.copyOfRange(server.bytes, 10, 80)).containsOnly(9);
    assertThat(server.bytes[9]).isNotEqualTo((byte) 9);
    assertThat(server.bytes[80]).isNotEqualTo((byte) 9);
  }

  @Test
  void write_laterPieceRefused_saysHowMuchWasWrittenAndKeepsThePosition() {
    server.refuseWritesAfter = 2;
    ByteBuffer from = ByteBuffer.allocate(100).position(1);

    PagetideException failure =
        catchThrowableOfType(PagetideException.class, () -> range.write(0, from));

    assertThat(failure.reason()).contains(ErrorReason.PAGE_NOT_USED);
    assertThat(failure.completedBytes()).isEqualTo(64);
    assertThat(failure).hasMessageContaining("page 4").hasMessageContaining("64 of 99 bytes");
    assertThat(failure.outcomeUnknown()).isFalse();
    assertThat(from.position()).isEqualTo(1);
    assertThat(server.writes).hasSize(2);
  }

  @Test
  void write_firstPieceRefused_hasWrittenNothing() {
    server.refuseWritesAfter = 0;

    PagetideException failure =
        catchThrowableOfType(PagetideException.class, () -> range.write(0, new byte[100]));

    assertThat(failure.completedBytes()).isZero();
    assertThat(server.writes).isEmpty();
  }

  @Test
  void transfer_negativeNumbers_areRefusedAndSendNothing() {
    assertThatThrownBy(() -> range.read(-1, 4)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> range.read(0, -4)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> range.write(-1, new byte[4]))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> range.fillZero(0, -1)).isInstanceOf(IllegalArgumentException.class);

    assertThat(server.reads).isEmpty();
    assertThat(server.writes).isEmpty();
  }
}
