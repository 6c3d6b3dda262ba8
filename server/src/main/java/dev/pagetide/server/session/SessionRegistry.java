package dev.pagetide.server.session;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.pagetide.server.budget.OpeningCharge;
import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.page.RangeConfig;
import dev.pagetide.server.page.RangeMode;
import dev.pagetide.server.page.ShrinkablePageRange;
import dev.pagetide.server.page.Shrinker;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.Base64;
import java.util.Collection;
import java.util.Collections;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.ReentrantLock;

/**
 * All live sessions of a server.
 *
 * <p>Thread-safe. Finding a session takes no lock. Opening and ending make system calls, and may
 * reclaim or wait for threads that work in the range. So event loops must not call them.
 */
public final class SessionRegistry {
  private static final int TOKEN_BYTES = 16;

  private final SessionConfig limits;
  private final RangeConfig config;
  private final Shrinker shrinker;
  private final PageBudget budget;
  private final InstantSource wallClock;
  private final SecureRandom random = new SecureRandom();
  private final AtomicLong nextRangeId = new AtomicLong(1);
  private final ConcurrentHashMap<String, Session> byToken = new ConcurrentHashMap<>();
  private final ConcurrentSkipListMap<Long, Session> byRangeId = new ConcurrentSkipListMap<>();
  private final LongAdder opened = new LongAdder();
  private final Map<EndReason, LongAdder> ended = new EnumMap<>(EndReason.class);

  /** LOCKS: a leaf, held to count and to compare names. No code outside is called under it. */
  private final ReentrantLock admission = new ReentrantLock();

  @GuardedBy("admission")
  private final Map<Integer, Account> accounts = new HashMap<>();

  @GuardedBy("admission")
  private int admitted;

  @GuardedBy("admission")
  private boolean stopping;

  /** The live sessions of one uid together. */
  private static final class Account {
    private final PageBudget budget;
    private final Set<String> names = new HashSet<>();
    private int sessions;

    Account(PageBudget budget) {
      this.budget = budget;
    }
  }

  /**
   * A registry without sessions.
   *
   * @param budget the whole server's budget
   * @param wallClock gives the time when a session was opened
   */
  public SessionRegistry(
      SessionConfig limits,
      RangeConfig config,
      PageBudget budget,
      Shrinker shrinker,
      InstantSource wallClock) {
    this.limits = limits;
    this.config = config;
    this.budget = budget;
    this.shrinker = shrinker;
    this.wallClock = wallClock;
    for (EndReason reason : EndReason.values()) {
      ended.put(reason, new LongAdder());
    }
  }

  /**
   * Opens a session with a range of its own. If any step fails, this undoes the steps before.
   *
   * @param name empty for a session without a name; a BUFFERS range needs one
   * @param sizeBytes unsigned; rounded down to whole pages and to the largest size that is granted
   * @throws SessionFailure if a limit or the name does not allow it
   * @throws dev.pagetide.server.page.PageFailure if the size or the budget does not allow it
   */
  public Session open(Peer peer, String name, RangeMode mode, long sizeBytes) {
    return open(peer, name, mode, sizeBytes, config);
  }

  /**
   * As above, for a {@link dev.pagetide.server.page.PendingOpening}.
   *
   * @param charge how it pays for the range's bookkeeping pages
   */
  public Session open(
      Peer peer, String name, RangeMode mode, long sizeBytes, OpeningCharge charge) {
    return open(peer, name, mode, sizeBytes, config.paidBy(charge));
  }

  private Session open(
      Peer peer, String name, RangeMode mode, long sizeBytes, RangeConfig ofOpening) {
    SessionName.check(name, mode);
    Account account = admit(peer, name);
    boolean done = false;
    try {
      PageBudget own =
          account.budget.child(
              "--max-resident-bytes-per-session", limits.maxResidentPagesPerSession());
      ShrinkablePageRange range =
          ShrinkablePageRange.register(
              nextRangeId.getAndIncrement(), mode, sizeBytes, ofOpening, own, shrinker);
      Session session = list(peer, name, range, own);
      done = true;
      return session;
    } finally {
      if (!done) {
        dismiss(peer, name);
      }
    }
  }

  private Session list(Peer peer, String name, ShrinkablePageRange range, PageBudget own) {
    Session session = null;
    boolean listed = false;
    try {
      session = new Session(newToken(), name, peer, wallClock.instant(), range, own);
      byToken.put(session.token(), session);
      byRangeId.put(session.rangeId(), session);
      opened.increment();
      listed = true;
      return session;
    } finally {
      if (!listed) {
        if (session != null) {
          byToken.remove(session.token(), session);
          byRangeId.remove(session.rangeId(), session);
        }
        range.close();
      }
    }
  }

  private Account admit(Peer peer, String name) {
    admission.lock();
    try {
      if (stopping) {
        throw new SessionFailure.Stopping();
      }
      if (admitted >= limits.maxSessions()) {
        throw new SessionFailure.TooMany("--max-sessions", limits.maxSessions());
      }
      Account account = accounts.get(peer.uid());
      if (account == null) {
        account =
            new Account(
                budget.sharedChild(
                    "--max-resident-bytes-per-uid", limits.maxResidentPagesPerUid()));
      }
      if (account.sessions >= limits.maxSessionsPerUid()) {
        throw new SessionFailure.TooMany("--max-sessions-per-uid", limits.maxSessionsPerUid());
      }
      if (account.names.contains(name)) {
        throw new SessionFailure.NameTaken();
      }
      enter(account, peer, name);
      return account;
    } finally {
      admission.unlock();
    }
  }

