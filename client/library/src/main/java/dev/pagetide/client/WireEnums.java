package dev.pagetide.client;

import dev.pagetide.shm.PageState;
import io.grpc.Status;

/**
 * The one place where the contract's enums become those of this library.
 *
 * <p>Each switch names each constant, so the compiler refuses a contract that has one more. What
 * the contract never sends is as unknown as what only a newer server sends.
 */
final class WireEnums {

  private WireEnums() {}

  /** What a range is for; the contract says that one without a mode is a range of pages. */
  static RangeMode mode(dev.pagetide.v1.RangeMode wire) {
    return switch (wire) {
      case RANGE_MODE_UNSPECIFIED, RANGE_MODE_PAGES -> RangeMode.PAGES;
      case RANGE_MODE_BUFFERS -> RangeMode.BUFFERS;
      case UNRECOGNIZED -> RangeMode.UNRECOGNIZED;
    };
  }

  /** The contract's word for what a range is for. */
  static dev.pagetide.v1.RangeMode wire(RangeMode mode) {
    return switch (mode) {
      case PAGES -> dev.pagetide.v1.RangeMode.RANGE_MODE_PAGES;
      case BUFFERS -> dev.pagetide.v1.RangeMode.RANGE_MODE_BUFFERS;
      case UNRECOGNIZED -> throw new IllegalArgumentException("no range can be opened as " + mode);
    };
  }

  /** How a session came to the server. */
  static Transport transport(dev.pagetide.v1.Transport wire) {
    return switch (wire) {
      case TRANSPORT_UNIX -> Transport.UNIX;
      case TRANSPORT_TCP -> Transport.TCP;
      case TRANSPORT_UNSPECIFIED, UNRECOGNIZED -> Transport.UNRECOGNIZED;
    };
  }

  /** What made the server reclaim pages. */
  static ReclaimTrigger trigger(dev.pagetide.v1.ReclaimTrigger wire) {
    return switch (wire) {
      case RECLAIM_TRIGGER_BUDGET -> ReclaimTrigger.BUDGET;
      case RECLAIM_TRIGGER_WATERMARK -> ReclaimTrigger.WATERMARK;
      case RECLAIM_TRIGGER_PSI_SOME -> ReclaimTrigger.PSI_SOME;
      case RECLAIM_TRIGGER_PSI_FULL -> ReclaimTrigger.PSI_FULL;
      case RECLAIM_TRIGGER_CGROUP -> ReclaimTrigger.CGROUP;
      case RECLAIM_TRIGGER_MEMAVAILABLE -> ReclaimTrigger.MEMAVAILABLE;
      case RECLAIM_TRIGGER_REQUEST -> ReclaimTrigger.REQUEST;
      case RECLAIM_TRIGGER_WAITER -> ReclaimTrigger.WAITER;
      case RECLAIM_TRIGGER_CLOSE -> ReclaimTrigger.CLOSE;
      case RECLAIM_TRIGGER_UNSPECIFIED, UNRECOGNIZED -> ReclaimTrigger.UNRECOGNIZED;
    };
  }

  /** Why a scan did not reclaim a candidate. */
  static SkipReason skipReason(dev.pagetide.v1.SkipReason wire) {
    return switch (wire) {
      case SKIP_REASON_LOCKED -> SkipReason.LOCKED;
      case SKIP_REASON_CHANGED -> SkipReason.CHANGED;
      case SKIP_REASON_CLOSING -> SkipReason.CLOSING;
      case SKIP_REASON_PUNCH_FAILED -> SkipReason.PUNCH_FAILED;
      case SKIP_REASON_UNSPECIFIED, UNRECOGNIZED -> SkipReason.UNRECOGNIZED;
    };
  }

  /** The state of a page; {@code number} is what the server sent for it. */
  static PageState pageState(dev.pagetide.v1.PageState wire, int number) {
    return switch (wire) {
      case PAGE_STATE_FREE -> PageState.FREE;
      case PAGE_STATE_AVAILABLE -> PageState.AVAILABLE;
      case PAGE_STATE_USED -> PageState.USED;
      case PAGE_STATE_UNSPECIFIED, UNRECOGNIZED ->
          throw PagetideException.local(
              StatusCode.INTERNAL,
              "the server answered a page state that this client does not know: " + number);
    };
  }

