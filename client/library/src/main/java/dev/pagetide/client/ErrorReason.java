package dev.pagetide.client;

/** Why a Pagetide server, or this library on its behalf, refused a call. */
public enum ErrorReason {
  /** There is no such session, or it is not one of the caller's. */
  UNKNOWN_SESSION,

  /** The session ended while the call ran. */
  SESSION_ENDED,

  /** The call named pages or bytes beyond the range's end. */
  PAST_END,

  /** The request had more spans, offsets or further commands than one request may have. */
  TOO_MANY_SPANS,

  /** The request, payload or refusal had more bytes than it may have. */
  TOO_MUCH_DATA,

  /** The call touched a byte of a page that is not USED. */
  PAGE_NOT_USED,

  /** A limit on resident memory is reached, or the kernel gives no memory or no file. */
  NO_MEMORY,

  /** The range asked for is smaller than one page. */
  SIZE_INVALID,

  /** The name is too long, or has characters that no name may have. */
  NAME_INVALID,

  /** A live session of this uid has the name. */
  NAME_TAKEN,

  /** The server does not serve the mode that was asked for. */
  MODE_INVALID,

  /** A session was to be opened with a deadline. */
  DEADLINE_NOT_ALLOWED,

  /** The server, or this uid, has as many sessions as it may have. */
  TOO_MANY_SESSIONS,

  /** As many requests are in flight as may be. */
  TOO_MANY_REQUESTS,

  /**
   * The caller is not the operator, or {@code --allow-transactions} does not let its user transact
   * to the receiver's user.
   */
  NOT_PERMITTED,

  /** The server was told to end. */
  SERVER_STOPPING,

  /** The fault is the server's. */
  INTERNAL_BUG,

  /** The contract has no such message. */
  MALFORMED_MESSAGE,

  /** The client's page table holds words that the client may not write. */
  TABLE_CORRUPT,

  /** The server did not give out this token for the next page of a listing. */
  PAGE_TOKEN_INVALID,

  /** A range of this mode does not serve the call. */
  WRONG_MODE,

  /** A command was sent before its stream had a session. */
  NOT_ATTACHED,

  /** The session has a stream of commands, or the stream has a session. */
  ALREADY_ATTACHED,

  /** No such receiver is attached, or it ended before it replied. */
  TARGET_DIED,

  /** The flags have bits without a meaning, or a command that needs another id has id 0. */
  FLAGS_INVALID,

  /** No gap in the range is large enough. */
  NO_BUFFER_SPACE,

  /** One-way buffers take as much of the range as they may. */
  NO_ONE_WAY_SPACE,

  /** The range has as many buffers as {@code --max-buffers} allows. */
  TOO_MANY_BUFFERS,

  /** No live buffer begins at the offset, or holds the slice. */
  NOT_A_BUFFER,

  /** The buffer is being filled or copied. */
  BUFFER_BUSY,

  /** The transaction was replied to, has ended, or never was one of the caller's. */
  TRANSACTION_OVER,

  /** No reply came in time. */
  TRANSACTION_TIMED_OUT,

  /** The asker cancelled the transaction. */
  TRANSACTION_CANCELLED,

  /** The caller waits for as many replies as {@code --max-transactions} allows. */
  TOO_MANY_TRANSACTIONS,

  /** The receiver said that it cannot serve the transaction. */
  REFUSED_BY_RECEIVER,

  /** The request took longer to arrive at the server than {@code --request-wait} allows. */
  REQUEST_TOO_LATE,

  /** A reason that a newer server knows and this client does not. */
  UNRECOGNIZED
}
