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
 * The rule by which waiting requests get memory: which request has the turn, and what has gathered
 * for it.
 *
 * <p>Confined to the thread that serves the queue. {@link OpenPages} has the pages that others may
 * take meanwhile.
 */
/*
 * The rule:
 *   1. Requests that stay within their fair share with all that they ask for go before the others.
 *      Within each of these two groups, a request whose owner has never had a turn in vain goes
 *      first. Then come the others, by the time at which their owner's last turn in vain ended,
 *      the earliest first. Requests that are equal in all this go by arrival.
 *   2. The first request has the turn. The server reclaims for it. It is granted as soon as all
 *      free pages are enough for it. Pages that come back before that are reserved for it at once:
 *      they gather.
 *   3. Pages that were free when the turn began, and were not enough, are those that the first
 *      request cannot use yet: they are `open`. The requests behind it, and newcomers, are given
 *      what fits in the open pages, and reclaim nothing from others.
 *   4. A turn ends in vain when its request leaves without a grant, when no page came back for
 *      STALL_NANOS, or when the turn has taken half of the request's own time. But this holds only
 *      if pages had gathered, because otherwise the turn kept nothing from others. The pages that
 *      had gathered are open then.
 *   5. The owner of a turn that ended in vain does not have the next one, if another owner waits.
 *      The request that has the next turn instead keeps the turn from those before it in the
 *      order, which may be able to reclaim pages that it may not reclaim. So its turn ends in vain
 *      after STALL_NANOS, or after half of its request's time, even if nothing gathered. However
 *      that turn ends, it counts as the next one.
 *   6. A turn also ends, but not in vain, when a request arrives that goes before the first. Then
 *      all free pages are for the turn of the new one. When the outranked request gets its next
 *      turn, as many of the free pages as had gathered for it before gather for it again.
 *
 * Why a large request is served: newcomers take from the open pages, and only the first request
 * gets the pages that come back. So during a turn the open pages only fall, and the gathered pages
 * only rise. So the first request is served once as many pages came back as it asked for, whatever
 * happens behind it. Requests that go before it cost it the pages that they are given, and the
 * pages that pass to newcomers during their turns. It fails if not enough pages come back within
 * its time. Then it has had one turn, and waits for the turns of others before it has another.
 *
 * Why a small request is served: it fits in the open pages. Or no page is open; then it waits for
 * one turn of each owner before it, or until the first of those turns ends in vain.
 */
final class Turns {
  /** How long the pages that have gathered may lie idle while no page is added. */
  static final long STALL_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

  private final WaitingRequests waiting;
  private final OpenPages open;
  private final Reservations reservations;
  private final Reclaimer reclaimer;

  /** The request that has the turn. */
  private @Nullable QueuedRequest first;

  private long turnNanos;
  private long gainedNanos;

  /** Whether a scan ran for the request in this turn. */
  private boolean scanned;

  /** The owner of the last turn that ended, if it ended in vain. */
  private @Nullable Object lastInVain;

  /**
   * When the last turn of an owner ended in vain, as a number that rises. Only owners that wait.
   */
  private final Map<Object, Long> inVain = new HashMap<>();

  private long turnsInVain;

  /** No request has the turn yet. */
  Turns(WaitingRequests waiting, OpenPages open, Reservations reservations, Reclaimer reclaimer) {
    this.waiting = waiting;
    this.open = open;
    this.reservations = reservations;
    this.reclaimer = reclaimer;
  }

  /** Ends the turn, because no request waits, or because requests are not served any more. */
  void end() {
    endTurn();
    inVain.clear();
    lastInVain = null;
  }

  /**
   * Refuses requests whose time is up, and gives the others memory as far as it goes.
   *
   * @param requests by arrival
   * @return whether any request was granted memory, or memory gathered
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

  /**
   * Serves the first request, and the next, until one has to go on waiting; that one keeps the
   * turn.
   */
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

  /** Returns true if the request waits no longer. */
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
      endTurnOf(queued); // so that it is not refused because of pages that are reserved for it
      refuseAtOwnLimit(queued, shortage, counts);
      return true;
    }
    queued.setGathered(0); // the request owns these pages now, together with the rest
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
   * Reserves the pages that came back since the turn began. They are not enough, because otherwise
   * the request would have been granted.
   *
   * <p>ORDER: pages that a newcomer has taken from the open ones are free until they are charged,
   * and they did not come back. So we ask {@link OpenPages} first, and read the free pages after
   * that.
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

  /**
   * Whether its turn ends now. {@code wentAhead} says that it got the turn before an owner whose
   * last turn was in vain.
   */
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

  /** Makes the gathered pages free again. */
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

  /**
   * Ends a turn that was not in vain. The owner of an earlier turn that was in vain may have the
   * next.
   */
  private void endTurnNotInVain() {
    lastInVain = null;
    endTurn();
  }

  /** Gives requests without the turn what fits in the open pages. */
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
      endTurnOf(queued); // so that it is not refused because of pages that are reserved for it
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

  /**
   * Tells a request why it gets nothing, or why the reason could not be stated, because a request
   * that has left the queue must be told something.
   */
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
