package dev.pagetide.server.page;

import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.os.PageFile;
import dev.pagetide.shm.PageTable;
import dev.pagetide.shm.SharedFileHeader;
import dev.pagetide.shm.SharedFileLayout;
import java.lang.foreign.Arena;
import org.jspecify.annotations.Nullable;

/**
 * The resources that one range holds and gives back when it ends: its file, the page words that are
 * outside the file, and the charge for its memory.
 *
 * @param table the page words
 * @param ownWords the memory of words that are outside the file; null if they are in it
 * @param budget the budget that is charged
 * @param bookkeepingPages how much of the charge is for the file's header and table
 */
record RangeMemory(
    PageFile file,
    PageTable table,
    @Nullable Arena ownWords,
    PageBudget budget,
    int bookkeepingPages) {
  /**
   * Makes the file, charges its bookkeeping pages and writes its header.
   *
   * @throws PageFailure.NoMemory if a limit or the kernel refused
   */
  static RangeMemory take(
      long id,
      RangeMode mode,
      SharedFileLayout layout,
      RangeConfig config,
      PageBudget budget,
      Shrinker shrinker) {
    PageFile file = config.makeFile(id, layout, budget, shrinker);
    Arena ownWords = null;
    boolean taken = false;
    try {
      new SharedFileHeader(file.header()).writeOnce(layout, id, config.serverInstance());
      PageTable table;
      if (mode == RangeMode.BUFFERS) {
        ownWords = Arena.ofShared();
        table = new PageTable(ownWords.allocate(file.table().byteSize(), Long.BYTES));
      } else {
        table = new PageTable(file.table());
      }
      RangeMemory memory =
          new RangeMemory(file, table, ownWords, budget, layout.bookkeepingPages());
      taken = true;
      return memory;
    } finally {
      if (!taken) {
        giveBack(file, ownWords, budget, layout.bookkeepingPages(), true);
      }
    }
  }

  /**
   * Marks the file CLOSED and gives everything back, even if one step of that fails. Called once,
   * when no thread is inside.
   *
   * @param residentPages how many data pages are charged
   * @param punch whether to take the file's memory from other processes that hold the file
   */
  void giveBack(int residentPages, boolean punch) {
    long charged = (long) residentPages + bookkeepingPages;
    try {
      new SharedFileHeader(file.header()).closeRelease();
    } finally {
      giveBack(file, ownWords, budget, charged, punch);
    }
  }

  private static void giveBack(
      PageFile file, @Nullable Arena ownWords, PageBudget budget, long charged, boolean punch) {
    try {
      file.close(punch);
    } finally {
      try {
        if (ownWords != null) {
          ownWords.close();
        }
      } finally {
        budget.release(charged);
      }
    }
  }
}