  /** Why the server refused a call. */
  static ErrorReason reason(dev.pagetide.v1.ErrorReason wire) {
    return switch (wire) {
      case ERROR_REASON_UNKNOWN_SESSION -> ErrorReason.UNKNOWN_SESSION;
      case ERROR_REASON_SESSION_ENDED -> ErrorReason.SESSION_ENDED;
      case ERROR_REASON_PAST_END -> ErrorReason.PAST_END;
      case ERROR_REASON_TOO_MANY_SPANS -> ErrorReason.TOO_MANY_SPANS;
      case ERROR_REASON_TOO_MUCH_DATA -> ErrorReason.TOO_MUCH_DATA;
      case ERROR_REASON_PAGE_NOT_USED -> ErrorReason.PAGE_NOT_USED;
      case ERROR_REASON_NO_MEMORY -> ErrorReason.NO_MEMORY;
      case ERROR_REASON_SIZE_INVALID -> ErrorReason.SIZE_INVALID;
      case ERROR_REASON_NAME_INVALID -> ErrorReason.NAME_INVALID;
      case ERROR_REASON_NAME_TAKEN -> ErrorReason.NAME_TAKEN;
      case ERROR_REASON_MODE_INVALID -> ErrorReason.MODE_INVALID;
      case ERROR_REASON_DEADLINE_NOT_ALLOWED -> ErrorReason.DEADLINE_NOT_ALLOWED;
      case ERROR_REASON_TOO_MANY_SESSIONS -> ErrorReason.TOO_MANY_SESSIONS;
      case ERROR_REASON_TOO_MANY_REQUESTS -> ErrorReason.TOO_MANY_REQUESTS;
      case ERROR_REASON_NOT_PERMITTED -> ErrorReason.NOT_PERMITTED;
      case ERROR_REASON_SERVER_STOPPING -> ErrorReason.SERVER_STOPPING;
      case ERROR_REASON_INTERNAL_BUG -> ErrorReason.INTERNAL_BUG;
      case ERROR_REASON_MALFORMED_MESSAGE -> ErrorReason.MALFORMED_MESSAGE;
      case ERROR_REASON_TABLE_CORRUPT -> ErrorReason.TABLE_CORRUPT;
      case ERROR_REASON_PAGE_TOKEN_INVALID -> ErrorReason.PAGE_TOKEN_INVALID;
      case ERROR_REASON_WRONG_MODE -> ErrorReason.WRONG_MODE;
      case ERROR_REASON_NOT_ATTACHED -> ErrorReason.NOT_ATTACHED;
      case ERROR_REASON_ALREADY_ATTACHED -> ErrorReason.ALREADY_ATTACHED;
      case ERROR_REASON_TARGET_DIED -> ErrorReason.TARGET_DIED;
      case ERROR_REASON_FLAGS_INVALID -> ErrorReason.FLAGS_INVALID;
      case ERROR_REASON_NO_BUFFER_SPACE -> ErrorReason.NO_BUFFER_SPACE;
      case ERROR_REASON_NO_ONE_WAY_SPACE -> ErrorReason.NO_ONE_WAY_SPACE;
      case ERROR_REASON_TOO_MANY_BUFFERS -> ErrorReason.TOO_MANY_BUFFERS;
      case ERROR_REASON_NOT_A_BUFFER -> ErrorReason.NOT_A_BUFFER;
      case ERROR_REASON_BUFFER_BUSY -> ErrorReason.BUFFER_BUSY;
      case ERROR_REASON_TRANSACTION_OVER -> ErrorReason.TRANSACTION_OVER;
      case ERROR_REASON_TRANSACTION_TIMED_OUT -> ErrorReason.TRANSACTION_TIMED_OUT;
      case ERROR_REASON_TRANSACTION_CANCELLED -> ErrorReason.TRANSACTION_CANCELLED;
      case ERROR_REASON_TOO_MANY_TRANSACTIONS -> ErrorReason.TOO_MANY_TRANSACTIONS;
      case ERROR_REASON_REFUSED_BY_RECEIVER -> ErrorReason.REFUSED_BY_RECEIVER;
      case ERROR_REASON_REQUEST_TOO_LATE -> ErrorReason.REQUEST_TOO_LATE;
      case ERROR_REASON_UNSPECIFIED, UNRECOGNIZED -> ErrorReason.UNRECOGNIZED;
    };
  }

  /** The reason of that name in a status's details; what only a newer server names is unknown. */
  static ErrorReason reason(String name) {
    try {
      return ErrorReason.valueOf(name);
    } catch (IllegalArgumentException e) {
      return ErrorReason.UNRECOGNIZED; // it is an answer all the same
    }
  }

  /** How a call ended. */
  static StatusCode code(Status.Code wire) {
    return switch (wire) {
      case OK -> StatusCode.OK;
      case CANCELLED -> StatusCode.CANCELLED;
      case UNKNOWN -> StatusCode.UNKNOWN;
      case INVALID_ARGUMENT -> StatusCode.INVALID_ARGUMENT;
      case DEADLINE_EXCEEDED -> StatusCode.DEADLINE_EXCEEDED;
      case NOT_FOUND -> StatusCode.NOT_FOUND;
      case ALREADY_EXISTS -> StatusCode.ALREADY_EXISTS;
      case PERMISSION_DENIED -> StatusCode.PERMISSION_DENIED;
      case RESOURCE_EXHAUSTED -> StatusCode.RESOURCE_EXHAUSTED;
      case FAILED_PRECONDITION -> StatusCode.FAILED_PRECONDITION;
      case ABORTED -> StatusCode.ABORTED;
      case OUT_OF_RANGE -> StatusCode.OUT_OF_RANGE;
      case UNIMPLEMENTED -> StatusCode.UNIMPLEMENTED;
      case INTERNAL -> StatusCode.INTERNAL;
      case UNAVAILABLE -> StatusCode.UNAVAILABLE;
      case DATA_LOSS -> StatusCode.DATA_LOSS;
      case UNAUTHENTICATED -> StatusCode.UNAUTHENTICATED;
    };
  }
}
