package dev.pagetide.server.host;

import dev.pagetide.server.os.KernelFile;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The use and the limits of one control group's memory, read through descriptors that stay open.
 *
 * <p>The <em>working set</em> counts against a limit: the use without {@code inactive_file},
 * because the kernel drops page cache that was not read recently before it kills.
 *
 * <p>Thread-safe. The limits are those of the last {@link #refreshLimits}.
 */
public final class GroupMemory implements AutoCloseable {
  /**
   * From here on a number means "no limit": version 1 writes the largest multiple of a page below
   * 2^63 for it.
   */
  private static final long NO_LIMIT_FROM = 1L << 62;

  private final ControlGroup group;
  private final KernelFile use;
  private final KernelFile limit;
  private final KernelFile stat;
  private final @Nullable KernelFile high;
  private volatile long limitBytes = Long.MAX_VALUE;
  private volatile long highBytes = Long.MAX_VALUE;

  private GroupMemory(
      ControlGroup group,
      KernelFile use,
      KernelFile limit,
      KernelFile stat,
      @Nullable KernelFile high) {
    this.group = group;
    this.use = use;
    this.limit = limit;
    this.stat = stat;
    this.high = high;
  }

  /**
   * Opens a group's files and reads its limits.
   *
   * @return null for a group that has no limit: version 2's root, or one without the controller
   */
  static @Nullable GroupMemory open(ControlGroup group) throws IOException {
    if (!Files.exists(group.limitFile())) {
      return null;
    }
    List<KernelFile> opened = new ArrayList<>();
    boolean complete = false;
    try {
      KernelFile use = opened(opened, KernelFile.open(group.useFile()));
      KernelFile limit = opened(opened, KernelFile.open(group.limitFile()));
      KernelFile stat = opened(opened, KernelFile.open(group.statFile()));
      KernelFile high =
          group.version() == ControlGroup.Version.V2 && Files.exists(group.highFile())
              ? opened(opened, KernelFile.open(group.highFile()))
              : null;
      GroupMemory memory = new GroupMemory(group, use, limit, stat, high);
      memory.refreshLimits();
      complete = true;
      return memory;
    } finally {
      if (!complete) {
        opened.forEach(KernelFile::close);
      }
    }
  }

  private static KernelFile opened(List<KernelFile> files, KernelFile file) {
    files.add(file);
    return file;
  }

  /** Reads the limits again, because an operator may change them at any time. */
  void refreshLimits() throws IOException {
    limitBytes = limitOf(limit);
    KernelFile highFile = high;
    highBytes = highFile == null ? Long.MAX_VALUE : limitOf(highFile);
  }

  private static long limitOf(KernelFile file) throws IOException {
    long bytes = file.number();
    return bytes >= NO_LIMIT_FROM ? Long.MAX_VALUE : bytes;
  }

  /** The limit at which the kernel kills, or {@link Long#MAX_VALUE}. */
  long limitBytes() {
    return limitBytes;
  }

  /**
   * The lower of that limit and {@code memory.high}, above which the kernel slows down all
   * processes of the group; {@link Long#MAX_VALUE} if there is neither.
   */
  public long lowestLimitBytes() {
    return Math.min(limitBytes, highBytes);
  }

  /** Whether {@code memory.high} is the lower of the two. */
  boolean isHighLowest() {
    return highBytes < limitBytes;
  }

  /** The memory charged now, which is never less than the working set. One system call. */
  public long useBytes() throws IOException {
    return use.number();
  }

  /**
   * {@code useBytes} without the page cache that the kernel would drop. This is more expensive than
   * {@link #useBytes}, because the kernel adds up dozens of numbers for it.
   */
  public long workingSetBytes(long useBytes) throws IOException {
    long inactive = KernelText.number(stat.text(), group.version().inactiveFile());
    return Math.max(0, useBytes - inactive);
  }

  @Override
  public void close() {
    use.close();
    limit.close();
    stat.close();
    KernelFile highFile = high;
    if (highFile != null) {
      highFile.close();
    }
  }

  @Override
  public String toString() {
    return "GroupMemory[" + group.folder() + "]";
  }
}
