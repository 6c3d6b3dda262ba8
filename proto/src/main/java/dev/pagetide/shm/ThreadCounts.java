package dev.pagetide.shm;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;

/**
 * Counts of the two edges that server and client take without a lock, kept by each thread for
 * itself: counting costs no atomic operation, and no count is lost.
 *
 * <p>Sums are exact: a sum is no less than what was counted before it was asked for, no more than
 * what was counted when it returned, and never less than an earlier sum.
 */
/*
 * A cell has one writer, the thread it was made for, so `count + pages` loses nothing. That is true
 * of virtual threads, too: a cell is the virtual thread's, wherever it is mounted.
 *
 * ORDER: a cell is written and read opaque: each access whole, and each thread's writes seen in the
 * order in which they were made; nothing else is published by it. What happened before a sum was
 * asked for by the asker's own knowledge (a call that returned to it) is seen by that
 * happens-before.
 *
 * A dead thread's cell is added to the base and dropped. ORDER: isAlive() that says false happens
 * after everything the thread did (JLS 17.4.4), so what is added is final. That is looked after
 * whenever the cells have doubled, so there are never more than twice as many as threads were alive
 * at once, and some; each new thread pays for a constant number of looks.
 *
 * LOCKS: `lock` is a leaf, taken once in a thread's life and by sums.
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

    // With these a cell is 128 bytes, so two threads' counts never share a cache line.
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

  /** The calling thread's own counts; not to be handed to another thread. */
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

  /** How many threads' counts are kept apart. */
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
