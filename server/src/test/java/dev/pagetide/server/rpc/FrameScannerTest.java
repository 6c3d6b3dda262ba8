package dev.pagetide.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The frames that are found in one client's bytes, wherever a read ends. */
final class FrameScannerTest {
  private static final List<String> FRAMES =
      List.of("4/0/0", "1/3/4", "0/300/0", "0/0/1", "6/8/0", "250/1/255", "8/4/0");

  private static byte[] stream() {
    Frames frames = new Frames().preface();
    for (String frame : FRAMES) {
      String[] parts = frame.split("/", -1);
      frames.add(
          Integer.parseInt(parts[0]), Integer.parseInt(parts[2]), Integer.parseInt(parts[1]));
    }
    return frames.bytes();
  }

  private static void scan(FrameScanner scanner, ByteBuf bytes, List<String> found) {
    int index = bytes.readerIndex();
    while (index < bytes.writerIndex()) {
      index = scanner.next(bytes, index, bytes.writerIndex());
      if (scanner.found()) {
        int flags = 0;
        for (int bit = 1; bit < 256; bit <<= 1) {
          flags |= scanner.has(bit) ? bit : 0;
        }
        found.add(scanner.type() + "/" + scanner.length() + "/" + flags);
      }
    }
  }

  @Test
  void next_bytesInTwoReads_findsTheSameFramesWhereverTheFirstEnds() {
    byte[] stream = stream();
    for (int split = 0; split <= stream.length; split++) {
      FrameScanner scanner = new FrameScanner();
      List<String> found = new ArrayList<>();

      scan(scanner, Unpooled.wrappedBuffer(stream, 0, split), found);
      scan(scanner, Unpooled.wrappedBuffer(stream, split, stream.length - split), found);

      assertThat(found).as("split at %d", split).isEqualTo(FRAMES);
      assertThat(scanner.isBetweenFrames()).isTrue();
    }
  }

  @Test
  void next_aReadForEachByte_findsTheSameFrames() {
    FrameScanner scanner = new FrameScanner();
    List<String> found = new ArrayList<>();

    for (byte one : stream()) {
      scan(scanner, Unpooled.wrappedBuffer(new byte[] {one}), found);
    }

    assertThat(found).isEqualTo(FRAMES);
    assertThat(scanner.isBetweenFrames()).isTrue();
  }
}
