package dev.pagetide.server.budget;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Who of the line is served with what: whose turn it is, and what has gathered for it.
 *
 * <p>Confined to the thread that serves the line. What others may take meanwhile is in {@link
 * OpenPages}.
 */
/*
 * The rule:
 *   1. The order is: those within their fair share with what they ask for, then the others; among
 *      each of these, those who have never held the line in vain, and then by arrival.
 *   2. The first has the turn. The server reclaims for it, and it is granted as soon as all that is
 *      free is enough. What comes back before that is reserved for it at once: it gathers.
 *   3. What was free when the turn began, and was not enough, is what the first cannot use yet: it
 *      is `open`. Those behind, and newcomers, are given what fits in it, and reclaim nothing from
 *      others.
 *   4. A turn ends in vain when its queued leaves without a grant, when nothing came back for
 *      STALL_NANOS, or when it has taken half of the request's own time; but only if something had
 *      gathered, because else it kept nothing from anybody. What had gathered is open then.
 *   5. The owner of a turn that ended in vain does not have the next one, if anybody else waits.
 *      The one that has it instead keeps the turn from those before it in the order, who may be
 *      able to reclaim what it may not. So its turn ends in vain after STALL_NANOS, or half of its
 *      request's time, even if nothing gathered. However it ends, it was the next one.
 *   6. A turn also ends, not in vain, when a queued comes that goes before the first. Then all that
 *      is free is for that one's turn. What is left of what had gathered gathers again at the
 *      beginning of the next turn of the one that was outranked.
 *
 * Why a large request is served: newcomers take from what is open, and only the first gets what
 * comes back. So what is open only falls during a turn, and what has gathered only rises: the first
 * is served once as many pages came back as it asked for, whatever goes on behind it. Those who go
 * before it cost it what they are given, and what passes to newcomers during their turns. It fails
 * if not enough comes back within its time; then it has had the line once, and waits for others'
 * turns before it has it again.
 *
 * Why a small one is served: it fits in what is open; or nothing is open, and then it waits for one
 * turn of each owner before it, or until the first of those turns ends in vain.
 */
final class Turns {
  /** How long what has gathered may lie idle while nothing is added to it. */
  static final long STALL_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

  private final WaitingRequests waiting;
  private final OpenPages open;
  private final Reservations reservations;
  private final Reclaimer reclaimer;

  /** Whose turn it is. */
  private @Nullable QueuedRequest first;

  private long turnNanos;
  private long gainedNanos;

  /** Whether this turn's queued was scanned for. */
  private boolean scanned;

  /** Whose turn was the last to end, if in vain. */
  private @Nullable Object lastInVain;

  /** When the last turn of an owner ended in vain: a number that rises. Only of those who wait. */
  private final Map<Object, Long> inVain = new HashMap<>();

  private long turnsInVain;

  /** Nobody has the turn yet. */
  Turns(WaitingRequests waiting, OpenPages open, Reservations reservations, Reclaimer reclaimer) {
    this.waiting = waiting;
    this.open = open;
    this.reservations = reservations;
    this.reclaimer = reclaimer;
  }

  /** Nobody waits, or nobody is served any more. */
  void end() {
    endTurn();
    inVain.clear();
    lastInVain = null;
  }

  /**
   * Refuses those whose time is up, and gives the others memory as far as it goes.
   *
   * @param requests by arrival
   * @return whether anybody was granted memory, or memory gathered
   */
  boolean round(Collection<QueuedRequest> requests, long now, boolean mayScan) {
    RefusalCounts counts = new RefusalCounts(reclaimer);
    endTurnOfOneWhoLeft();
    for (QueuedRequest queued : requests) {
      if (queued.deadlineNanos() - now <= 0) {
        refuseLate(queued, now, counts);
      }
    }
    List<QueuedRequest> order = inOrder(requests);
    boolean gained = serveFirst(order, now, mayScan, counts);
    boolean passed = passToOthers(order, counts);
    return gained || passed;
  }

  private List<QueuedRequest> inOrder(Collection<QueuedRequest> requests) {
    FairShare share = reservations.fairShare();
    inVain.keySet().retainAll(requests.stream().map(QueuedRequest::owner).toList());
    record Ranked(QueuedRequest queued, boolean beyondShare, long inVain) {}
    List<Ranked> ranked = new ArrayList<>();
    for (QueuedRequest queued : requests) {
      if (queued.end() == null) {
        boolean beyond = !share.covers(queued.leaf(), queued.missing());
        ranked.add(new Ranked(queued, beyond, inVain.getOrDefault(queued.owner(), 0L)));
      }
    }
    ranked.sort(
        Comparator.comparing(Ranked::beyondShare)
            .thenComparingLong(Ranked::inVain)
            .thenComparingLong(each -> each.queued().arrival()));
    List<QueuedRequest> order = new ArrayList<>();
    ranked.forEach(each -> order.add(each.queued()));
    return order;
  }

  /** Serves the first, and the next, until one has to go on waiting; that one keeps the turn. */
  private boolean serveFirst(
      List<QueuedRequest> order, long now, boolean mayScan, RefusalCounts counts) {
    boolean gained = false;
    while (!order.isEmpty()) {
      QueuedRequest next = nextOf(order);
      if (next != first) {
        endTurnOfOutranked();
        beginTurn(next, now);
      }
      if (tryGrantFirst(next, mayScan || !scanned, counts)) {
        order.remove(next);
        gained = true;
        continue;
      }
      gained |= gather(next, now);
      boolean wentAhead = next != order.getFirst();
      if (!isInVain(next, now, wentAhead)) {
        return gained;
      }
      endTurnInVain(next);
    }
    return gained;
  }

