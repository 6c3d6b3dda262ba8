package dev.pagetide.client.cli.top;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What terminals send, and what it asks for. */
final class KeyTest {
  /** Sends a text and then nothing more. */
  private static final class Typed implements Key.Input {
    private final String text;
    private int at;

    Typed(String text) {
      this.text = text;
    }

    @Override
    public int next() {
      return at < text.length() ? text.charAt(at++) : -1;
    }

    @Override
    public int nextOfSequence() {
      return next();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "<,SORT_BEFORE",
    ">,SORT_AFTER",
    "r,REVERSE",
    "h,HELP",
    "?,HELP",
    "q,QUIT",
    "x,OTHER",
    "ESC[A,UP",
    "ESCOA,UP",
    "ESC[B,DOWN",
    "ESC[5~,PAGE_UP",
    "ESC[6~,PAGE_DOWN",
    "ESC[H,FIRST",
    "ESC[4~,LAST",
    "ESC[1;5A,UP",
    "ESC[99~,OTHER",
    "ESC,OTHER",
    "ESC[,OTHER",
    "ESCx,OTHER"
  })
  void read_oneKey_isThatAndTakesAllOfIt(String typed, Key key) throws IOException {
    Typed input = new Typed(typed.replace("ESC", "\u001b"));

    assertThat(Key.read(input)).isEqualTo(key);
    assertThat(input.next()).isNegative();
  }

  @Test
  void read_endOfInput_isQuit() throws IOException {
    assertThat(Key.read(new Typed(""))).isEqualTo(Key.QUIT);
    assertThat(Key.read(new Typed("\u0003"))).isEqualTo(Key.QUIT);
  }

  @Test
  void read_sequenceWithoutEnd_isGivenUp() throws IOException {
    assertThat(Key.read(new Typed("\u001b[" + "1".repeat(100)))).isEqualTo(Key.OTHER);
  }
}
