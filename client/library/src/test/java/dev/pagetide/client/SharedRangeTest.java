package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What lies beneath a range, and scopes of used pages, with a server in a process of its own. */
final class SharedRangeTest {
  private static final ClientOptions SHARED = ClientOptions.DEFAULT.withAccess(AccessMode.SHARED);

  @SuppressWarnings("NullAway.Init") // started before each test
  private ServerProcess server;

  @BeforeEach
  void start() throws IOException {
    server = ServerProcess.start();
  }

  @AfterEach
  void stop() throws IOException {
    server.close();
  }

  private void with(ClientOptions options, Consumer<PageRange> test) {
    try (PagetideClient client = PagetideClient.connect(server.directory(), options);
        PageRange range = client.open(OpenOptions.ofSize(64 << 10))) {
      test.accept(range);
    }
  }

  @Test
  void open_onTheServersHost_mapsTheFileAndSaysSo() {
    with(
        ClientOptions.DEFAULT,
        range -> {
          assertThat(range.access()).isEqualTo(RangeAccess.SHARED);
          assertThat(range.whyRemote()).isEmpty();
          assertThat(range.describe().access()).isEqualTo(RangeAccess.SHARED);
        });
  }

  @Test
  void open_toldToMapNothing_isRemote() {
    with(
        ClientOptions.DEFAULT.withAccess(AccessMode.REMOTE),
        range -> {
          assertThat(range.describe().access()).isEqualTo(RangeAccess.REMOTE);
          assertThat(range.whyRemote()).hasValue("the client was told to map no file");
        });
  }

  @Test
  void attach_isRemoteAndSaysWhy_andIsRefusedWhereSharedIsDemanded() {
    with(
        SHARED,
        range -> {
          try (PagetideClient other = PagetideClient.connect(server.directory());
              PagetideClient demanding = PagetideClient.connect(server.directory(), SHARED);
              PageRange attached = other.attach(range.ticket())) {
            assertThat(attached.access()).isEqualTo(RangeAccess.REMOTE);
            assertThat(attached.whyRemote().orElseThrow())
                .contains("only the client that opened a range can map its file");
            PagetideException refused =
                catchThrowableOfType(
                    PagetideException.class, () -> demanding.attach(range.ticket()));
            assertThat(refused.code()).isEqualTo(StatusCode.FAILED_PRECONDITION);
            assertThat(refused)
                .hasMessageContaining("access=SHARED")
                .hasMessageContaining("open a Sender and a Receiver");
          }
        });
  }

  @Test
  void open_withoutHandoffSocket_isRemoteAndForcedSharedFails() throws IOException {
    Files.delete(server.directory().resolve("handoff.sock"));

    with(
        ClientOptions.DEFAULT,
        range -> {
          assertThat(range.access()).isEqualTo(RangeAccess.REMOTE);
          assertThat(range.useRange(0, 2).pageCount()).isEqualTo(2);
        });
    assertThatThrownBy(() -> with(SHARED, range -> {}))
        .isInstanceOf(PagetideException.class)
        .hasMessageContaining("handoff.sock");
  }

  @Test
  void use_scope_readsWritesCopiesAndStopsAtItsEnd() {
    with(
        SHARED,
        range -> {
          try (UsedPages pages = range.use(2, 4);
              UsedPages others = range.use(6, 7)) {
            assertThat(pages.fresh().intervals()).containsExactly(new PageInterval(2, 4));
            assertThat(pages.sizeBytes()).isEqualTo(2L * range.pageSize());
            pages.write(range.pageSize() - 2, new byte[] {1, 2, 3});
            pages.copyTo(range.pageSize() - 2, others, 10, 3);
            pages.fillZero(range.pageSize() - 1, 1);
            pages.filled();

            assertThat(pages.read(range.pageSize() - 2, 3)).containsExactly(1, 0, 3);
            assertThat(others.read(9, 5)).containsExactly(0, 1, 2, 3, 0);
            assertThat(range.read(6L * range.pageSize() + 10, 3)).containsExactly(1, 2, 3);
            assertThat(PageLetters.of(range)).isEqualTo("..UU..U.........");
          }

          assertThat(PageLetters.of(range)).isEqualTo("..aa..a.........");
          try (UsedPages again = range.use(2, 4)) {
            assertThat(again.fresh().isEmpty()).isTrue();
            assertThat(again.read(range.pageSize() - 2, 3)).containsExactly(1, 0, 3);
          }
        });
  }

