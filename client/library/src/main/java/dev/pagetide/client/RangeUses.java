package dev.pagetide.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.grpc.Deadline;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * The calls that use pages of one range and need the server: for all pages of a remote range, and
 * for the pages without memory of a shared range.
 *
 * <p>Keeps the promise about unknown outcomes: if the server may have given a page new memory, and
 * the caller has not learnt of it, the next call that succeeds reports that page as fresh. Any
 * number of threads may call any method at once.
 */
final class RangeUses {

  /** Rounds in which a shared range retries pages that were reclaimed while it asked for others. */
  private static final int MAX_ROUNDS = 16;

  private final RangeCalls calls;
  private final UncertainPages uncertain;
  private final UnfilledPages unfilled = new UnfilledPages();
  private final @Nullable SharedPages shared;

  RangeUses(RangeCalls calls, int pageCount, @Nullable SharedPages shared) {
    this.calls = calls;
    this.uncertain = new UncertainPages(pageCount);
    this.shared = shared;
  }

  /** Whether there are no uncertain pages, so that a call need not check for them. */
  boolean nothingIsDoubtful() {
    return uncertain.isEmpty();
  }

  /** The pages that scopes have reported as fresh and have not filled. */
  UnfilledPages unfilled() {
    return unfilled;
  }

  /** The kinds of callers that use pages. */
  enum Caller {
    /**
     * A caller of the plain methods. It gets the fresh pages once. If the call fails, the pages
     * that it had made USED are stopped again.
     */
    PLAIN,

    /** A scope. Its fresh pages are {@link #unfilled}, and leaving the scope stops its pages. */
    SCOPE,

    /** A cache. It knows itself which tiles are filled, and its last lease stops the pages. */
    CACHE
  }

  /**
   * Makes pages USED.
   *
   * @param flipped pages that the caller has made USED already for this call
   * @param deadline of all requests to the server together
   */
  CompletableFuture<FreshPages> start(
      List<PageInterval> pages, @Nullable BitSet flipped, Caller caller, Deadline deadline) {
    Use use = new Use(pages, flipped, caller, deadline);
    use.next();
    return use.result;
  }

  /**
   * The future for which a caller waits. Completing or cancelling it from outside first gives up
   * the Use. So the pages that must be remembered are there before any thread can see that the Use
   * has ended. Once the answer is decided, completing from outside does not change it.
   */
  private static final class Result extends CompletableFuture<FreshPages> {
    private final Use use;

    private Result(Use use) {
      this.use = use;
    }

    @Override
    public boolean cancel(boolean mayInterruptIfRunning) {
      return use.giveUp() && super.cancel(mayInterruptIfRunning);
    }

    @Override
    public boolean complete(FreshPages answer) {
      return use.giveUp() && super.complete(answer);
    }

    @Override
    public boolean completeExceptionally(Throwable failure) {
      return use.giveUp() && super.completeExceptionally(failure);
    }

    private void answer(FreshPages answer) {
      super.complete(answer);
    }

    private void fail(Throwable failure) {
      super.completeExceptionally(failure);
    }
  }

  /** One call that uses pages, from its first request to its answer. */
  private final class Use {

    /*
     * RUNNING   asks the server
     * ANSWERED  the fresh pages are decided, and the uncertain ones among them are forgotten
     * ENDED     failed or given up: the pages that it has taken are given back, and those that may
     *           be fresh are uncertain
     *
     * ANSWERED and ENDED are final. The state changes before the result is completed. So no thread
     * learns of an end whose uncertain pages are not remembered, and no cancellation loses an
     * answer.
     */
    private enum State {
      RUNNING,
      ANSWERED,
      ENDED
    }

    private final List<PageInterval> named;
    private final Caller caller;
    private final Deadline deadline;
    private final Result result = new Result(this);

    /** Pages that the server gave memory for this Use. */
    @GuardedBy("this")
    private final BitSet fresh = new BitSet();

    /** Pages that are USED because of this Use. */
    @GuardedBy("this")
    private final BitSet taken;

    /** The pages of a request that the server has not answered yet. */
    @GuardedBy("this")
    private @Nullable List<PageInterval> asked;

    /** For a scope, the Ask for {@link #asked}. */
    @GuardedBy("this")
    private UnfilledPages.@Nullable Ask ask;

    @GuardedBy("this")
    private @Nullable CompletableFuture<List<PageInterval>> answer;

    @GuardedBy("this")
    private int rounds;

    @GuardedBy("this")
    private State state = State.RUNNING;

    Use(List<PageInterval> named, @Nullable BitSet flipped, Caller caller, Deadline deadline) {
      this.named = named;
      this.caller = caller;
      this.deadline = deadline;
      this.taken = flipped == null ? new BitSet() : (BitSet) flipped.clone();
    }

