package dev.pagetide.server.rpc;

import java.io.ByteArrayOutputStream;

/** The bytes of one HTTP/2 client, frame by frame. */
final class Frames {
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private byte next;

  /** As many bytes as the preface has. */
  Frames preface() {
    payload(FrameScanner.PREFACE_BYTES);
    return this;
  }

  /** A frame whose payload differs from every other one's nearby. */
  Frames add(int type, int flags, int length) {
    bytes.write(length >> 16);
    bytes.write(length >> 8);
    bytes.write(length);
    bytes.write(type);
    bytes.write(flags);
    payload(Integer.BYTES); // the stream's number, which does not matter here
    payload(length);
    return this;
  }

  Frames add(int count, int type, int flags, int length) {
    for (int i = 0; i < count; i++) {
      add(type, flags, length);
    }
    return this;
  }

  private void payload(int length) {
    for (int i = 0; i < length; i++) {
      bytes.write(next++);
    }
  }

  byte[] bytes() {
    return bytes.toByteArray();
  }
}
