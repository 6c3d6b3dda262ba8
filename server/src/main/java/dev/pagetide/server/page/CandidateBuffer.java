package dev.pagetide.server.page;

import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * Pages chosen for reclaim, each as two longs: its page word, which orders by stamp, and its place.
 *
 * <p>A place is the range's index in a sweep, above the page number upside down: so places ascend
 * by range and, within a range, from the highest page to the lowest. Ordered by (word, place),
 * candidates stand in the order in which they are to be reclaimed.
 *
 * <p>Keeps the smallest {@code capacity} of all that were added, in O(1) amortised each: twice the
 * capacity is gathered, then the larger half thrown away. Confined to one thread.
 */
final class CandidateBuffer {
  private static final int INSERTION_SORT_BELOW = 24;

  private final int capacity;

  /**
   * Pivots are drawn at random: stamps are written by clients, and a client that knew the pivots
   * could make the sort quadratic.
   */
  private final SplittableRandom random = new SplittableRandom();

  private long[] words;
  private long[] places;
  private int size;

  /** No word above this one can be among the smallest any more. */
  private long threshold = -1L;

  CandidateBuffer(int capacity) {
    this.capacity = capacity;
    this.words = new long[Math.min(2 * capacity, 1024)];
    this.places = new long[words.length];
  }

  static long place(int rangeIndex, int page) {
    return (long) rangeIndex << Integer.SIZE | (Integer.MAX_VALUE - page);
  }

  static int rangeIndex(long place) {
    return (int) (place >>> Integer.SIZE);
  }

  static int page(long place) {
    return Integer.MAX_VALUE - (int) place;
  }

  /** Adds a candidate; most that cannot stay are turned away here. */
  void add(long word, long place) {
    if (Long.compareUnsigned(word, threshold) > 0) {
      return;
    }
    if (size == words.length) {
      makeRoom();
      if (Long.compareUnsigned(word, threshold) > 0) {
        return;
      }
    }
    words[size] = word;
    places[size] = place;
    size++;
  }

  private void makeRoom() {
    if (size < 2 * capacity) {
      int length = (int) Math.min(2L * capacity, 2L * size);
      words = Arrays.copyOf(words, length);
      places = Arrays.copyOf(places, length);
    } else {
      keepSmallest();
    }
  }

  private void keepSmallest() {
    if (size > capacity) {
      select(words, places, 0, size, capacity);
      size = capacity;
      long largest = 0;
      for (int i = 0; i < size; i++) {
        if (Long.compareUnsigned(words[i], largest) > 0) {
          largest = words[i];
        }
      }
      threshold = largest;
    }
  }

  /** Ends the gathering: keeps the smallest, in order. */
  void finish() {
    keepSmallest();
    sort(words, places, 0, size);
  }

  int size() {
    return size;
  }

  long[] words() {
    return words;
  }

  long[] places() {
    return places;
  }

  /**
   * Orders candidates {@code [from, to)} by place alone: by range, then from the highest page down.
   */
  void sortByPlace(long[] candidateWords, long[] candidatePlaces, int from, int to) {
    sort(candidatePlaces, candidateWords, from, to);
  }

  /** Moves the {@code count} smallest of {@code [from, to)} to its front, in no order. */
  private void select(long[] major, long[] minor, int from, int to, int count) {
    int low = from;
    int high = to;
    int target = from + count;
    while (high - low > INSERTION_SORT_BELOW) {
      int middle = partition(major, minor, low, high);
      if (middle == target) {
        return;
      }
      if (middle < target) {
        low = middle;
      } else {
        high = middle;
      }
    }
    insertionSort(major, minor, low, high);
  }

  private void sort(long[] major, long[] minor, int from, int to) {
    int low = from;
    int high = to;
    while (high - low > INSERTION_SORT_BELOW) {
      int middle = partition(major, minor, low, high);
      // Recurse into the smaller side, so the stack stays logarithmic.
      if (middle - low < high - middle) {
        sort(major, minor, low, middle);
        low = middle;
      } else {
        sort(major, minor, middle, high);
        high = middle;
      }
    }
    insertionSort(major, minor, low, high);
  }

  /**
   * Hoare's partition around a random pair: returns a middle, strictly inside, with no pair before
   * it larger than one after it.
   */
  private int partition(long[] major, long[] minor, int low, int high) {
    int pivot = low + random.nextInt(high - low);
    swap(major, minor, low, pivot);
    long pivotMajor = major[low];
    long pivotMinor = minor[low];
    int i = low - 1;
    int j = high;
    while (true) {
      do {
        i++;
      } while (less(major[i], minor[i], pivotMajor, pivotMinor));
      do {
        j--;
      } while (less(pivotMajor, pivotMinor, major[j], minor[j]));
      if (i >= j) {
        return j + 1;
      }
      swap(major, minor, i, j);
    }
  }

  private static void insertionSort(long[] major, long[] minor, int low, int high) {
    for (int i = low + 1; i < high; i++) {
      long keyMajor = major[i];
      long keyMinor = minor[i];
      int j = i - 1;
      while (j >= low && less(keyMajor, keyMinor, major[j], minor[j])) {
        major[j + 1] = major[j];
        minor[j + 1] = minor[j];
        j--;
      }
      major[j + 1] = keyMajor;
      minor[j + 1] = keyMinor;
    }
  }

  private static boolean less(long majorA, long minorA, long majorB, long minorB) {
    int order = Long.compareUnsigned(majorA, majorB);
    return order < 0 || (order == 0 && Long.compareUnsigned(minorA, minorB) < 0);
  }

  private static void swap(long[] major, long[] minor, int i, int j) {
    long word = major[i];
    major[i] = major[j];
    major[j] = word;
    long place = minor[i];
    minor[i] = minor[j];
    minor[j] = place;
  }
}
