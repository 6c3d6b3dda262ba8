package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is opened where a real server grants less than was asked for. */
final class GrantedSizeTest {

  private static final long GRANTED = 256 << 10;
  private static final long ASKED = 1L << 30;
  private static final TransactionHandler NOTHING = _ -> {};

  @SuppressWarnings("NullAway.Init") // started before all tests
  private static ServerProcess server;

  @SuppressWarnings("NullAway.Init") // connected before each test
  private PagetideClient client;

  @BeforeAll
  static void start() throws IOException {
    server = ServerProcess.start("--max-range-bytes=" + GRANTED);
  }

  @AfterAll
  static void stop() throws IOException {
    server.close();
  }

  @BeforeEach
  void connect() {
    client = PagetideClient.connect(server.directory());
  }

  @AfterEach
  void close() {
    client.close();
  }

  private static ReceiverOptions receiver() {
    return ReceiverOptions.named("inbox");
  }

  private void isRefused(ThrowingCallable open) {
    PagetideException refused = catchThrowableOfType(PagetideException.class, open);

    assertThat(refused.code()).isEqualTo(StatusCode.RESOURCE_EXHAUSTED);
    assertThat(refused.outcomeUnknown()).isFalse();
    assertThat(refused)
        .hasMessageContaining(Long.toString(ASKED))
        .hasMessageContaining(Long.toString(GRANTED))
        .hasMessageContaining("raise the server's --max-range-bytes");
    await().until(() -> client.shrinker().listRanges().isEmpty());
  }

  @Test
  void open_moreThanTheServerGrants_isRefusedWithBothSizesAndLeavesNoSession() {
    isRefused(() -> client.open(OpenOptions.ofSize(ASKED)));
    isRefused(() -> client.open(new OpenOptions("named", ASKED)));
  }

  @Test
  void openReceiver_moreThanTheServerGrants_isRefusedAndItsNameIsFree() {
    isRefused(() -> client.openReceiver(receiver().withSizeBytes(ASKED), NOTHING));

    client.openReceiver(receiver(), NOTHING).close();
  }

  @Test
  void openSender_moreThanTheServerGrants_isRefused() {
    isRefused(() -> client.openSender(SenderOptions.DEFAULT.withSizeBytes(ASKED)));
  }

  @Test
  void open_exactlyWhatTheServerGrants_opens() {
    try (PageRange range = client.open(OpenOptions.ofSize(GRANTED))) {
      assertThat(range.sizeBytes()).isEqualTo(GRANTED);
    }
  }

  @Test
  void open_atMost_takesWhatThereIs() {
    try (PageRange range = client.open(OpenOptions.atMost(ASKED));
        PageRange named = client.open(OpenOptions.atMost("named", ASKED));
        Receiver receiver = client.openReceiver(receiver().withSizeAtMost(ASKED), NOTHING);
        Sender sender = client.openSender(SenderOptions.DEFAULT.withSizeAtMost(ASKED))) {
      assertThat(range.sizeBytes()).isEqualTo(GRANTED);
      assertThat(named.sizeBytes()).isEqualTo(GRANTED);
      assertThat(receiver.sizeBytes()).isEqualTo(GRANTED);
      assertThat(sender.sizeBytes()).isEqualTo(GRANTED);
    }
  }

  @Test
  void open_sizesThatTheLibraryChose_takeWhatThereIs() {
    try (Receiver receiver = client.openReceiver(receiver(), NOTHING);
        Sender sender = client.openSender(SenderOptions.DEFAULT)) {
      assertThat(receiver.sizeBytes()).isEqualTo(GRANTED);
      assertThat(sender.sizeBytes()).isEqualTo(GRANTED);
    }
  }

  @Test
  void open_sizeWithARest_isRefusedAndSaysThatPagesAreWhole() {
    PagetideException refused =
        catchThrowableOfType(
            PagetideException.class, () -> client.open(OpenOptions.ofSize(GRANTED - 1)));

    assertThat(refused)
        .hasMessageContaining("size_bytes=" + (GRANTED - 1))
        .hasMessageContaining("ask for whole pages");
    await().until(() -> client.shrinker().listRanges().isEmpty());
  }
}
