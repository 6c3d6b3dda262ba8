package dev.pagetide.server.page;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Whether the host forces huge pages on shared memory: then the kernel gives hundreds of pages
 * where one was asked for, and what the server finds beside its own is no client's doing.
 *
 * <p>A server does not start on such a host, but the setting can change while it runs. Thread-safe.
 */
/*
 * The file is read outside every lock, at most ten times a second; the answer is kept, and read
 * under the locks of ranges. For a minute after the setting went back strays still count as the kernel's,
 * because the pages that it gave lie in the files until each range is audited.
 */
public final class HugePages {
  /** Where Linux keeps the setting. */
  public static final Path SETTING = Path.of("/sys/kernel/mm/transparent_hugepage/shmem_enabled");

  /** A host that never forces any. */
  static final HugePages NONE = new HugePages(null, () -> 0, _ -> {});

  private static final Pattern CHOSEN = Pattern.compile("\\[(\\w+)]");
  private static final Set<String> FORCING = Set.of("always", "within_size", "force");
  private static final long FRESH_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
  private static final long LINGER_NANOS = TimeUnit.MINUTES.toNanos(1);

  private final @Nullable Path setting;
  private final PageClock clock;
  private final Listener listener;
  private final AtomicLong readAt;

  // RACE: written by whoever won readAt, so by one thread in a hundred milliseconds.
  private volatile boolean forced;
  private volatile boolean causeStrays;
  private volatile long lastForced;

  /** What hears that the setting has changed, on the thread that noticed, which holds no lock. */
  @FunctionalInterface
  public interface Listener {
    /** Told once for each change; must be quick and throw nothing. */
    void changed(boolean forced);
  }

  /**
   * Watches a setting.
   *
   * @param setting its file; null or a missing one for a host that forces none
   */
  public HugePages(@Nullable Path setting, PageClock clock, Listener listener) {
    this.setting = setting;
    this.clock = clock;
    this.listener = listener;
    this.readAt = new AtomicLong(clock.nanos() - FRESH_NANOS);
  }

  /** Whether they were forced when the setting was read last. */
  public boolean areForced() {
    return forced;
  }

  /** Whether strays are the kernel's, as of the last {@link #refresh}. Takes no lock, no call. */
  boolean causeStrays() {
    return causeStrays;
  }

  /** Reads the setting, unless that was done just now. To be called holding no lock. */
  public void refresh() {
    if (setting == null) {
      return;
    }
    long now = clock.nanos();
    long before = readAt.get();
    if (now - before < FRESH_NANOS || !readAt.compareAndSet(before, now)) {
      return;
    }
    boolean was = forced;
    boolean is = read(setting);
    if (is) {
      lastForced = now;
    }
    causeStrays = is || (causeStrays && now - lastForced < LINGER_NANOS);
    forced = is;
    if (was != is) {
      listener.changed(is);
    }
  }

  private static boolean read(Path setting) {
    try {
      Matcher chosen = CHOSEN.matcher(Files.readString(setting, StandardCharsets.ISO_8859_1));
      return chosen.find() && FORCING.contains(chosen.group(1));
    } catch (IOException e) {
      return false; // a kernel without huge pages
    }
  }
}
