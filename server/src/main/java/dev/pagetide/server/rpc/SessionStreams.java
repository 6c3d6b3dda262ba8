package dev.pagetide.server.rpc;

import dev.pagetide.server.page.PendingOpening;
import dev.pagetide.server.page.Shrinker;
import dev.pagetide.server.session.CutOffObserver;
import dev.pagetide.server.session.EndReason;
import dev.pagetide.server.session.Peer;
import dev.pagetide.server.session.Session;
import dev.pagetide.server.session.SessionFailure;
import dev.pagetide.server.session.SessionRegistry;
import dev.pagetide.v1.Draining;
import dev.pagetide.v1.OpenRangeRequest;
import dev.pagetide.v1.OpenRangeResponse;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ServerCallStreamObserver;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The live OpenRange streams: the stream is the session.
 *
 * <p>A session ends when its stream ends, whatever ended the stream: the client's cancellation, its
 * exit, its death, or {@link #endAll}.
 */
final class SessionStreams {
  private final SessionRegistry sessions;
  private final Shrinker shrinker;
  private final Workers workers;
  private final CutOffObserver cutOffs;
  private final Set<Stream> live = ConcurrentHashMap.newKeySet();
  private volatile @Nullable Draining draining;

  SessionStreams(
      SessionRegistry sessions, Shrinker shrinker, Workers workers, CutOffObserver cutOffs) {
    this.sessions = sessions;
    this.shrinker = shrinker;
    this.workers = workers;
    this.cutOffs = cutOffs;
  }

  /**
   * Opens a session for a call and answers it.
   *
   * @param maxWaitNanos how long it may wait for memory
   * @param disconnected tells, once the call has ended, whether its connection was lost
   * @param opened makes the first message
   */
  void open(
      OpenRangeRequest request,
      Peer peer,
      long maxWaitNanos,
      BooleanSupplier disconnected,
      ServerCallStreamObserver<OpenRangeResponse> call,
      Function<Session, OpenRangeResponse> opened) {
    Stream stream = new Stream(request, peer, maxWaitNanos, call, disconnected);
    live.add(stream);
    call.setOnCancelHandler(stream::cancelled);
    call.setOnCloseHandler(stream::cancelled);
    workers.requests().execute(() -> stream.open(opened));
  }

  /**
   * Notifies every session that the server is about to stop, including those that are opening.
   *
   * @param wait how long the sessions have to end
   */
  void announceDraining(Duration wait) {
    Draining notice =
        Draining.newBuilder().setDrainWaitMs(Math.toIntExact(wait.toMillis())).build();
    draining = notice;
    for (Stream stream : live) {
      try {
        stream.announce(notice);
      } catch (RuntimeException | Error e) {
        var _ = StatusMapper.of(e); // a bug: logged and counted; the others are notified
      }
    }
  }

  /** Waits until no stream is live, at most for some time. */
  void awaitNone(Duration wait) {
    long deadline = System.nanoTime() + wait.toNanos();
    synchronized (live) {
      long left = deadline - System.nanoTime();
      while (!live.isEmpty() && left > 0) {
        try {
          TimeUnit.NANOSECONDS.timedWait(live, left);
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          return;
        }
        left = deadline - System.nanoTime();
      }
    }
  }

  private void gone(Stream stream) {
    live.remove(stream);
    if (draining != null) {
      synchronized (live) {
        live.notifyAll();
      }
    }
  }

  /**
   * Ends every stream with a status, even if ending another one fails. Clients that have mapped
   * their bytes keep them.
   */
  void endAll(StatusRuntimeException status) {
    for (Stream stream : live) {
      try {
        stream.end(status);
      } catch (RuntimeException | Error e) {
        var _ = StatusMapper.of(e); // a bug: it is logged and counted
      }
    }
  }

  /** One stream. Its monitor orders the messages on it. No system call runs under the monitor. */
  private final class Stream {
    private final Peer peer;
    private final ServerCallStreamObserver<OpenRangeResponse> call;
    private final BooleanSupplier disconnected;

    /** Null again once it has ended, because the stream lives longer. */
    private volatile @Nullable PendingOpening<Session> opening;

    private @Nullable Session session;
    private boolean announced;
    private boolean over;

    Stream(
        OpenRangeRequest request,
        Peer peer,
        long maxWaitNanos,
        ServerCallStreamObserver<OpenRangeResponse> call,
        BooleanSupplier disconnected) {
      this.peer = peer;
      this.call = call;
      this.disconnected = disconnected;
      this.opening =
          new PendingOpening<>(
              shrinker,
              peer.uid(),
              charge ->
                  sessions.open(
                      peer,
                      request.getName(),
                      PageMessages.mode(request.getMode()),
                      request.getSizeBytes(),
                      charge),
              maxWaitNanos,
              workers.requests());
    }

    void open(Function<Session, OpenRangeResponse> opened) {
      PendingOpening<Session> begun = opening;
      synchronized (this) {
        if (over || begun == null) {
          return;
        }
      }
      var _ =
          begun
              .result()
              .whenComplete((born, failure) -> {
                opening = null;
                if (failure == null) {
                  begin(born, opened);
                } else {
                  fail(failure);
                }
              });
      begun.run();
      if (draining != null) {
        begun.giveUp(); // RACE: it may have begun to wait after the others were notified
      }
    }

    /** If the opening still waits, it opens no session any more. */
    private void giveUpOpening() {
      PendingOpening<Session> waiting = opening;
      if (waiting != null) {
        waiting.giveUp();
      }
    }

    private void begin(Session born, Function<Session, OpenRangeResponse> opened) {
      boolean kept = false;
      try {
        kept = tell(born, opened);
      } catch (RuntimeException | Error e) {
        refuse(StatusMapper.of(e)); // no other code knows the session, so no other would end it
      } finally {
        if (!kept) {
          endUntold(born);
        }
      }
      Draining notice = draining;
      if (notice != null) {
        announce(notice);
      }
    }

    /** Ends a session. No caller would see an exception, so this logs and counts it. */
    private void endUntold(Session born) {
      try {
        sessions.end(born, clientsReason());
      } catch (RuntimeException | Error e) {
        var _ = StatusMapper.of(e);
      }
    }

    /** Answers the call with its session. False if the call has ended meanwhile. */
    private synchronized boolean tell(Session born, Function<Session, OpenRangeResponse> opened) {
      if (over) {
        return false;
      }
      call.onNext(opened.apply(born));
      session = born;
      return true;
    }

    private void fail(Throwable why) {
      if (why instanceof SessionFailure.TooMany tooMany) {
        cutOffs.cutOff(peer, tooMany.option(), String.valueOf(tooMany.getMessage()));
      }
      boolean givenUp = why instanceof CancellationException; // by the client, or by the server
      refuse(StatusMapper.of(givenUp ? new SessionFailure.Stopping() : why));
    }

    private synchronized void refuse(StatusRuntimeException status) {
      gone(this);
      if (!over) {
        over = true;
        call.onError(status);
      }
    }

    void announce(Draining notice) {
      giveUpOpening();
      tellDraining(notice);
    }

    private synchronized void tellDraining(Draining notice) {
      if (!over && !announced && session != null) {
        announced = true;
        call.onNext(OpenRangeResponse.newBuilder().setDraining(notice).build());
      }
    }

    /** The client cancelled, exited, or was killed. */
    void cancelled() {
      Session ended;
      synchronized (this) {
        if (over) {
          return;
        }
        over = true;
        ended = session;
      }
      if (ended == null) {
        giveUpOpening();
        gone(this);
        return;
      }
      try {
        workers.endings().execute(() -> endSession(ended, clientsReason()));
      } catch (RejectedExecutionException e) {
        // The server has stopped meanwhile; the memory goes with the process.
        gone(this);
      } catch (OutOfMemoryError e) {
        endSession(ended, clientsReason()); // on this thread, because no other takes the work
      }
    }

    void end(StatusRuntimeException status) {
      Session ended;
      synchronized (this) {
        if (over) {
          return;
        }
        over = true;
        ended = session;
      }
      try {
        call.onError(status);
      } finally {
        if (ended == null) {
          giveUpOpening();
          gone(this);
        } else {
          endSession(ended, EndReason.STOPPED);
        }
      }
    }

    private EndReason clientsReason() {
      return disconnected.getAsBoolean() ? EndReason.DISCONNECTED : EndReason.CANCELLED;
    }

    private void endSession(Session ended, EndReason reason) {
      try {
        sessions.end(ended, reason);
      } finally {
        gone(this);
      }
    }
  }
}
