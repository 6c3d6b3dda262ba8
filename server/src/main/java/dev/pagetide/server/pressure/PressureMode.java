package dev.pagetide.server.pressure;

/** What is done about the host's pressure: {@code --pressure}. */
public enum PressureMode {
  /** Pages are taken. */
  ON,
  /** Nobody looks. */
  OFF,
  /** It is decided and told what would be taken; nothing is. */
  DRY_RUN
}
