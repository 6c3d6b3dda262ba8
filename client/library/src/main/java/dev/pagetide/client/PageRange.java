package dev.pagetide.client;

import io.grpc.Deadline;
import java.nio.ByteBuffer;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The pages of one session: use them, write and read them, stop using them.
 *
 * <p>A range belongs to the process that opened it. Two processes cannot map one range to share its
 * bytes. Another process can {@linkplain PagetideClient#attach attach}, and then every operation is
 * an rpc. Or a {@link Sender} can send it bytes by a transaction.
 *
 * <p>A page is FREE (no memory), AVAILABLE (memory that is not in use, which the server may take
 * back at any instant) or USED. A page is used or not; nothing counts how often. So use, use, stop
 * leaves it AVAILABLE. Bytes can be read and written in USED pages only. A stopped page is a cache:
 * when a program uses it again, it learns whether the page still has its bytes.
 *
 * <p><b>Pages whose use has an unknown outcome count as fresh.</b> {@code useRange} may end without
 * an answer: its deadline passed, it was cancelled, or the connection broke. Then the server may
 * have done it, and may have given a page new, zeroed memory without telling this client. The range
 * remembers those pages. The next use that names them and succeeds reports them as fresh, whatever
 * the server says, and then the range forgets them. So the answer of {@code useRange} can be
 * trusted: a page that is not in it has the bytes last written to it.
 *
 * <p>Any number of threads may call any method at once. Each blocking method ends within the
 * client's call timeout, and throws on a thread that delivers answers (see the package). The method
 * and its {@code Async} twin fail with {@link PagetideException}, whose reason is one of the
 * contract's: UNKNOWN_SESSION or SESSION_ENDED (all methods), PAST_END, and those named at the
 * method. Futures complete on the channel's event loop, so a stage that runs there must not block.
 * Cancelling a future cancels its call.
 *
 * <p>The range ends with {@link #close}, with its client, or with the server. {@link #ended} tells
 * how. From then on every call fails at once; the code is UNAVAILABLE if the server went away.
 */
public final class PageRange implements AutoCloseable {

  private final SessionTicket ticket;
  private final @Nullable SessionStream stream;
  private final @Nullable SharedPages shared;
  private final String whyRemote;
  private final RangeCalls calls;
  private final RangeUses uses;
  private final RangeScopes scopes;
  private final CompletableFuture<SessionEnd> detached = new CompletableFuture<>();

  private PageRange(
      UnaryCalls calls,
      SessionTicket ticket,
      @Nullable SessionStream stream,
      @Nullable SharedPages shared,
      String whyRemote) {
    this.ticket = ticket;
    this.stream = stream;
    this.shared = shared;
    this.whyRemote = whyRemote;
    this.calls = new RangeCalls(calls, ticket);
    this.uses = new RangeUses(this.calls, ticket.pageCount(), shared);
    this.scopes = new RangeScopes(this, uses, shared);
  }

  /** The range of a session that was just opened. */
  static PageRange of(UnaryCalls calls, OpenedSession session) {
    return new PageRange(
        calls, session.ticket(), session.stream(), session.pages(), session.whyRemote());
  }

  /** A range on a session that another process, or client, owns. */
  static PageRange attached(UnaryCalls calls, SessionTicket ticket, String why) {
    return new PageRange(calls, ticket, null, null, why);
  }

  /** Bytes in a page. */
  public int pageSize() {
    return ticket.pageSize();
  }

  /** The number of pages that the server granted. */
  public int pageCount() {
    return ticket.pageCount();
  }

  /** Bytes in the range. */
  public long sizeBytes() {
    return (long) ticket.pageSize() * ticket.pageCount();
  }

  /** The session's public number, unsigned. One server never reuses it. */
  public long rangeId() {
    return ticket.rangeId();
  }

  /**
   * The session's secret token. A process that has it can do everything to this range; over the
   * Unix socket the process must belong to the same user.
   */
  public String token() {
    return ticket.token();
  }

  /** Most bytes that one request carries. This class splits larger reads and writes. */
  public int maxDataBytes() {
    return ticket.maxDataBytes();
  }

  /** The run of the server to which this range belongs; another value means another run. */
  public long serverInstance() {
    return ticket.serverInstance();
  }

  /**
   * How this range reaches its pages: {@link RangeAccess#SHARED} only if the file is mapped. An
   * attached range is never mapped. {@link #whyRemote} says why a range is not.
   */
  public RangeAccess access() {
    return shared == null ? RangeAccess.REMOTE : RangeAccess.SHARED;
  }

  /** Why this range is {@link RangeAccess#REMOTE}, in a sentence; empty if it is not. */
  public Optional<String> whyRemote() {
    return shared == null ? Optional.of(whyRemote) : Optional.empty();
  }

  /**
   * Uses pages for as long as the result is open. Several scopes may use the same page; the library
   * stops it when the last of them is closed. A fresh page stays fresh for every scope of this
   * range object, until a scope that reported it as fresh calls {@link UsedPages#filled}.
   *
   * @throws IndexOutOfBoundsException if {@code startPage} is after {@code endPage}, or one of them
   *     is outside the range
   * @throws PagetideException as {@link #useRange(List)}
   */
  public UsedPages use(int startPage, int endPage) {
    Blocking.checkMayWait();
    return scopes.enter(startPage, endPage);
  }

  /**
   * The pages as tiles of a cache.
   *
   * @throws UnsupportedOperationException if the range is remote
   */
  TilePages tiles(int tilePages) {
    if (shared == null) {
      throw new UnsupportedOperationException(
          "this range is remote, and a cache gives out the bytes in place: " + whyRemote);
    }
    return new TilePages(this, shared, uses, tilePages);
  }

  /** How long one operation may take. */
  long callTimeoutNanos() {
    return calls.callTimeout().toNanos();
  }

  /** A deadline that starts now, for one operation. */
  Deadline deadline() {
    return calls.deadline();
  }

  /**
   * Stops pages, unless the session has ended: then there is nothing to stop. Does not wait.
   *
   * @return null if the pages are stopped already; otherwise a future that completes when they are
   */
  @Nullable CompletableFuture<Void> stopUnlessEnded(int startPage, int endPage) {
    if (failure() != null) {
      return null; // many scopes may end after their range; none of them needs an exception
    }
    if (shared != null && shared.tryStop(startPage, endPage)) {
      return null;
    }
    return calls
        .stop(List.of(new PageInterval(startPage, endPage)))
        .exceptionally(failure -> {
          if (failure() != null) {
            return null; // it has ended meanwhile
          }
          throw new CompletionException(Blocking.cause(failure));
        });
  }

  /** The failure to throw when an access to the mapping came after the mapping's end. */
  PagetideException unmapped(IllegalStateException cause) {
    PagetideException ended = failure();
    if (ended == null) {
      throw cause; // not the mapping's end, then
    }
    return ended.rethrown();
  }

  /** The ticket with which another process can {@linkplain PagetideClient#attach attach}. */
  public SessionTicket ticket() {
    return ticket;
  }

  /**
   * Makes pages {@code [startPage, endPage)} USED.
   *
   * @return those of them that hold none of their old bytes
   * @throws PagetideException as {@link #useRange(List)}
   */
  public FreshPages useRange(int startPage, int endPage) {
    Blocking.checkMayWait();
    return useRange(startPage, endPage, RangeUses.Caller.PLAIN, null);
  }

  /**
   * As {@link #useRange(int, int)}, for a caller of the given kind.
   *
   * @param deadline null for one that starts now
   */
  FreshPages useRange(
      int startPage, int endPage, RangeUses.Caller caller, @Nullable Deadline deadline) {
    SharedPages pages = shared;
    BitSet flipped = null;
    if (pages != null && uses.nothingIsDoubtful() && failure() == null) {
      flipped = pages.tryUse(startPage, endPage);
      if (flipped == null) {
        return FreshPages.NONE;
      }
    }
    return useSlow(startPage, endPage, flipped, caller, deadline == null ? deadline() : deadline);
  }

  private FreshPages useSlow(
      int startPage,
      int endPage,
      @Nullable BitSet flipped,
      RangeUses.Caller caller,
      Deadline deadline) {
    List<PageInterval> named = List.of(new PageInterval(startPage, endPage));
    return Blocking.await(() -> ifOpen(() -> uses.start(named, flipped, caller, deadline)));
  }

  /**
   * Makes every page of {@code pages} USED, or changes none of them. Pages that were FREE get
   * memory that reads as zeros; the others keep their bytes. The call may race with a stop of the
   * same page: either may win.
   *
   * @param pages at most 4096 intervals, in any order; they may overlap
   * @return the pages that hold none of their old bytes
   * @throws PagetideException TOO_MANY_SPANS, NO_MEMORY, and as at the class
   */
  public FreshPages useRange(List<PageInterval> pages) {
    return Blocking.await(() -> useRangeAsync(pages));
  }

  /** {@link #useRange(List)} without waiting. */
  public CompletableFuture<FreshPages> useRangeAsync(List<PageInterval> pages) {
    List<PageInterval> named = List.copyOf(pages);
    return ifOpen(() -> uses.start(named, null, RangeUses.Caller.PLAIN, deadline()));
  }

  /**
   * Makes the USED pages of {@code [startPage, endPage)} AVAILABLE.
   *
   * @throws PagetideException as {@link #stopUsingRange(List)}
   */
  public void stopUsingRange(int startPage, int endPage) {
    Blocking.checkMayWait();
    SharedPages pages = shared;
    if (pages != null && failure() == null && pages.tryStop(startPage, endPage)) {
      return;
    }
    stopUsingRange(List.of(new PageInterval(startPage, endPage)));
  }

  /**
   * Makes every USED page of {@code pages} AVAILABLE. The page keeps its bytes until the server
   * takes it back. The server takes the page that was stopped first, first. FREE pages stay FREE. A
   * read or write of these pages that runs at the same time may lose its bytes.
   *
   * @param pages at most 4096 intervals, in any order; they may overlap
   * @throws PagetideException TOO_MANY_SPANS, and as at the class
   */
  public void stopUsingRange(List<PageInterval> pages) {
    Blocking.await(() -> stopUsingRangeAsync(pages));
  }

  /** {@link #stopUsingRange(List)} without waiting. */
  public CompletableFuture<Void> stopUsingRangeAsync(List<PageInterval> pages) {
    List<PageInterval> named = List.copyOf(pages);
    return ifOpen(() ->
        shared != null && shared.tryStop(named)
            ? CompletableFuture.completedFuture(null)
            : calls.stop(named));
  }

  /**
   * Reads {@code length} bytes at {@code offset}, in pieces of at most {@link #maxDataBytes}. Each
   * piece is one request, so the bytes of a piece belong together, but those of two pieces may not.
   *
   * @throws IllegalArgumentException if a number is negative
   * @throws PagetideException PAGE_NOT_USED, and as at the class
   */
  public byte[] read(long offset, int length) {
    return Blocking.await(() -> readAsync(offset, length));
  }

  /** {@link #read(long, int)} without waiting. */
  public CompletableFuture<byte[]> readAsync(long offset, int length) {
    checkNotNegative("length", length);
    byte[] bytes = new byte[length];
    CompletableFuture<byte[]> result = new CompletableFuture<>();
    CompletableFuture<Void> transfer = readAsync(offset, ByteBuffer.wrap(bytes));
    var _ =
        transfer.whenComplete((done, failure) -> {
          if (failure == null) {
            result.complete(bytes);
          } else {
            result.completeExceptionally(failure);
          }
        });
    var _ = result.whenComplete((done, failure) -> transfer.cancel(true));
    return result;
  }

  /**
   * Fills the remaining bytes of {@code into} with those at {@code offset}, and moves its position
   * to its limit. If this fails, the position is where it was and the bytes are undefined.
   *
   * @throws IllegalArgumentException if the offset is negative
   * @throws PagetideException PAGE_NOT_USED, and as at the class
   */
  public void read(long offset, ByteBuffer into) {
    int position = into.position();
    try {
      Blocking.await(() -> readAsync(offset, into));
    } catch (PagetideException e) {
      into.position(position);
      throw e;
    }
  }

  /**
   * {@link #read(long, ByteBuffer)} without waiting. The position moves at once; the bytes are
   * there when the future has completed.
   */
  public CompletableFuture<Void> readAsync(long offset, ByteBuffer into) {
    checkNotNegative("offset", offset);
    if (into.isReadOnly()) {
      throw new IllegalArgumentException("a read-only buffer cannot be read into");
    }
    ByteBuffer claimed = into.duplicate();
    into.position(into.limit());
    return ifOpen(() ->
        shared != null && shared.tryRead(offset, claimed)
            ? CompletableFuture.completedFuture(null)
            : calls.read(offset, claimed));
  }

  /**
   * Writes {@code bytes} at {@code offset}.
   *
   * @throws IllegalArgumentException if the offset is negative
   * @throws PagetideException as {@link #write(long, ByteBuffer)}
   */
  public void write(long offset, byte[] bytes) {
    write(offset, ByteBuffer.wrap(bytes));
  }

  /**
   * Writes the remaining bytes of {@code from} at {@code offset}, in pieces of at most {@link
   * #maxDataBytes}, and moves its position to its limit. A refused piece writes nothing of itself,
   * but the pieces before it are written: {@link PagetideException#completedBytes} says how much.
   * If this fails, the position is where it was.
   *
   * @throws IllegalArgumentException if the offset is negative
   * @throws PagetideException PAGE_NOT_USED, and as at the class
   */
  public void write(long offset, ByteBuffer from) {
    int position = from.position();
    try {
      Blocking.await(() -> writeAsync(offset, from));
    } catch (PagetideException e) {
      from.position(position);
      throw e;
    }
  }

  /**
   * {@link #write(long, ByteBuffer)} without waiting. The position moves at once; the bytes must
   * not change until the future has completed.
   */
  public CompletableFuture<Void> writeAsync(long offset, ByteBuffer from) {
    checkNotNegative("offset", offset);
    ByteBuffer claimed = from.duplicate();
    from.position(from.limit());
    return ifOpen(() ->
        shared != null && shared.tryWrite(offset, claimed)
            ? CompletableFuture.completedFuture(null)
            : calls.write(offset, claimed));
  }

  /**
   * Writes {@code length} zeros at {@code offset}; the pages stay resident.
   *
   * @throws IllegalArgumentException if a number is negative
   * @throws PagetideException PAGE_NOT_USED, and as at the class
   */
  public void fillZero(long offset, long length) {
    Blocking.await(() -> fillZeroAsync(offset, length));
  }

  /** {@link #fillZero} without waiting. */
  public CompletableFuture<Void> fillZeroAsync(long offset, long length) {
    checkNotNegative("offset", offset);
    checkNotNegative("length", length);
    return ifOpen(() ->
        shared != null && shared.tryFillZero(offset, length)
            ? CompletableFuture.completedFuture(null)
            : calls.fillZero(offset, length));
  }

  /**
   * Asks for the states of all pages.
   *
   * @throws PagetideException as at the class
   */
  public RangeDescription describe() {
    return Blocking.await(this::describeAsync);
  }

  /** {@link #describe} without waiting. */
  public CompletableFuture<RangeDescription> describeAsync() {
    return ifOpen(() -> calls.describe(access()));
  }

  /**
   * Completes, and never fails, when the session has ended. If the server is lost, it completes as
   * soon as the connection breaks. An attached range does not learn of its session's end, so there
   * it completes with {@link #close} only.
   */
  public CompletionStage<SessionEnd> ended() {
    return (stream == null ? detached : stream.ended()).minimalCompletionStage();
  }

  /** Completes when the server says that it is about to stop; otherwise never. */
  public CompletionStage<DrainNotice> draining() {
    return (stream == null ? new CompletableFuture<DrainNotice>() : stream.draining())
        .minimalCompletionStage();
  }

  /**
   * Ends the session: its pages and bytes are gone, and its file is no longer mapped. Segments that
   * {@link ClientOptions#confinedSegments} confines end with their scope instead. For an attached
   * range this only detaches; the session goes on. Calls in flight may end either way. Calling it
   * again does nothing. It never fails and never waits.
   */
  @Override
  public void close() {
    if (shared != null) {
      shared.publishCounts();
    }
    if (stream != null) {
      stream.close();
    } else {
      detached.complete(
          new SessionEnd(SessionEnd.Cause.CLOSED, "the client let go of the session"));
    }
    if (shared != null) {
      shared.close();
    }
  }

  /** What {@code start} does, unless the range has ended. */
  <T> CompletableFuture<T> ifOpen(Supplier<CompletableFuture<T>> start) {
    PagetideException failure = failure();
    return failure == null ? start.get() : CompletableFuture.failedFuture(failure.rethrown());
  }

  /** Why every further call must fail; null while the session lives, as far as we know. */
  @Nullable PagetideException failure() {
    if (stream != null) {
      return stream.failure();
    }
    return detached.isDone()
        ? PagetideException.local(StatusCode.ABORTED, "this attached range was closed here")
        : null;
  }

  private static void checkNotNegative(String name, long value) {
    if (value < 0) {
      throw new IllegalArgumentException(name + "=" + value + " is negative");
    }
  }
}
