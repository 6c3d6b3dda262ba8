package dev.pagetide.server.handoff;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pagetide.server.handoff.HandoffRequest.State;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

/** What is one token and a newline, however it comes in pieces. */
final class HandoffRequestTest {
  private final HandoffRequest request = new HandoffRequest();

  private State add(String bytes) {
    ByteBuf in = Unpooled.wrappedBuffer(bytes.getBytes(StandardCharsets.ISO_8859_1));
    State state = request.add(in);
    in.release();
    return state;
  }

  @Test
  void add_tokenInPieces_isCompleteWithItsEnd() {
    assertThat(add("")).isEqualTo(State.INCOMPLETE);
    assertThat(add("a")).isEqualTo(State.INCOMPLETE);
    assertThat(add("-_Z9")).isEqualTo(State.INCOMPLETE);
    assertThat(add("\n")).isEqualTo(State.COMPLETE);
    assertThat(request.token()).isEqualTo("a-_Z9");
  }

  @Test
  void add_64BytesAndTheEnd_isTheLongest() {
    assertThat(add("a".repeat(64))).isEqualTo(State.INCOMPLETE);
    assertThat(add("\n")).isEqualTo(State.COMPLETE);
    assertThat(request.token()).isEqualTo("a".repeat(64));
  }

  @Test
  void add_65Bytes_isMalformedAtOnce() {
    assertThat(add("a".repeat(64))).isEqualTo(State.INCOMPLETE);
    assertThat(add("a")).isEqualTo(State.MALFORMED);
    assertThat(add("\n")).as("whatever comes then").isEqualTo(State.MALFORMED);
  }

  @Test
  void add_bytesAfterTheEnd_isMalformed() {
    assertThat(add("a\n")).isEqualTo(State.COMPLETE);
    assertThat(add("")).isEqualTo(State.COMPLETE);
    assertThat(add("\n")).isEqualTo(State.MALFORMED);
  }

  @Test
  void add_onlyTheEnd_isMalformed() {
    assertThat(add("\n")).isEqualTo(State.MALFORMED);
  }

  @Test
  void add_anyByteThatIsNotGraphicAscii_isMalformed() {
    for (int value = 0; value < 256; value++) {
      String character = String.valueOf((char) value);
      ByteBuf in = Unpooled.wrappedBuffer(new byte[] {'a', (byte) value});
      State expected =
          value == '\n'
              ? State.COMPLETE
              : value > ' ' && value < 127 ? State.INCOMPLETE : State.MALFORMED;
      assertThat(new HandoffRequest().add(in)).as("byte " + value + character).isEqualTo(expected);
      in.release();
    }
  }
}
