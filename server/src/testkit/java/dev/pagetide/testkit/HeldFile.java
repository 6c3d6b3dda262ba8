package dev.pagetide.testkit;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Holds the inode lock of a file, as a hostile client can for as long as it likes: a thread is in
 * pwrite(2), which has taken the lock and reads from memory that nobody fills (userfaultfd(2)).
 * Closing it fills the memory, so the write ends.
 *
 * <p>A test that uses it has the tag {@link Requires#TAG}.
 */
@SuppressWarnings("restricted")
public final class HeldFile implements AutoCloseable {
  private static final long SYS_USERFAULTFD =
      System.getProperty("os.arch").equals("aarch64") ? 282 : 323;
  private static final long O_CLOEXEC = 0x8_0000;
  private static final long UFFDIO_API = 0xC018_AA3FL;
  private static final long UFFDIO_REGISTER = 0xC020_AA00L;
  private static final long UFFD_API = 0xAA;
  private static final long MODE_MISSING = 1;
  private static final short POLLIN = 1;
  private static final int FAULT_MILLIS = 60_000;
  private static final int PROT_READ_WRITE = 3;
  private static final int MAP_PRIVATE_ANONYMOUS = 0x22;

  private static final Linker LINKER = Linker.nativeLinker();
  private static final MethodHandle SYSCALL =
      LINKER.downcallHandle(
          LINKER.defaultLookup().findOrThrow("syscall"),
          FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG),
          Linker.Option.firstVariadicArg(1));
  private static final MethodHandle IOCTL =
      LINKER.downcallHandle(
          LINKER.defaultLookup().findOrThrow("ioctl"),
          FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS),
          Linker.Option.firstVariadicArg(2));
  private static final MethodHandle MMAP =
      bind("mmap", JAVA_LONG, ADDRESS, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG);
  private static final MethodHandle MUNMAP = bind("munmap", JAVA_INT, ADDRESS, JAVA_LONG);
  private static final MethodHandle POLL = bind("poll", JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT);
  private static final MethodHandle PWRITE =
      bind("pwrite", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG);

  private final int faults;
  private final MemorySegment page;
  private final Thread writer;

  private HeldFile(int faults, MemorySegment page, Thread writer) {
    this.faults = faults;
    this.page = page;
    this.writer = writer;
  }

  /**
   * Begins to hold a file; when it returns, the lock is held.
   *
   * @param offset where the write, of one page, will go once it is let
   */
  public static HeldFile hold(int descriptor, long offset, long pageSize) {
    int faults = (int) call(() -> (long) SYSCALL.invokeExact(SYS_USERFAULTFD, O_CLOEXEC));
    Requires.ofKernel(faults >= 0, "userfaultfd: root, or vm.unprivileged_userfaultfd=1");
    MemorySegment page = map(pageSize);
    Thread writer =
        Thread.ofPlatform()
            .daemon()
            .name("held-file")
            .unstarted(() -> {
              long _ =
                  call(() -> (long) PWRITE.invokeExact(descriptor, page, page.byteSize(), offset));
            });
    HeldFile held = new HeldFile(faults, page, writer);
    boolean holds = false;
    try {
      register(faults, page);
      writer.start();
      held.awaitFault();
      holds = true;
      return held;
    } finally {
      if (!holds) {
        held.close();
      }
    }
  }

  /** The kernel says that a page is missing once the write is inside, with the lock. */
  private void awaitFault() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment poll = arena.allocate(8, Long.BYTES);
      poll.set(JAVA_INT, 0, faults);
      poll.set(JAVA_SHORT, 4, POLLIN);
      long ready = call(() -> (int) POLL.invokeExact(poll, 1L, FAULT_MILLIS));
      if (ready != 1) {
        throw new AssertionError("no page fault: the write has failed");
      }
    }
  }

  private static MemorySegment map(long pageSize) {
    long address =
        call(() ->
            (long)
                MMAP.invokeExact(
                    MemorySegment.NULL, pageSize, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0L));
    if (address == -1) {
      throw new AssertionError("no memory for a page");
    }
    return MemorySegment.ofAddress(address).reinterpret(pageSize);
  }

  private static void register(int faults, MemorySegment page) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment api = arena.allocate(24, Long.BYTES);
      api.set(JAVA_LONG, 0, UFFD_API);
      ioctl(faults, UFFDIO_API, api);
      ioctl(faults, UFFDIO_REGISTER, range(arena, page));
    }
  }

  /** A struct that begins with the page's address and length; its mode is MISSING. */
  private static MemorySegment range(Arena arena, MemorySegment page) {
    MemorySegment range = arena.allocate(32, Long.BYTES);
    range.set(JAVA_LONG, 0, page.address());
    range.set(JAVA_LONG, 8, page.byteSize());
    range.set(JAVA_LONG, 16, MODE_MISSING);
    return range;
  }

  private static void ioctl(int descriptor, long request, MemorySegment argument) {
    long result = call(() -> (int) IOCTL.invokeExact(descriptor, request, argument));
    if (result != 0) {
      throw new AssertionError("ioctl " + Long.toHexString(request) + " failed");
    }
  }

  /** Lets the write end, and waits until it has. */
  @Override
  public void close() {
    SystemCalls.close(faults); // then the kernel fills the page
    try {
      writer.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      long _ = call(() -> (int) MUNMAP.invokeExact(page, page.byteSize()));
    }
  }

  @FunctionalInterface
  private interface Downcall {
    long make() throws Throwable;
  }

  private static long call(Downcall downcall) {
    try {
      return downcall.make();
    } catch (Throwable t) {
      throw new AssertionError("a downcall threw", t);
    }
  }

  private static MethodHandle bind(String name, MemoryLayout result, MemoryLayout... arguments) {
    return LINKER.downcallHandle(
        LINKER.defaultLookup().findOrThrow(name), FunctionDescriptor.of(result, arguments));
  }
}
