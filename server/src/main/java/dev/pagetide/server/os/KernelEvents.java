package dev.pagetide.server.os;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;

/**
 * Waits for urgent events of kernel files. A trigger arms an event when it is written into its
 * file: see {@code Documentation/accounting/psi.rst} of the kernel.
 *
 * <p>One thread arms and waits. Any other thread may call {@link #wake}. Call {@link #close} only
 * when the waiting thread has left.
 */
public final class KernelEvents implements AutoCloseable {
  /** The most descriptors: triggers, and the one descriptor that wakes the waiter. */
  private static final int MOST = 16;

  private final Arena arena = Arena.ofShared();
  private final MemorySegment pollFds = arena.allocate(MOST * Libc.POLLFD_BYTES, Long.BYTES);
  private final List<Integer> triggers = new ArrayList<>();
  private final int wakeFd;
  private boolean lost;

  private KernelEvents(int wakeFd) {
    this.wakeFd = wakeFd;
    ask(0, wakeFd, Libc.POLLIN);
  }

  /** Opens with no trigger armed. */
  public static KernelEvents open() throws SystemCallException {
    return new KernelEvents(Libc.eventfd(0, Libc.EFD_CLOEXEC | Libc.EFD_NONBLOCK));
  }

  /**
   * Arms triggers on one file instead of those armed before. It arms all of them, or none; if none,
   * the earlier triggers stay armed. The first trigger is number 0 in {@link #await}'s answer.
   *
   * @throws SystemCallException if the kernel refused a trigger: ENOENT or EOPNOTSUPP if it has no
   *     such events; EPERM, EACCES or EINVAL if this process may not have them
   */
  public void armAll(Path file, List<String> texts) throws SystemCallException {
    if (1 + texts.size() > MOST) {
      throw new IllegalArgumentException(
          String.format(Locale.ROOT, "%d triggers; at most %d fit", texts.size(), MOST - 1));
    }
    List<Integer> armed = new ArrayList<>();
    boolean complete = false;
    try {
      for (String text : texts) {
        armed.add(arm(file, text));
      }
      complete = true;
    } finally {
      if (!complete) {
        armed.forEach(KernelEvents::close);
      }
    }
    disarmAll();
    for (int fd : armed) {
      triggers.add(fd);
      ask(triggers.size(), fd, Libc.POLLPRI);
    }
  }

  /** Disarms all triggers; then only {@link #wake} and the timeout end a wait. */
  public void disarmAll() {
    triggers.forEach(KernelEvents::close);
    triggers.clear();
    lost = false;
  }

  /** Whether one of the armed triggers will never fire again, because its file is gone. */
  public boolean hasLost() {
    return lost;
  }

  private static int arm(Path file, String text) throws SystemCallException {
    int fd = Libc.open(file.toString(), Libc.O_RDWR | Libc.O_NONBLOCK | Libc.O_CLOEXEC);
    boolean armed = false;
    try (Arena written = Arena.ofConfined()) {
      MemorySegment trigger = written.allocateFrom(text); // with its NUL, which the kernel expects
      var _ = Libc.write(fd, trigger, trigger.byteSize());
      armed = true;
      return fd;
    } finally {
      if (!armed) {
        close(fd);
      }
    }
  }

  private void ask(int index, int fd, short events) {
    long at = index * Libc.POLLFD_BYTES;
    pollFds.set(ValueLayout.JAVA_INT, at, fd);
    pollFds.set(ValueLayout.JAVA_SHORT, at + Libc.POLLFD_EVENTS_OFFSET, events);
    pollFds.set(ValueLayout.JAVA_SHORT, at + Libc.POLLFD_REVENTS_OFFSET, (short) 0);
  }

  /**
   * Waits until a trigger fires, the time is up, or another thread wakes the waiter.
   *
   * @return the triggers that fired since the last call, by their numbers: the first armed is 0
   */
  public BitSet await(int timeoutMillis) throws SystemCallException {
    BitSet fired = new BitSet();
    if (Libc.poll(pollFds, 1L + triggers.size(), timeoutMillis) == 0) {
      return fired;
    }
    for (int i = 0; i < triggers.size(); i++) {
      long at = (i + 1) * Libc.POLLFD_BYTES;
      short events = pollFds.get(ValueLayout.JAVA_SHORT, at + Libc.POLLFD_REVENTS_OFFSET);
      if ((events & Libc.POLLERR) != 0) {
        // The file is gone: the control group was removed, or its PSI was switched off. We must not
        // poll it any more, because every wait would end at once. poll ignores a negative
        // descriptor. This one is closed together with the rest.
        pollFds.set(ValueLayout.JAVA_INT, at, -1);
        lost = true;
      } else if ((events & Libc.POLLPRI) != 0) {
        fired.set(i);
      }
    }
    return fired;
  }

  /** Ends the current wait, and ends every later one at once. */
  public void wake() {
    try (Arena written = Arena.ofConfined()) {
      var _ = Libc.write(wakeFd, written.allocateFrom(ValueLayout.JAVA_LONG, 1L), Long.BYTES);
    } catch (SystemCallException e) {
      throw new AssertionError("an eventfd refused to count to " + Long.MAX_VALUE, e);
    }
  }

  /** Disarms all triggers. Only the first call does anything. */
  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
      triggers.forEach(KernelEvents::close);
      close(wakeFd);
    }
  }

  private static void close(int fd) {
    try {
      Libc.close(fd);
    } catch (SystemCallException e) {
      throw new AssertionError("somebody else closed descriptor " + fd, e);
    }
  }
}