  /**
   * Counts a session, and keeps its name if it has one. If there is no memory for that, does
   * neither.
   */
  @GuardedBy("admission")
  private void enter(Account account, Peer peer, String name) {
    boolean entered = false;
    try {
      accounts.put(peer.uid(), account);
      if (!name.isEmpty()) {
        account.names.add(name);
      }
      account.sessions++;
      admitted++;
      entered = true;
    } finally {
      if (!entered) {
        account.names.remove(name);
        if (account.sessions == 0) {
          accounts.remove(peer.uid());
        }
      }
    }
  }

  private void dismiss(Peer peer, String name) {
    admission.lock();
    try {
      Account account = accounts.get(peer.uid());
      if (account == null) {
        throw new AssertionError("a session of a uid without account");
      }
      admitted--;
      account.sessions--;
      account.names.remove(name);
      if (account.sessions == 0) {
        accounts.remove(peer.uid());
      }
    } finally {
      admission.unlock();
    }
  }

  private String newToken() {
    byte[] token = new byte[TOKEN_BYTES];
    random.nextBytes(token);
    return Base64.getUrlEncoder().withoutPadding().encodeToString(token);
  }

  /**
   * The session of a token, for the caller that got the token.
   *
   * @throws SessionFailure.Unknown if there is none, or it is not the caller's
   */
  public Session find(String token, Peer caller) {
    // The token is 128 random bits: the time of a hash look-up tells nothing about other tokens.
    Session session = byToken.get(token);
    if (session == null || !session.peer().sharesTokensWith(caller)) {
      throw new SessionFailure.Unknown();
    }
    return session;
  }

  /**
   * The session of a token, for the same process that opened it, on a Unix socket. If the kernel
   * tells pids, another process of the same user does not get it.
   *
   * @throws SessionFailure.Unknown if there is none, if another process opened it, or if it was
   *     opened over TCP
   */
  public Session findOpenedBy(Peer caller, String token) {
    Session session = find(token, caller);
    if (!session.peer().mayBe(caller)) {
      throw new SessionFailure.Unknown();
    }
    return session;
  }

  /**
   * The session of a range, for the operator.
   *
   * @throws SessionFailure.Unknown if there is none
   */
  public Session find(long rangeId) {
    Session session = byRangeId.get(rangeId);
    if (session == null) {
      throw new SessionFailure.Unknown(rangeId);
    }
    return session;
  }

  /**
   * The live sessions whose range ids are greater than {@code rangeId}, in the order of their ids.
   * A view; weakly consistent.
   */
  public Collection<Session> sessionsAfter(long rangeId) {
    return Collections.unmodifiableCollection(byRangeId.tailMap(rangeId, false).values());
  }

  /**
   * Ends a session. From now on its token is unknown. Its memory is given back, unless the session
   * ends because the server stops. Idempotent: only the first reason counts. If a step fails, the
   * other steps run nevertheless, and then this throws the failure.
   */
  public void end(Session session, EndReason reason) {
    if (!byToken.remove(session.token(), session)) {
      return;
    }
    try {
      session.tellEnding();
    } finally {
      try {
        closeRange(session, reason);
      } finally {
        byRangeId.remove(session.rangeId(), session);
        try {
          dismiss(session.peer(), session.name());
        } finally {
          ended(reason).increment();
        }
      }
    }
  }

  private static void closeRange(Session session, EndReason reason) {
    if (reason == EndReason.STOPPED) {
      session.range().closeKeepingBytes();
    } else {
      session.range().close();
    }
  }

  /** Refuses to open sessions from now on. */
  public void stopAdmitting() {
    admission.lock();
    try {
      stopping = true;
    } finally {
      admission.unlock();
    }
  }

  /** How many sessions are live. */
  public int size() {
    return byToken.size();
  }

  /**
   * The sessions of the uid that is nearest to {@code --max-sessions-per-uid}, as a fraction of
   * that limit; 0 if the limit is no narrower than {@code --max-sessions}.
   */
  public double fullestUidRatio() {
    if (limits.maxSessionsPerUid() >= limits.maxSessions()) {
      return 0;
    }
    int most = 0;
    admission.lock();
    try {
      for (Account account : accounts.values()) {
        most = Math.max(most, account.sessions);
      }
    } finally {
      admission.unlock();
    }
    return (double) most / limits.maxSessionsPerUid();
  }

  /** How many sessions were opened since the server started. */
  public long opened() {
    return opened.sum();
  }

  /** How many sessions have ended for a reason since the server started. */
  public long endedFor(EndReason reason) {
    return ended(reason).sum();
  }

  private LongAdder ended(EndReason reason) {
    return Objects.requireNonNull(ended.get(reason));
  }

  /** How many sessions may be live: {@code --max-sessions}. */
  public int limit() {
    return limits.maxSessions();
  }
}
