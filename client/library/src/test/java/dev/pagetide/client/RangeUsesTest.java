package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;
import dev.pagetide.v1.UseRangeResponse;
import io.grpc.ManagedChannel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.AbstractList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntPredicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Uses of a mapped page that the server makes FREE for a moment and AVAILABLE again, as it does
 * where it cannot free a page's memory.
 */
final class RangeUsesTest {

  private static final PageInterval PAGE = new PageInterval(0, 1);

  @TempDir Path temporary = Path.of("");

  @AutoClose private final FakeExchange server = new FakeExchange();
  private final ManagedChannel channel = server.channel();
  private final AtomicInteger asked = new AtomicInteger();

  @SuppressWarnings("NullAway.Init") // made before each test
  private FakeExchange.Mapped mapped;

  @SuppressWarnings("NullAway.Init")
  private PageTable table;

  @BeforeEach
  void map() throws IOException {
    mapped = server.mapped(temporary, false);
    MappedFile file = mapped.pages.file();
    table = new PageTable(file.mapping().asSlice(file.layout().tableOffset(), 4 * Long.BYTES));
    setWord(PageWord.available(5));
    server.sessions.uses.add(request -> {
      asked.incrementAndGet();
      setWord(PageWord.USED_WORD);
      return UseRangeResponse.getDefaultInstance();
    });
  }

  @AfterEach
  void close() {
    channel.shutdownNow();
    mapped.pages.close();
  }

  private void setWord(long word) {
    assertThat(table.casWord(0, table.wordAcquire(0), word)).isTrue();
  }

  /** Names the page; the page that is not USED is FREE at those walks over it, else AVAILABLE. */
  private final class FlippedPage extends AbstractList<PageInterval> {
    private final IntPredicate isFree;
    private int walks;

    private FlippedPage(IntPredicate isFree) {
      this.isFree = isFree;
    }

    @Override
    public PageInterval get(int index) {
      return PAGE;
    }

    @Override
    public int size() {
      return 1;
    }

    @Override
    public Iterator<PageInterval> iterator() {
      walks++;
      if (PageWord.state(table.wordAcquire(0)) != PageWord.USED) {
        setWord(isFree.test(walks) ? PageWord.free(6) : PageWord.available(5));
      }
      return super.iterator();
    }
  }

  private FreshPages use(List<PageInterval> pages) {
    UnaryCalls unary = new UnaryCalls(channel, ClientOptions.DEFAULT);
    RangeCalls calls = new RangeCalls(unary, mapped.ticket);
    CompletableFuture<FreshPages> use =
        new RangeUses(calls, 4, mapped.pages)
            .start(pages, null, RangeUses.Caller.PLAIN, calls.deadline());
    await().until(use::isDone);
    return use.join();
  }

  // Each look for absent pages walks over the list twice, each try to flip them once.

  @Test
  void use_pageIsFreeOnlyWhenItIsToBeFlipped_isTriedAgainAndUsed() {
    FreshPages fresh = use(new FlippedPage(walk -> walk == 3));

    assertThat(PageWord.state(table.wordAcquire(0))).isEqualTo(PageWord.USED);
    assertThat(fresh.isEmpty()).isTrue();
    assertThat(asked).hasValue(0);
  }

  @Test
  void use_pageIsFreeWheneverItIsToBeFlipped_theServerIsAsked() {
    FreshPages fresh = use(new FlippedPage(walk -> walk % 3 == 0));

    assertThat(PageWord.state(table.wordAcquire(0))).isEqualTo(PageWord.USED);
    assertThat(fresh.isEmpty()).isTrue();
    assertThat(asked).hasValue(1);
  }
}
