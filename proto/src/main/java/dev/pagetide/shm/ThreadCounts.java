package dev.pagetide.shm;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;

/**
 * Counts of the two transitions that server and client make without a lock. Each thread keeps its
 * own counts, so counting costs no atomic operation, and no count is lost.
 *
 * <p>Sums are exact. A sum is no less than the count at the moment when it was asked for, no more
 * than the count when it returned, and never less than an earlier sum.
 */
/*
 * A cell has one writer, the thread for which it was made, so `count + pages` loses nothing. That
 * is true of virtual threads, too: a cell belongs to the virtual thread, wherever it is mounted.
 *
 * ORDER: cells are written and read opaque. So each access is whole, and other threads see the
 * writes of one thread in their order. A cell publishes nothing else. If the thread that asks for a
 * sum knows that something was counted (a call returned to it), then that call happened before the
 * sum, and the sum includes it.
 *
 * The cell of a dead thread is added to the base and dropped. ORDER: if isAlive() returns false,
 * everything that the thread did happened before (JLS 17.4.4), so its counts are final. We fold
 * dead cells whenever the number of cells has doubled. So there are never more than about twice as
 * many cells as threads were alive at once, and each new thread pays for a constant number of
 * checks.
 *
 * LOCKS: `lock` is a leaf. A thread takes it once in its life, and for each sum.
 */
public final class ThreadCounts {
  private static final int FOLD_AT_LEAST = 64;

  private final Object lock = new Object();
  private final ThreadLocal<Cell> own = ThreadLocal.withInitial(this::newCell);

  @GuardedBy("lock")
  private List<Cell> cells = new ArrayList<>();

  @GuardedBy("lock")
  private int foldAt = FOLD_AT_LEAST;

  @GuardedBy("lock")
  private long deadReused;

  @GuardedBy("lock")
  private long deadStopped;

  /** No counts yet. */
  public ThreadCounts() {}

  /** One thread's counts: only that thread may add to them. */
  public static final class Cell {
    private static final VarHandle REUSED;
    private static final VarHandle STOPPED;

    static {
      try {
        MethodHandles.Lookup lookup = MethodHandles.lookup();
        REUSED = lookup.findVarHandle(Cell.class, "reused", long.class);
        STOPPED = lookup.findVarHandle(Cell.class, "stopped", long.class);
      } catch (ReflectiveOperationException e) {
        throw new ExceptionInInitializerError(e);
      }
    }

    private final Thread owner;
    private long reused;
    private long stopped;

    // These make a cell 128 bytes long, so the counts of two threads never share a cache line.
    @SuppressWarnings("UnusedVariable")
    private long pad0, pad1, pad2, pad3, pad4, pad5, pad6, pad7, pad8, pad9, pad10, pad11;

    private Cell(Thread owner) {
      this.owner = owner;
    }

    /** Whether the cell is the calling thread's. */
    @SuppressWarnings("ReferenceEquality") // a thread is itself
    public boolean isOwn() {
      return owner == Thread.currentThread();
    }

    /** Counts AVAILABLE pages that became USED. */
    public void addReused(int pages) {
      REUSED.setOpaque(this, reused + pages);
    }

    /** Counts USED pages that became AVAILABLE. */
    public void addStopped(int pages) {
      STOPPED.setOpaque(this, stopped + pages);
    }

    private long reusedOpaque() {
      return (long) REUSED.getOpaque(this);
    }

    private long stoppedOpaque() {
      return (long) STOPPED.getOpaque(this);
    }
  }

  /** The calling thread's own counts. Do not pass them to another thread. */
  public Cell own() {
    return own.get();
  }

  /** AVAILABLE pages that became USED. */
  public long reused() {
    synchronized (lock) {
      long sum = deadReused;
      for (Cell cell : cells) {
        sum += cell.reusedOpaque();
      }
      return sum;
    }
  }

  /** USED pages that became AVAILABLE. */
  public long stopped() {
    synchronized (lock) {
      long sum = deadStopped;
      for (Cell cell : cells) {
        sum += cell.stoppedOpaque();
      }
      return sum;
    }
  }

  /** How many cells there are. */
  int cellCount() {
    synchronized (lock) {
      return cells.size();
    }
  }

  private Cell newCell() {
    Cell cell = new Cell(Thread.currentThread());
    synchronized (lock) {
      if (cells.size() >= foldAt) {
        foldDeadThreads();
        foldAt = Math.max(FOLD_AT_LEAST, 2 * cells.size());
      }
      cells.add(cell);
    }
    return cell;
  }

  @GuardedBy("lock")
  private void foldDeadThreads() {
    List<Cell> living = new ArrayList<>();
    for (Cell cell : cells) {
      if (cell.owner.isAlive()) {
        living.add(cell);
      } else {
        deadReused += cell.reusedOpaque();
        deadStopped += cell.stoppedOpaque();
      }
    }
    cells = living;
  }
}
