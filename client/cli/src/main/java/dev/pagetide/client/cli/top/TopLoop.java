package dev.pagetide.client.cli.top;

import dev.pagetide.client.cli.CommandIo;
import java.io.IOException;
import java.time.Duration;
import java.time.ZoneId;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jline.terminal.Size;
import org.jspecify.annotations.Nullable;

/**
 * {@code pagetide top} on a terminal: asks the server once an interval, draws its answers, and
 * carries out what the keys ask for, until a key ends it.
 */
/*
 * Three threads: this one owns state and view, and draws; one reads keys; one asks the server, one
 * question at a time, so that keys work while the server does not answer. Those two send events to
 * this one through a queue, and so do the handlers of the terminal's signals.
 */
final class TopLoop {
  private final TopSource source;
  private final long intervalNanos;
  private final Function<RuntimeException, String> sentence;
  private final BlockingQueue<Event> events = new LinkedBlockingQueue<>();

  private TopState state = TopState.NOTHING;
  private TopView view;
  private boolean asking;
  private boolean quit;
  private int shownRows;

  /**
   * A loop that begins with a view.
   *
   * @param sentence explains, for people, why the server did not answer
   */
  TopLoop(
      TopSource source,
      Duration interval,
      TopView view,
      Function<RuntimeException, String> sentence) {
    this.source = source;
    this.intervalNanos = TopCommand.nanos(interval);
    this.view = view;
    this.sentence = sentence;
  }

  private sealed interface Event {}

  /** A key was pressed. */
  private record Pressed(Key key) implements Event {}

  /** The size of the screen has changed. */
  private record Resized() implements Event {}

  /** The server has answered, or a sentence says why it has not. */
  private record Asked(@Nullable TopSnapshot snapshot, @Nullable String trouble) implements Event {}

  /** Runs until a key ends it. */
  void run(CommandIo io, boolean colour, String server) throws IOException {
    try (TopScreen screen =
        TopScreen.open(
            io.out(), () -> events.add(new Resized()), () -> events.add(new Pressed(Key.QUIT)))) {
      TopRenderer renderer =
          new TopRenderer(
              new TopStyle(colour, !screen.isUnicode()), server, ZoneId.systemDefault());
      Key.Input keys = screen.keys();
      Thread.ofPlatform().daemon().name("keys").start(() -> readKeys(keys));
      long due = System.nanoTime();
      while (!quit) {
        long now = System.nanoTime();
        if (now - due >= 0 && !asking) {
          ask();
          due = now + intervalNanos;
        }
        draw(screen, renderer, now);
        // While a question is out, its answer wakes this thread. Besides, the time without an
        // answer is shown.
        await(Math.max(due - System.nanoTime(), asking ? intervalNanos : 0));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void draw(TopScreen screen, TopRenderer renderer, long now) {
    Size size = screen.size();
    screen.show(
        renderer.screen(state, view, size.getColumns(), size.getRows(), now), size.getColumns());
    shownRows = TopRenderer.bodyRows(size.getRows());
  }

  /** Waits for an event, and handles all that have come. */
  private void await(long nanos) throws InterruptedException {
    Event event = events.poll(nanos, TimeUnit.NANOSECONDS);
    while (event != null) {
      switch (event) {
        case Pressed pressed -> press(pressed.key());
        case Resized _ -> {} // the screen is drawn again anyway
        case Asked asked -> {
          asking = false;
          TopSnapshot snapshot = asked.snapshot();
          state =
              snapshot == null
                  ? state.failed(String.valueOf(asked.trouble()), System.nanoTime())
                  : state.answered(snapshot);
        }
      }
      event = events.poll();
    }
  }

  private void press(Key key) {
    TopSnapshot last = state.last();
    int rows = last == null ? 0 : last.ranges().size();
    int page = Math.max(1, shownRows - 1);
    switch (key) {
      case SORT_BEFORE -> view = view.sortedBy(view.sort().next(-1));
      case SORT_AFTER -> view = view.sortedBy(view.sort().next(1));
      case REVERSE -> view = view.turned();
      case UP -> view = view.scrolled(-1, rows, shownRows);
      case DOWN -> view = view.scrolled(1, rows, shownRows);
      case PAGE_UP -> view = view.scrolled(-page, rows, shownRows);
      case PAGE_DOWN -> view = view.scrolled(page, rows, shownRows);
      case FIRST -> view = view.scrolled(-rows, rows, shownRows);
      case LAST -> view = view.scrolled(rows, rows, shownRows);
      case HELP -> view = view.withHelp(!view.help());
      case QUIT -> quit = true;
      case REDRAW, OTHER -> {}
    }
  }

  private void ask() {
    asking = true;
    Thread.ofPlatform()
        .daemon()
        .name("ask")
        .start(() -> {
          Asked asked;
          try {
            asked = new Asked(source.ask(), null);
          } catch (RuntimeException e) {
            asked = new Asked(null, sentence.apply(e));
          }
          events.add(asked);
        });
  }

  private void readKeys(Key.Input keys) {
    try {
      Key key;
      do {
        key = Key.read(keys);
        events.add(new Pressed(key));
      } while (key != Key.QUIT);
    } catch (IOException e) {
      events.add(new Pressed(Key.QUIT)); // the terminal is gone
    }
  }
}
