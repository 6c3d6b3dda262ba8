package dev.pagetide.client;

/** Which {@link RangeAccess} a client wants for its ranges. */
public enum AccessMode {
  /** Shared if the server passes the file's descriptor, otherwise remote. */
  AUTO,

  /** Shared. Opening fails if the range's file cannot be mapped; attaching always fails. */
  SHARED,

  /** Always remote. */
  REMOTE
}
