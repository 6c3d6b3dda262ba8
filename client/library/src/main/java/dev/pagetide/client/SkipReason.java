package dev.pagetide.client;

/** Why a scan did not reclaim a candidate. */
public enum SkipReason {
  /** The candidate's range was busy. */
  LOCKED,

  /** The candidate was used, or used and stopped, since the scan chose it. */
  CHANGED,

  /** The candidate's session was ending. */
  CLOSING,

  /** The kernel refused to punch the hole: the page stays AVAILABLE. */
  PUNCH_FAILED,

  /** Something that a newer server knows and this client does not. */
  UNRECOGNIZED
}