  @Test
  void close_othersUseThePage_keepsItUsedUntilTheLast() {
    for (AccessMode choice : new AccessMode[] {AccessMode.SHARED, AccessMode.REMOTE}) {
      with(
          ClientOptions.DEFAULT.withAccess(choice),
          range -> {
            UsedPages first = range.use(0, 4);
            UsedPages second = range.use(2, 6);

            first.close();
            first.close();
            assertThat(PageLetters.of(range)).isEqualTo("aaUUUU..........");

            second.close();
            assertThat(PageLetters.of(range)).isEqualTo("aaaaaa..........");
          });
    }
  }

  @Test
  void access_scopeClosed_fails() {
    with(
        SHARED,
        range -> {
          UsedPages pages = range.use(0, 1);
          pages.close();

          assertThatThrownBy(() -> pages.read(0, 1))
              .isInstanceOf(IllegalStateException.class)
              .hasMessageContaining("is closed");
          assertThatThrownBy(() -> pages.write(0, new byte[1]))
              .isInstanceOf(IllegalStateException.class);
          assertThatThrownBy(() -> pages.fillZero(0, 1)).isInstanceOf(IllegalStateException.class);
          assertThatThrownBy(pages::segment).isInstanceOf(IllegalStateException.class);
        });
  }

  @Test
  void access_outsideTheScope_fails() {
    with(
        SHARED,
        range -> {
          try (UsedPages pages = range.use(1, 2);
              UsedPages neighbour = range.use(2, 3)) {
            ByteBuffer two = ByteBuffer.wrap(new byte[] {9, 9});
            assertThatThrownBy(() -> pages.write(range.pageSize() - 1, two))
                .isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> pages.read(-1, 1))
                .isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> pages.copyTo(0, neighbour, range.pageSize() - 1, 2))
                .isInstanceOf(IndexOutOfBoundsException.class);
            assertThat(neighbour.read(0, 2)).containsExactly(0, 0);
          }
          assertThatThrownBy(() -> range.use(3, 17)).isInstanceOf(IndexOutOfBoundsException.class);
        });
  }

  @Test
  void segment_kept_staysReadableUnlessItIsConfined() {
    with(
        SHARED,
        range -> {
          UsedPages pages = range.use(0, 1);
          MemorySegment kept = pages.segment();
          pages.close();
          kept.get(ValueLayout.JAVA_BYTE, 0);
        });
    with(
        SHARED.withConfinedSegments(true),
        range -> {
          UsedPages pages = range.use(3, 5);
          MemorySegment kept = pages.segment();
          kept.set(ValueLayout.JAVA_BYTE, range.pageSize(), (byte) 7);
          assertThat(pages.read(range.pageSize(), 1)).containsExactly(7);
          pages.close();

          assertThatThrownBy(() -> kept.get(ValueLayout.JAVA_BYTE, 0))
              .isInstanceOf(IllegalStateException.class);
        });
  }

  @Test
  void segment_remoteRange_isRefused() {
    with(
        ClientOptions.DEFAULT.withAccess(AccessMode.REMOTE),
        range -> {
          try (UsedPages pages = range.use(0, 1)) {
            pages.write(0, new byte[] {5});
            assertThat(pages.read(0, 1)).containsExactly(5);
            assertThatThrownBy(pages::segment).isInstanceOf(UnsupportedOperationException.class);
          }
        });
  }

  @Test
  void use_serverKilled_failsAndMappedBytesStayReadable() throws Exception {
    try (PagetideClient client = PagetideClient.connect(server.directory(), SHARED);
        PageRange range = client.open(OpenOptions.ofSize(64 << 10));
        UsedPages pages = range.use(0, 1)) {
      pages.write(0, new byte[] {1, 2, 3});

      server.kill();
      await().until(() -> range.ended().toCompletableFuture().isDone());

      assertThat(pages.read(0, 3)).containsExactly(1, 2, 3);
      PagetideException refused =
          catchThrowableOfType(PagetideException.class, () -> range.useRange(0, 1));
      assertThat(refused.code()).isEqualTo(StatusCode.UNAVAILABLE);
      assertThatThrownBy(() -> range.use(0, 1)).isInstanceOf(PagetideException.class);
    }
  }

  @Test
  void access_rangeClosed_failsAndScopesCloseQuietly() {
    try (PagetideClient client = PagetideClient.connect(server.directory(), SHARED)) {
      PageRange range = client.open(OpenOptions.ofSize(64 << 10));
      UsedPages pages = range.use(0, 1);
      MemorySegment bytes = pages.segment();
      range.close();

      PagetideException refused =
          catchThrowableOfType(PagetideException.class, () -> pages.read(0, 1));
      assertThat(refused.reason()).hasValue(ErrorReason.SESSION_ENDED);
      assertThatThrownBy(() -> bytes.get(ValueLayout.JAVA_BYTE, 0))
          .isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> range.stopUsingRange(0, 1)).isInstanceOf(PagetideException.class);
      pages.close();
    }
  }
}