  private QueuedRequest nextOf(List<QueuedRequest> order) {
    for (QueuedRequest queued : order) {
      if (!queued.owner().equals(lastInVain)) {
        return queued;
      }
    }
    return order.getFirst();
  }

  private void beginTurn(QueuedRequest queued, long now) {
    first = queued;
    turnNanos = now;
    gainedNanos = now;
    scanned = false;
    open.turnBegins(Math.max(0, reservations.freePages() - queued.takeLostPages()));
  }

  private void endTurnOfOutranked() {
    if (first != null) {
      first.outranked();
    }
    endTurn();
  }

  /** True if it waits no longer. */
  private boolean tryGrantFirst(QueuedRequest queued, boolean mayScan, RefusalCounts counts) {
    scanned |= mayScan;
    Reservations.Shortage shortage;
    try {
      shortage = reservations.reserveForFirst(queued.leaf(), queued.missing(), mayScan);
    } catch (RuntimeException | Error e) {
      endTurnOf(queued);
      fail(queued, e);
      return true;
    }
    if (shortage != null && shortage.isServers()) {
      return false;
    }
    if (shortage != null) {
      endTurnOf(queued); // so that it is not refused for what is reserved for it
      refuseAtOwnLimit(queued, shortage, counts);
      return true;
    }
    queued.setGathered(0); // it is the queued's, with the rest
    endTurnNotInVain();
    inVain.remove(queued.owner());
    grant(queued);
    return true;
  }

  private void grant(QueuedRequest queued) {
    boolean leaves = false;
    try {
      leaves = waiting.leave(queued, WaitOutcome.GRANTED);
    } finally {
      if (!leaves) {
        reservations.giveBack(queued.leaf(), queued.pages());
      }
    }
    if (leaves) {
      queued.granted();
    }
  }

  /**
   * Reserves what came back since the turn began; it is not enough, or it would be granted.
   *
   * <p>ORDER: what a newcomer has taken from what is open is free until it is charged, and did not
   * come back. So we ask {@link OpenPages} first, and then what is free.
   */
  private boolean gather(QueuedRequest queued, long now) {
    long openStill = open.openAndUnderWay();
    long free = reservations.freePages();
    long cameBack = Math.min(free - openStill, queued.missing());
    if (cameBack > 0 && reservations.tryReserveFree(queued.leaf(), cameBack)) {
      queued.setGathered(queued.gathered() + cameBack);
      gainedNanos = now;
      return true;
    }
    open.limitTo(free);
    return false;
  }

  /** Whether its turn ends now; {@code wentAhead} of one whose last turn was in vain. */
  private boolean isInVain(QueuedRequest queued, long now, boolean wentAhead) {
    long ownTime = queued.deadlineNanos() - queued.sinceNanos();
    return (queued.gathered() > 0 || wentAhead)
        && (now - gainedNanos >= STALL_NANOS || now - turnNanos >= ownTime / 2);
  }

  private void endTurnInVain(QueuedRequest queued) {
    lastInVain = queued.owner();
    inVain.put(queued.owner(), ++turnsInVain);
    endTurn();
  }

  /** What has gathered is free again. */
  private void endTurn() {
    QueuedRequest ended = first;
    first = null;
    open.turnEnds();
    if (ended != null && ended.gathered() > 0) {
      long pages = ended.gathered();
      ended.setGathered(0);
      reservations.giveBack(ended.leaf(), pages);
    }
  }

  private void endTurnOfOneWhoLeft() {
    QueuedRequest last = first;
    if (last != null && last.end() != null) {
      endTurnOf(last);
    }
  }

  private void endTurnOf(QueuedRequest queued) {
    if (queued.gathered() > 0) {
      endTurnInVain(queued);
    } else {
      endTurnNotInVain();
    }
  }

  /** Ends a turn that was not in vain: the owner of one that was, before it, may have the next. */
  private void endTurnNotInVain() {
    lastInVain = null;
    endTurn();
  }

  /** Gives those who do not have the turn what fits in what is open. */
  private boolean passToOthers(List<QueuedRequest> order, RefusalCounts counts) {
    boolean gained = false;
    for (QueuedRequest queued : order) {
      if (queued == first) {
        continue;
      }
      try {
        Reservations.Shortage shortage = reservations.reserveBehind(queued.leaf(), queued.pages());
        if (shortage == null) {
          grant(queued);
          gained = true;
        } else if (!shortage.isServers()) {
          refuseAtOwnLimit(queued, shortage, counts);
        }
      } catch (RuntimeException | Error e) {
        fail(queued, e);
      }
    }
    return gained;
  }

  private void refuseLate(QueuedRequest queued, long now, RefusalCounts counts) {
    if (queued == first) {
      endTurnOf(queued); // so that it is not refused for what is reserved for it
    }
    refuse(
        queued,
        () ->
            reservations.refusalAfter(
                queued.leaf(), queued.pages(), now - queued.sinceNanos(), counts));
  }

  private void refuseAtOwnLimit(
      QueuedRequest queued, Reservations.Shortage shortage, RefusalCounts counts) {
    refuse(
        queued,
        () -> reservations.refusalAtOwnLimit(queued.leaf(), queued.pages(), shortage, counts));
  }

  private void fail(QueuedRequest queued, Throwable why) {
    if (waiting.leave(queued, WaitOutcome.REFUSED)) {
      queued.failed(why);
    }
  }

  /** Tells a request why it gets nothing; if making the reason fails, tells it of that failure. */
  private void refuse(QueuedRequest queued, Supplier<NoMemoryDetails> reason) {
    if (!waiting.leave(queued, WaitOutcome.REFUSED)) {
      return;
    }
    Answer.Denial why;
    try {
      why = new Answer.Refused(reason.get());
    } catch (RuntimeException | Error e) {
      queued.failed(e);
      return;
    }
    queued.denied(why);
  }
}
