package dev.pagetide.server.pressure;

/** How hard one source presses, from not at all to the last moment before the kernel kills. */
public enum PressureLevel {
  /** Nothing to do. */
  NONE(0),
  /** Memory runs short: some of what nobody uses is taken. */
  LOW(1),
  /** Memory is short: others wait for it, or the reserve is eaten into. */
  MEDIUM(2),
  /** Memory is nearly gone, or everybody waits for it. */
  CRITICAL(3);

  private final int number;

  PressureLevel(int number) {
    this.number = number;
  }

  /** 0 for NONE to 3 for CRITICAL: what a gauge shows. */
  public int number() {
    return number;
  }
}
