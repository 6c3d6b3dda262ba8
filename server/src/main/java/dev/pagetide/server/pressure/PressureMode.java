package dev.pagetide.server.pressure;

/** What the server does about the host's memory pressure: {@code --pressure}. */
public enum PressureMode {
  /** It reclaims pages. */
  ON,
  /** It does not read the sources. */
  OFF,
  /** It decides and reports how many pages it would take, and takes none. */
  DRY_RUN
}
