package dev.pagetide.server.page;

import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * Pages chosen for reclaim. Each is two longs: its page word, which orders by stamp, and its place.
 *
 * <p>A place has the range's index in a sweep in its upper bits, and the inverted page number in
 * its lower bits. So places ascend by range and, within a range, from the highest page to the
 * lowest. Ordered by (word, place), candidates are in the order in which they are to be reclaimed.
 *
 * <p>Keeps the smallest {@code capacity} of all candidates that were added, in O(1) amortised each:
 * it gathers twice the capacity, then throws the larger half away. Confined to one thread.
 */
final class CandidateBuffer {
  private static final int INSERTION_SORT_BELOW = 24;

  /** With more runs than this, merging moves more than a quicksort does. */
  private static final int MAX_RUNS = 64;

  private int capacity;

  /**
   * Pivots are drawn at random. The reason: clients write the stamps, and a client that knew the
   * pivots could make the sort quadratic.
   */
  private final SplittableRandom random = new SplittableRandom();

  private long[] words;
  private long[] places;
  private int size;

  /** No word above this one can be among the smallest any more. */
  private long threshold;

  /**
   * The ends of runs, and the left one of two runs that are merged. Both arrays are kept from sort
   * to sort.
   */
  private final int[] runEnds = new int[MAX_RUNS];

  private long[] leftMajor = {};
  private long[] leftMinor = {};

  /**
   * An empty buffer.
   *
   * @param capacity how many candidates to keep
   * @param expected an estimate of how many will be added; more may be added, too
   */
  CandidateBuffer(int capacity, long expected) {
    this.words = new long[0];
    this.places = new long[0];
    reset(capacity, expected);
  }

  /** Resets this to a new buffer, but keeps the arrays if they are large enough. */
  void reset(int newCapacity, long expected) {
    capacity = newCapacity;
    size = 0;
    threshold = -1L;
    int length = (int) Math.clamp(expected, 1, 2L * newCapacity);
    if (words.length < length) {
      words = new long[length];
      places = new long[length];
    }
  }

  /** How many candidates its arrays have room for. */
  int room() {
    return words.length;
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

  /** Adds a candidate. Rejects most of those that cannot stay at once. */
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
    if (size < 2L * capacity) {
      int length = (int) Math.min(2L * capacity, 2L * size);
      words = Arrays.copyOf(words, length);
      places = Arrays.copyOf(places, length);
    } else {
      keepSmallest();
    }
  }

  private void keepSmallest() {
    if (size <= capacity) {
      return;
    }
    // Pages that were stopped in the order of their numbers come as a few runs. Ordering those
    // takes less time than selecting among them, and they stay in order for finish.
    if (mergeRuns(words, places, 0, size)) {
      size = capacity;
      threshold = words[size - 1];
    } else {
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

  /** Ends the gathering: keeps the smallest candidates, in order. */
  void finish() {
    // Sorting a few runs takes less time than selecting among them, and select would break them up.
    if (!mergeRuns(words, places, 0, size)) {
      keepSmallest();
      quicksort(words, places, 0, size);
    }
    size = Math.min(size, capacity);
  }

  /**
   * Merges candidates in order into those from {@code at + count} on, which are in order, too. The
   * result is in order from {@code at} on. Costs one step for each merged candidate, and for each
   * other candidate that is older than the last merged one.
   */
  void mergeFront(int at, long[] inWords, long[] inPlaces, int count) {
    int in = 0;
    int right = at + count;
    for (int to = at; in < count; to++) {
      if (right < size && less(words[right], places[right], inWords[in], inPlaces[in])) {
        words[to] = words[right];
        places[to] = places[right++];
      } else {
        words[to] = inWords[in];
        places[to] = inPlaces[in++];
      }
    }
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

  /** Orders candidates {@code [from, to)} as they are to be reclaimed. */
  void sortByAge(long[] candidateWords, long[] candidatePlaces, int from, int to) {
    sort(candidateWords, candidatePlaces, from, to);
  }

  /**
   * Moves the {@code count} smallest of {@code [from, to)} to its front, in no particular order.
   */
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
    if (!mergeRuns(major, minor, from, to)) {
      quicksort(major, minor, from, to);
    }
  }

  /**
   * Sorts candidates that consist of a few ascending or descending runs. Returns whether it did.
   * Pages that were stopped in the order of their numbers come as one run a range, and so do the
   * pages of one stop. A quicksort would spend more time on them than their punches cost.
   */
  private boolean mergeRuns(long[] major, long[] minor, int from, int to) {
    int[] ends = runEnds;
    int runs = 0;
    for (int start = from; start < to; start = ends[runs - 1]) {
      if (runs == MAX_RUNS) {
        return false;
      }
      ends[runs++] = orderRun(major, minor, start, to);
    }
    while (runs > 1) {
      int merged = 0;
      int start = from;
      for (int run = 0; run + 1 < runs; run += 2) {
        merge(major, minor, start, ends[run], ends[run + 1]);
        start = ends[run + 1];
        ends[merged++] = start;
      }
      if (runs % 2 == 1) {
        ends[merged++] = to;
      }
      runs = merged;
    }
    return true;
  }

  /** Returns the end of the run that begins at {@code start}; reverses it if it descends. */
  private static int orderRun(long[] major, long[] minor, int start, int to) {
    int end = start + 1;
    if (end == to) {
      return end;
    }
    boolean descends = less(major[end], minor[end], major[start], minor[start]);
    do {
      end++;
    } while (end < to && less(major[end], minor[end], major[end - 1], minor[end - 1]) == descends);
    if (descends) {
      for (int i = start, j = end - 1; i < j; i++, j--) {
        swap(major, minor, i, j);
      }
    }
    return end;
  }

  /** Merges neighbouring runs {@code [start, middle)} and {@code [middle, end)}. */
  private void merge(long[] major, long[] minor, int start, int middle, int end) {
    if (!less(major[middle], minor[middle], major[middle - 1], minor[middle - 1])) {
      return;
    }
    int length = middle - start;
    if (leftMajor.length < length) {
      leftMajor = new long[length];
      leftMinor = new long[length];
    }
    long[] major2 = leftMajor;
    long[] minor2 = leftMinor;
    System.arraycopy(major, start, major2, 0, length);
    System.arraycopy(minor, start, minor2, 0, length);
    int left = 0;
    int right = middle;
    int to = start;
    while (left < length) {
      if (right < end && less(major[right], minor[right], major2[left], minor2[left])) {
        major[to] = major[right];
        minor[to++] = minor[right++];
      } else {
        major[to] = major2[left];
        minor[to++] = minor2[left++];
      }
    }
  }

  private void quicksort(long[] major, long[] minor, int from, int to) {
    int low = from;
    int high = to;
    while (high - low > INSERTION_SORT_BELOW) {
      int middle = partition(major, minor, low, high);
      // Recurses into the smaller side, so that the stack stays logarithmic.
      if (middle - low < high - middle) {
        quicksort(major, minor, low, middle);
        low = middle;
      } else {
        quicksort(major, minor, middle, high);
        high = middle;
      }
    }
    insertionSort(major, minor, low, high);
  }

  /**
   * Hoare's partition around a random pair. Returns a middle, strictly inside, such that no pair
   * before it is larger than one after it.
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
