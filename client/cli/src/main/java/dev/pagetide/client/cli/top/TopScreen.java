package dev.pagetide.client.cli.top;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.jline.terminal.Attributes;
import org.jline.terminal.Size;
import org.jline.terminal.Terminal;
import org.jline.terminal.TerminalBuilder;
import org.jline.utils.AttributedString;
import org.jline.utils.NonBlockingReader;
import org.jline.utils.ShutdownHooks;

/**
 * The terminal while {@code pagetide top} uses it: its alternate screen, without a cursor, without
 * echo, without lines that wrap. {@link #close} restores its former state, even while the process
 * is ending.
 *
 * <p>Thread-safe.
 */
/*
 * Every line is drawn over the one before, and the rest of the line is cleared, all in one write.
 * So nothing flickers, and text that other processes have written on the screen is gone with the
 * next refresh. Lines cannot wrap. So if a terminal takes a character to be wider than we do, at
 * most one line is wrong.
 */
final class TopScreen implements AutoCloseable {
  private static final String CSI = "\u001b[";
  private static final String ENTER = CSI + "?1049h" + CSI + "?25l" + CSI + "?7l" + CSI + "2J";
  private static final String LEAVE = CSI + "0m" + CSI + "?7h" + CSI + "?25h" + CSI + "?1049l";
  private static final String BEGIN_FRAME = CSI + "?2026h" + CSI + "H";
  private static final String END_FRAME = CSI + "?2026l";
  private static final String REST_OF_LINE = CSI + "0m" + CSI + "K";
  private static final int SEQUENCE_MILLIS = 50;
  private static final int USUAL_COLUMNS = 80;
  private static final int USUAL_ROWS = 24;

  /** LOCKS: a read without a limit holds a lock that closing the terminal needs. */
  private static final int WAKE_MILLIS = 500;

  private final Terminal terminal;
  private final PrintStream out;
  private final Attributes before;
  private final Thread restore = Thread.ofPlatform().unstarted(this::leave);

  @GuardedBy("this")
  private boolean left;

  private TopScreen(Terminal terminal, PrintStream out) {
    this.terminal = terminal;
    this.out = out;
    this.before = terminal.enterRawMode();
  }

  /** The terminal of standard input and output. */
  static Terminal terminal() throws IOException {
    // Otherwise the library's own hook would close it while we may still draw on it. Our hook
    // restores it.
    System.setProperty(ShutdownHooks.PROP_DISABLE_SHUTDOWN_HOOK, "true");
    return TerminalBuilder.builder().system(true).provider("ffm").dumb(false).build();
  }

  /**
   * Takes over the terminal.
   *
   * @param out writes to it
   * @param resized runs when its size has changed
   * @param interrupted runs on Ctrl-C
   */
  static TopScreen open(PrintStream out, Runnable resized, Runnable interrupted)
      throws IOException {
    Terminal terminal = terminal();
    TopScreen screen = new TopScreen(terminal, out);
    Runtime.getRuntime().addShutdownHook(screen.restore);
    var _ = terminal.handle(Terminal.Signal.WINCH, _ -> resized.run());
    var _ = terminal.handle(Terminal.Signal.INT, _ -> interrupted.run());
    // A process that is stopped would leave the terminal as it is now.
    var _ = terminal.handle(Terminal.Signal.TSTP, Terminal.SignalHandler.SIG_IGN);
    screen.write(ENTER);
    return screen;
  }

  /** Whether it can show more than ASCII. */
  boolean isUnicode() {
    return terminal.encoding().equals(StandardCharsets.UTF_8);
  }

  /** Its size now. */
  Size size() {
    return usable(terminal.getSize());
  }

  /**
   * The size to use. A serial line, or a terminal without a size, reports 0; then 80 by 24 is
   * usual.
   */
  static Size usable(Size told) {
    return Size.of(
        told.getColumns() > 0 ? told.getColumns() : USUAL_COLUMNS,
        told.getRows() > 0 ? told.getRows() : USUAL_ROWS);
  }

  /** The keys as they come. */
  Key.Input keys() {
    NonBlockingReader reader = terminal.reader();
    return new Key.Input() {
      @Override
      public int next() throws IOException {
        int c;
        do {
          c = reader.read(WAKE_MILLIS);
        } while (c == NonBlockingReader.READ_EXPIRED);
        return c;
      }

      @Override
      public int nextOfSequence() throws IOException {
        return reader.read(SEQUENCE_MILLIS);
      }
    };
  }

  /**
   * Shows these lines.
   *
   * @param lines as many as there are rows, none wider than {@code width}
   */
  void show(List<AttributedString> lines, int width) {
    StringBuilder frame = new StringBuilder(BEGIN_FRAME);
    for (int line = 0; line < lines.size(); line++) {
      if (line > 0) {
        frame.append("\r\n");
      }
      AttributedString text = lines.get(line);
      frame.append(text.toAnsi(terminal));
      if (text.columnLength() < width) { // otherwise the cursor is still on the last character
        frame.append(REST_OF_LINE);
      }
    }
    write(frame.append(END_FRAME).toString());
  }

  private synchronized void write(String text) {
    if (!left) {
      out.print(text);
      out.flush();
    }
  }

  private synchronized void leave() {
    if (!left) {
      write(LEAVE);
      left = true;
      terminal.setAttributes(before);
    }
  }

  @Override
  public void close() throws IOException {
    leave();
    try {
      Runtime.getRuntime().removeShutdownHook(restore);
    } catch (IllegalStateException e) {
      return; // RACE: the process is ending, and the terminal with it
    }
    terminal.close();
  }
}
