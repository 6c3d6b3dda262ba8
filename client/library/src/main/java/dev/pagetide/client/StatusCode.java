package dev.pagetide.client;

/** How a call ended, as gRPC classifies ends; the names are those of gRPC. */
public enum StatusCode {
  /** The call succeeded. */
  OK,

  /** The call was cancelled. */
  CANCELLED,

  /** The failure is of no known kind. */
  UNKNOWN,

  /** An argument is wrong, whatever the state of the server. */
  INVALID_ARGUMENT,

  /** No answer came in time. */
  DEADLINE_EXCEEDED,

  /** What the call names does not exist. */
  NOT_FOUND,

  /** What the call was to make exists. */
  ALREADY_EXISTS,

  /** The caller may not do that. */
  PERMISSION_DENIED,

  /** Memory, or something else that has a limit, is used up. */
  RESOURCE_EXHAUSTED,

  /** The state of the server does not allow the call. */
  FAILED_PRECONDITION,

  /** The call was given up, for example because its session ended. */
  ABORTED,

  /** The call named something beyond the end. */
  OUT_OF_RANGE,

  /** The server does not serve the call. */
  UNIMPLEMENTED,

  /** A fault of the server or of this client. */
  INTERNAL,

  /** The server cannot be reached. */
  UNAVAILABLE,

  /** Bytes are lost. */
  DATA_LOSS,

  /** The server does not know who calls. */
  UNAUTHENTICATED
}
