package dev.pagetide.server.page;

import dev.pagetide.server.os.FileDuplicate;
import dev.pagetide.server.os.PageFile;
import dev.pagetide.server.os.SystemCallException;
import dev.pagetide.shm.SharedFileLayout;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** A real file in front of which a script decides whether the kernel is asked at all. */
public final class FailingPageFile implements PageFile {
  private static final int ENOSPC = 28;

  private final PageFile file;
  private final Script script;

  public FailingPageFile(PageFile file, Script script) {
    this.file = file;
    this.script = script;
  }

  /** The calls that can be made to fail. */
  public enum Call {
    ALLOCATE,
    PUNCH,
    RESIDENT_PAGES,
    DUPLICATE,
    /** Fails and counts only where it is asked for by name: it changes no state of a page. */
    WRITE_ZEROS
  }

  /** Which call fails, and what is done before each; used by the test and the lock's holder. */
  public static final class Script {
    private int calls;
    private int firstFailure = Integer.MAX_VALUE;
    private int lastFailure = Integer.MAX_VALUE;
    private @Nullable Call only;
    private Runnable before = () -> {};
    private @Nullable Call next;
    private Runnable beforeNext = () -> {};

    /** From now on the {@code n}-th call fails, counted from 1, and no other. */
    synchronized void failNth(int n) {
      failFrom(n, n, null);
    }

    /** From now on every call of this kind fails. */
    public synchronized void failEvery(Call kind) {
      failFrom(1, Integer.MAX_VALUE, kind);
    }

    public synchronized void failFrom(int first, int last, @Nullable Call kind) {
      calls = 0;
      firstFailure = first;
      lastFailure = last;
      only = kind;
    }

    public synchronized void failNone() {
      failFrom(Integer.MAX_VALUE, Integer.MAX_VALUE, null);
    }

    /** Runs this before every call from now on, holding what the caller holds. */
    synchronized void beforeEach(Runnable action) {
      before = action;
    }

    /** Runs this before the next call of a kind, and before no other, holding what it holds. */
    synchronized void beforeNext(Call kind, Runnable action) {
      next = kind;
      beforeNext = action;
    }

    /** Forgets {@link #beforeNext}, and tells whether its call has come. */
    synchronized boolean nextHasCome() {
      boolean came = next == null;
      next = null;
      return came;
    }

    /** Calls of the kind in question since the last order to fail. */
    synchronized int calls() {
      return calls;
    }

    private void come(Call kind, String call) throws SystemCallException {
      Runnable action;
      boolean fails;
      synchronized (this) {
        action = next == kind ? beforeNext : before;
        next = next == kind ? null : next;
        boolean counts = only == null ? kind != Call.WRITE_ZEROS : only == kind;
        if (counts) {
          calls++;
        }
        fails = counts && calls >= firstFailure && calls <= lastFailure;
      }
      action.run();
      if (fails) {
        throw new SystemCallException(call, ENOSPC);
      }
    }
  }

  @Override
  public SharedFileLayout layout() {
    return file.layout();
  }

  @Override
  public MemorySegment header() {
    return file.header();
  }

  @Override
  public MemorySegment table() {
    return file.table();
  }

  @Override
  public void allocate(int startPage, int endPage) throws SystemCallException {
    script.come(Call.ALLOCATE, "allocate(" + startPage + ", " + endPage + ")");
    file.allocate(startPage, endPage);
  }

  @Override
  public void punch(int startPage, int endPage) throws SystemCallException {
    script.come(Call.PUNCH, "punch(" + startPage + ", " + endPage + ")");
    file.punch(startPage, endPage);
  }

  @Override
  public long residentPages() throws SystemCallException {
    script.come(Call.RESIDENT_PAGES, "residentPages()");
    return file.residentPages();
  }

  @Override
  public void read(long offset, ByteBuffer target) throws SystemCallException {
    file.read(offset, target);
  }

  @Override
  public void write(long offset, ByteBuffer source) throws SystemCallException {
    file.write(offset, source);
  }

  @Override
  public void writeZeros(long offset, long length) throws SystemCallException {
    script.come(Call.WRITE_ZEROS, "writeZeros(" + offset + ", " + length + ")");
    file.writeZeros(offset, length);
  }

  @Override
  public FileDuplicate duplicate() throws SystemCallException {
    script.come(Call.DUPLICATE, "duplicate()");
    return file.duplicate();
  }

  @Override
  public void close(boolean punch) {
    file.close(punch);
  }
}
