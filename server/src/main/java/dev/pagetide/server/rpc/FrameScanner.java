package dev.pagetide.server.rpc;

import io.netty.buffer.ByteBuf;

/**
 * Finds the headers of the frames in what one HTTP/2 client sends (RFC 9113, section 4.1), however
 * the bytes are divided into reads. It looks at the bytes and keeps none of them.
 */
final class FrameScanner {
  static final int DATA = 0;
  static final int HEADERS = 1;
  static final int RST_STREAM = 3;
  static final int SETTINGS = 4;
  static final int PUSH_PROMISE = 5;
  static final int PING = 6;
  static final int WINDOW_UPDATE = 8;
  static final int CONTINUATION = 9;

  /** Flags of a DATA frame. */
  static final int END_STREAM = 1;

  static final int PADDED = 8;

  static final int PREFACE_BYTES = 24;
  static final int HEADER_BYTES = 9;

  /** Bytes before the next frame: of the preface, or of a payload. */
  private int rest = PREFACE_BYTES;

  /** Bytes of the next frame's header that earlier reads brought. */
  private int begun;

  private boolean found;
  private int lengthAndType;
  private int flags;

  /** Whether the next byte is the first of a frame. */
  boolean isBetweenFrames() {
    return rest == 0 && begun == 0;
  }

  /**
   * Goes on to the end of a payload, to the end of a header, or to the end of the bytes, whichever
   * comes first.
   *
   * @param from where to go on
   * @param end the end of the bytes
   * @return where it is now; {@link #found} says whether a header ends there
   */
  int next(ByteBuf bytes, int from, int end) {
    found = false;
    if (rest > 0) {
      int skipped = Math.min(rest, end - from);
      rest -= skipped;
      return from + skipped;
    }
    int index = from;
    if (begun == 0 && end - index >= HEADER_BYTES) {
      lengthAndType = bytes.getInt(index);
      flags = bytes.getUnsignedByte(index + Integer.BYTES);
      found = true;
      index += HEADER_BYTES;
    } else {
      while (index < end && !found) {
        take(bytes.getUnsignedByte(index));
        index++;
      }
    }
    if (found) {
      begun = 0;
      rest = length();
    }
    return index;
  }

  /** One byte of a header that several reads bring. */
  private void take(int value) {
    if (begun < Integer.BYTES) {
      lengthAndType = lengthAndType << Byte.SIZE | value;
    } else if (begun == Integer.BYTES) {
      flags = value;
    }
    begun++;
    found = begun == HEADER_BYTES;
  }

  /** Whether {@link #next} ended behind a header, which is the one that the rest tells of. */
  boolean found() {
    return found;
  }

  int type() {
    return lengthAndType & 0xff;
  }

  /** Bytes of the payload. */
  int length() {
    return lengthAndType >>> Byte.SIZE;
  }

  boolean has(int flag) {
    return (flags & flag) != 0;
  }
}