    /** Calls {@link #goOn}; if that throws, the Use fails. */
    void next() {
      try {
        goOn();
      } catch (RuntimeException | Error e) {
        fail(e);
      }
    }

    /** Takes the pages that can be taken here, and asks for the rest; answers if there is none. */
    private void goOn() {
      CompletableFuture<List<PageInterval>> sent;
      try {
        synchronized (this) {
          if (state != State.RUNNING) {
            return;
          }
          List<PageInterval> absent = rounds++ < MAX_ROUNDS ? takeHeld() : named;
          if (absent != null) {
            asked = absent;
            ask = caller == Caller.SCOPE ? unfilled.ask(absent) : null; // before it is sent
            sent = calls.use(absent, deadline);
            answer = sent;
          } else {
            sent = null;
          }
        }
      } catch (IllegalStateException closed) {
        // The mapping has ended meanwhile. The server says why the session has ended.
        sent = calls.use(named, deadline);
      }
      if (sent == null) {
        finish();
        return;
      }
      var _ =
          sent.whenComplete((given, failure) -> {
            try {
              answered(given, failure);
            } catch (RuntimeException | Error e) {
              fail(e);
            }
          });
    }

    /**
     * The pages to ask the server for; null if none is left. This changes no word while some pages
     * have no memory, so that a call that the server refuses has changed no word.
     */
    @GuardedBy("this")
    private @Nullable List<PageInterval> takeHeld() {
      SharedPages pages = shared;
      BitSet absent = pages == null ? null : pages.absent(named);
      if (pages == null || absent == null) {
        return rounds == 1 ? named : null;
      }
      // RACE: a page may be FREE when we try it, and AVAILABLE again a moment later, because the
      // server could not free its memory. It is not USED, so we try it again.
      for (int tries = 0; absent.isEmpty(); tries++) {
        if (pages.take(named, taken)) {
          return null;
        }
        absent = pages.absent(named);
        if (absent == null || (absent.isEmpty() && tries == MAX_ROUNDS)) {
          return named;
        }
      }
      List<PageInterval> intervals = FreshPages.of(absent).intervals();
      return intervals.size() <= SharedPages.MAX_INTERVALS ? intervals : named;
    }

    private void answered(@Nullable List<PageInterval> given, @Nullable Throwable failure) {
      BitSet pages = given == null ? null : FreshPages.bits(given);
      boolean last;
      synchronized (this) {
        if (state != State.RUNNING) {
          return; // it has ended, and its end has done everything
        }
        List<PageInterval> request = asked;
        asked = null;
        answer = null;
        last = shared == null || rounds > MAX_ROUNDS;
        if (given != null && pages != null) {
          fresh.or(pages);
          taken.or(pages);
          settle(given);
        } else if (request != null
            && (!(failure instanceof PagetideException refusal) || refusal.outcomeUnknown())) {
          uncertain.add(request);
          settle(request); // all of it may be fresh
        } else {
          settle(List.of());
        }
      }
      if (given == null) {
        if (shared != null) {
          shared.countFailed();
        }
        fail(failure == null ? new IllegalStateException("no answer and no failure") : failure);
      } else if (last) {
        finish();
      } else {
        next();
      }
    }

    private void finish() {
      FreshPages decided;
      synchronized (this) {
        if (state != State.RUNNING) {
          return;
        }
        if (shared != null) {
          shared.countAsked(fresh.cardinality());
        }
        UnfilledPages keeper = caller == Caller.SCOPE ? unfilled : null;
        decided = uncertain.resolve(named, FreshPages.of(fresh).intervals(), keeper);
        state = State.ANSWERED;
      }
      result.answer(decided);
    }

    private void fail(Throwable failure) {
      if (giveUp()) {
        result.fail(failure);
      }
    }

    /**
     * Ends the Use and gives back the pages that it has taken. Does nothing if it has ended.
     *
     * @return false if it was answered, so that its result is no failure
     */
    boolean giveUp() {
      CompletableFuture<List<PageInterval>> running;
      synchronized (this) {
        if (state != State.RUNNING) {
          return state == State.ENDED;
        }
        state = State.ENDED;
        running = answer;
        List<PageInterval> unanswered = asked;
        if (unanswered != null) {
          uncertain.add(unanswered);
          settle(unanswered); // all of it may be fresh
        }
        uncertain.add(fresh);
        if (caller == Caller.PLAIN && shared != null) {
          shared.giveBack(taken);
        }
      }
      if (running != null) {
        running.cancel(true);
      }
      return true;
    }

    /** Ends a scope's Ask: the pages {@code maybeFresh} of it are fresh, or may be. */
    @GuardedBy("this")
    private void settle(List<PageInterval> maybeFresh) {
      UnfilledPages.Ask ended = ask;
      ask = null;
      if (ended != null) {
        unfilled.settle(ended, maybeFresh);
      }
    }
  }
}
