package dev.pagetide.server.pressure;

/** The level of pressure of one source, from none to the last moment before the kernel kills. */
public enum PressureLevel {
  /** There is no pressure. */
  NONE(0),
  /** Memory begins to run short: the server takes some of the AVAILABLE pages. */
  LOW(1),
  /** Memory is short: tasks wait for it, or part of the reserve is in use. */
  MEDIUM(2),
  /** Memory is nearly gone, or all tasks wait for it. */
  CRITICAL(3);

  private final int number;

  PressureLevel(int number) {
    this.number = number;
  }

  /** The number that a gauge shows: 0 for NONE to 3 for CRITICAL. */
  public int number() {
    return number;
  }
}
