package dev.pagetide.server.buffer;

import dev.pagetide.shm.PageState;
import java.util.Arrays;

/** What buffers and pages must be like: who owns each 8 bytes, and three-valued page states. */
final class BufferModel {
  static final int WORD = 8;

  /** The number of the buffer that owns each word; 0: nobody. */
  final int[] owners;

  final PageState[] states;
  final byte[] bytes;
  private final long[] stamps;
  private final int pageSize;
  private long clock;

  BufferModel(int pages, int pageSize) {
    this.pageSize = pageSize;
    this.owners = new int[pages * pageSize / WORD];
    this.states = new PageState[pages];
    this.bytes = new byte[pages * pageSize];
    this.stamps = new long[pages];
    Arrays.fill(states, PageState.FREE);
  }

  static int space(int size) {
    return Math.max(WORD, (size + WORD - 1) / WORD * WORD);
  }

  /** Where the best fit lies: the smallest gap, the lowest among equals; -1: nowhere. */
  int bestFit(int space) {
    int best = -1;
    int bestWords = Integer.MAX_VALUE;
    for (int word = 0; word < owners.length; word++) {
      int start = word;
      while (word < owners.length && owners[word] == 0) {
        word++;
      }
      if (word - start >= space / WORD && word - start < bestWords) {
        best = start;
        bestWords = word - start;
      }
    }
    return best < 0 ? -1 : best * WORD;
  }

  int largestGap() {
    int largest = 0;
    int length = 0;
    for (int owner : owners) {
      length = owner == 0 ? length + WORD : 0;
      largest = Math.max(largest, length);
    }
    return largest;
  }

  int freeBytes() {
    return (int) Arrays.stream(owners).filter(owner -> owner == 0).count() * WORD;
  }

  void own(int number, int offset, int space) {
    Arrays.fill(owners, offset / WORD, (offset + space) / WORD, number);
  }

  /** Whether every page of some bytes has memory. */
  boolean isResident(int offset, int space) {
    for (int page = offset / pageSize; page * pageSize < offset + space; page++) {
      if (states[page] == PageState.FREE) {
        return false;
      }
    }
    return true;
  }

  /** Makes every page of some bytes USED; their bytes are zeros where they have none. */
  void use(int offset, int space) {
    for (int page = offset / pageSize; page * pageSize < offset + space; page++) {
      states[page] = PageState.USED;
    }
  }

  /** Nobody owns some bytes any more: their pages are stopped where nobody owns any byte. */
  void end(int offset, int space) {
    own(0, offset, space);
    clock++;
    for (int page = offset / pageSize; page * pageSize < offset + space; page++) {
      if (states[page] == PageState.USED && !isOwned(page)) {
        states[page] = PageState.AVAILABLE;
        stamps[page] = clock;
      }
    }
  }

  private boolean isOwned(int page) {
    int wordsInPage = pageSize / WORD;
    for (int word = page * wordsInPage; word < (page + 1) * wordsInPage; word++) {
      if (owners[word] != 0) {
        return true;
      }
    }
    return false;
  }

  /** Reclaims the oldest pages, the highest first of those stopped at once; how many. */
  int scan(int pages) {
    int reclaimed = 0;
    while (reclaimed < pages) {
      int oldest = -1;
      for (int page = 0; page < states.length; page++) {
        if (states[page] == PageState.AVAILABLE && (oldest < 0 || stamps[page] <= stamps[oldest])) {
          oldest = page;
        }
      }
      if (oldest < 0) {
        break;
      }
      states[oldest] = PageState.FREE;
      Arrays.fill(bytes, oldest * pageSize, (oldest + 1) * pageSize, (byte) 0);
      reclaimed++;
    }
    return reclaimed;
  }

  int available() {
    return (int) Arrays.stream(states).filter(state -> state == PageState.AVAILABLE).count();
  }
}
