package dev.pagetide.server.page;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.PageClock;
import dev.pagetide.server.os.SystemCallException;
import dev.pagetide.shm.PageEdges;
import dev.pagetide.shm.PageState;
import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.PageWord;
import dev.pagetide.shm.SharedFileLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * One small range on a real memfd, with a shrinker and a budget of its own, that one stress test's
 * state uses after another.
 *
 * <p>jcstress makes states by the hundred thousand and runs each once: too many for a memfd each.
 * So a test has a {@link Pool} of ranges, and a state's constructor claims the next one and makes
 * all its pages FREE. {@link #stillMine} says whether the pool was large enough: more states alive
 * than ranges would disturb each other.
 *
 * <p>The ranges of a mapped pool have a client: a second mapping of the same memfd, as another
 * process would have it, with a page table of its own on it. It does what an honest client does.
 */
final class StressRange {
  /** What a page holds before, and what an actor writes into it. */
  static final long OLD = 0x0101_0101_0101_0101L;

  static final long NEW = 0x0202_0202_0202_0202L;

  final Shrinker shrinker;
  final ShrinkablePageRange range;
  private final Slot slot;
  private final long claim;

  private StressRange(Slot slot, long claim) {
    this.slot = slot;
    this.claim = claim;
    this.shrinker = slot.shrinker;
    this.range = slot.range;
  }

  /** What outlives a state. */
  private static final class Slot {
    private final PageBudget budget;
    private final Shrinker shrinker;
    private final ShrinkablePageRange range;
    private final AtomicLong claims = new AtomicLong();
    private final @Nullable Client client;

    Slot(long id, int pageCount, int budgetDataPages, boolean mapped) {
      int pageSize = PageFileMaker.MEMFD.pageSize();
      SharedFileLayout layout = SharedFileLayout.of(pageSize, pageCount);
      budget = PageBudget.root("--max-resident-bytes", layout.bookkeepingPages() + budgetDataPages);
      shrinker = new Shrinker(budget, PageClock.MONOTONIC, PageObserver.NONE);
      RangeConfig config = new RangeConfig(PageFileMaker.MEMFD, layout.dataBytes(), 1);
      range =
          ShrinkablePageRange.register(
              id, RangeMode.PAGES, layout.dataBytes(), config, budget, shrinker);
      client = mapped ? new Client(new ClientView(range)) : null;
    }
  }

  /** The other side: a mapping of the whole file, and the table as it sees it. */
  private static final class Client {
    private final ClientView view;
    private final PageTable table;

    Client(ClientView view) {
      this.view = view;
      this.table = view.table();
    }
  }

  /** Ranges of one shape, given out in turn. */
  static final class Pool {
    /** Twice what {@code -strideSize 32 -strideCount 4} keeps alive. */
    private static final int RANGES = 256;

    private final Slot[] slots = new Slot[RANGES];
    private final AtomicInteger next = new AtomicInteger();

    Pool(int pageCount, int budgetDataPages) {
      this(pageCount, budgetDataPages, false);
    }

    private Pool(int pageCount, int budgetDataPages, boolean mapped) {
      for (int i = 0; i < RANGES; i++) {
        slots[i] = new Slot(i, pageCount, budgetDataPages, mapped);
      }
    }

    /** Ranges each of which a client has mapped, and that no budget limits. */
    static Pool mapped(int pageCount) {
      return new Pool(pageCount, 1 << 20, true);
    }

    /** A range whose pages are all FREE, for one state alone. */
    StressRange claim() {
      Slot slot = slots[next.getAndIncrement() & (RANGES - 1)];
      StressRange claimed = new StressRange(slot, slot.claims.incrementAndGet());
      claimed.freeAll();
      return claimed;
    }
  }

  private void freeAll() {
    range.stopUsingRange(0, range.pageCount());
    shrinker.scan(Long.MAX_VALUE);
    if (range.counts().free() != range.pageCount()) {
      throw new IllegalStateException("not all FREE: " + range.counts());
    }
  }

  /** Fails if another state was given the range meanwhile. */
  void stillMine() {
    if (slot.claims.get() != claim) {
      throw new IllegalStateException("more states alive than ranges in the pool");
    }
  }

  /** Makes pages AVAILABLE, each with OLD in its first bytes, all with one stamp. */
  StressRange available(int startPage, int endPage) {
    used(startPage, endPage);
    range.stopUsingRange(startPage, endPage);
    return this;
  }

  /**
   * Has a sweep queue all AVAILABLE pages, and the one that is first in the queue taken. What the
   * queue held of states before is dropped on the way: its words are gone.
   */
  StressRange queued(int first) {
    if (!scan(1).equals("took") || PageWord.state(word(first)) != PageWord.FREE) {
      throw new IllegalStateException("page " + first + " was not first in the queue");
    }
    return this;
  }

  /** Makes pages USED, each with OLD in its first bytes. */
  StressRange used(int startPage, int endPage) {
    range.useRange(startPage, endPage);
    for (int page = startPage; page < endPage; page++) {
      write(page, OLD);
    }
    return this;
  }

  /** A page's word as it is now. */
  long word(int page) {
    return range.table().wordAcquire(page);
  }

  /** Uses pages: "kept", "fresh" if any was, "refused" if there was no memory. */
  String use(int startPage, int endPage) {
    try {
      return range.useRange(startPage, endPage).isEmpty() ? "kept" : "fresh";
    } catch (PageFailure.NoMemory e) {
      return "refused";
    }
  }

  /** Writes a page's first bytes: "wrote", or "refused" if it is not USED. */
  String write(int page, long value) {
    ByteBuffer bytes = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.nativeOrder());
    try {
      range.write((long) page * range.pageSize(), bytes.putLong(0, value));
      return "wrote";
    } catch (PageFailure.NotUsed e) {
      return "refused";
    }
  }

  /** What a page's first bytes are: "old", "new", "zeros" or "garbage"; "refused" if not USED. */
  String read(int page) {
    ByteBuffer bytes = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.nativeOrder());
    try {
      range.read((long) page * range.pageSize(), bytes);
    } catch (PageFailure.NotUsed e) {
      return "refused";
    }
    return name(bytes.getLong(0));
  }

  private static String name(long value) {
    return value == OLD ? "old" : value == NEW ? "new" : value == 0 ? "zeros" : "garbage";
  }

  private Client client() {
    Client client = slot.client;
    if (client == null) {
      throw new IllegalStateException("the pool's ranges are not mapped");
    }
    return client;
  }

  /**
   * The client uses a page by itself: "kept". If the page is not AVAILABLE it asks the server, as
   * an honest client does: that says "fresh", or "kept", too.
   */
  String clientUse(int page) {
    return PageEdges.toUsed(client().table, page, page + 1) == 1 ? "kept" : use(page, page + 1);
  }

  /** The client stops a page by itself: "stopped", or "left" if it was not USED. */
  String clientStop(int page) {
    long available = PageWord.available(System.nanoTime());
    return PageEdges.toAvailable(client().table, page, page + 1, available) == 1
        ? "stopped"
        : "left";
  }

  /** The client stops and uses a USED page: "kept", or "fresh" if it was taken in any round. */
  String clientRounds(int page, int rounds) {
    String kept = "kept";
    for (int round = 0; round < rounds; round++) {
      clientStop(page);
      if (!clientUse(page).equals("kept")) {
        kept = "fresh";
      }
    }
    return kept;
  }

  /** The client writes a page's first bytes through its mapping. */
  void clientWrite(int page, long value) {
    client().view.setLong(page, value);
  }

  /** What a page's first bytes are in the client's mapping; the page has to be USED. */
  String clientRead(int page) {
    return name(client().view.getLong(page));
  }

  /** "used" and a page's bytes, or only the state if it is another. */
  String look(int page) {
    PageState state = range.states(page, page + 1)[0];
    return state == PageState.USED ? "used " + read(page) : state.name();
  }

  /** Scans for the oldest pages: "took" if it got as many, else "left". */
  String scan(int pages) {
    return shrinker.scan(pages).reclaimed() == pages ? "took" : "left";
  }

  /** Reclaims a page that was chosen by {@code word}, as a scan does: "took" or "left". */
  String reclaim(int page, long word) {
    Scan scan = new Scan();
    new RunReclaimer(range, scan).reclaim(new int[] {page}, new long[] {word}, 0, 1);
    return scan.reclaimed() == 1 ? "took" : "left";
  }

  /** At rest: "exact" if file, bits, words and charge agree; else which do not. */
  String audit() {
    try {
      int resident = range.pages().count();
      int bookkeeping = range.file().layout().bookkeepingPages();
      if (range.file().residentPages() != bookkeeping + resident) {
        return "strays";
      }
      if (slot.budget.chargedPages() != bookkeeping + resident) {
        return "mischarged";
      }
      for (int page = 0; page < range.pageCount(); page++) {
        boolean held = PageWord.state(word(page)) != PageWord.FREE;
        if (held != range.pages().isResident(page)) {
          return "bit and word differ";
        }
      }
      return "exact";
    } catch (SystemCallException e) {
      throw new AssertionError(e);
    }
  }
}
