package dev.pagetide.client;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.grpc.Deadline;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * The uses of one range that need the server: all pages of a remote range, the absent ones of a
 * shared range.
 *
 * <p>Keeps the promise about unknown outcomes: a page that the server may have given new memory,
 * without the caller having learnt of it, is reported as fresh by the next use that succeeds. Any
 * number of threads may call any method at once.
 */
final class RangeUses {

  /** Rounds in which a shared range tries to flip what was reclaimed while it asked for others. */
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

  /** Whether a use may answer that nothing is fresh without looking at what is doubtful. */
  boolean nothingIsDoubtful() {
    return uncertain.isEmpty();
  }

  /** What scopes were told is fresh, and have not filled. */
  UnfilledPages unfilled() {
    return unfilled;
  }

  /** For whom pages are used. */
  enum Caller {
    /**
     * A caller of the plain pair: is told once what is fresh, and what was made USED is stopped
     * again if the use fails.
     */
    PLAIN,

    /**
     * A scope: what is fresh is {@link #unfilled}, and leaving the scope stops what it has used.
     */
    SCOPE,

    /** A cache, which knows by itself what is filled, and whose last lease stops the pages. */
    CACHE
  }

  /**
   * Makes pages USED.
   *
   * @param flipped pages that the caller has made USED already, for this use
   * @param deadline of all that the server is asked for
   */
  CompletableFuture<FreshPages> start(
      List<PageInterval> pages, @Nullable BitSet flipped, Caller caller, Deadline deadline) {
    Use use = new Use(pages, flipped, caller, deadline);
    use.next();
    return use.result;
  }

  /**
   * What a caller waits for. Completing or cancelling it from outside gives the use up first, so
   * what the use must be remembered for is there before anybody can see that it has ended. Once the
   * answer is decided, nothing from outside changes it.
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

  /** One use, from its first request to its answer. */
  private final class Use {

    /*
     * RUNNING   asks the server
     * ANSWERED  what is fresh is decided, and what was doubtful is forgotten
     * ENDED     failed or given up: what it has taken is given back, what may be fresh is doubtful
     *
     * ANSWERED and ENDED are left no more. They come before the result is completed, so nobody
     * learns of an end whose doubts are not remembered, and no answer is lost to a cancellation.
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

    /** Pages that the server gave memory for this use. */
    @GuardedBy("this")
    private final BitSet fresh = new BitSet();

    /** Pages that are USED because of this use. */
    @GuardedBy("this")
    private final BitSet taken;

    /** What the server was asked for and has not answered. */
    @GuardedBy("this")
    private @Nullable List<PageInterval> asked;

    /** A scope's note of {@link #asked}. */
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

    /** {@link #goOn}, whose failure is the use's. */
    void next() {
      try {
        goOn();
      } catch (RuntimeException | Error e) {
        fail(e);
      }
    }

    /** Takes what can be taken here, and asks for the rest; ends the use if there is none. */
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
        // The mapping has ended under us; the server says what has become of the session.
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
     * What to ask the server for; null if nothing is left. No page is flipped while some are
     * absent: a use that the server refuses has changed no word.
     */
    @GuardedBy("this")
    private @Nullable List<PageInterval> takeHeld() {
      SharedPages pages = shared;
      BitSet absent = pages == null ? null : pages.absent(named);
      if (pages == null || absent == null) {
        return rounds == 1 ? named : null;
      }
      // RACE: a page may be FREE when it is to be flipped, and AVAILABLE again a moment later,
      // because the server could not free its memory. It is not USED, so it is tried again.
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
          return; // its end has seen to everything
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
     * Ends the use: whatever it has taken is given back. Does nothing if it has ended.
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

    /** Ends a scope's note of what was asked: {@code maybeFresh} of it are, or may be. */
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
