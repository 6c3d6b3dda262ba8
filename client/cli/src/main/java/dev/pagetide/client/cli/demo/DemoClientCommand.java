package dev.pagetide.client.cli.demo;

import dev.pagetide.client.OpenOptions;
import dev.pagetide.client.PageInterval;
import dev.pagetide.client.PageRange;
import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.cli.PageMap;
import dev.pagetide.client.cli.Pagetide;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ParentCommand;

/**
 * One of the demo's clients, in its own process. It holds one range, carries out each line of
 * standard input, and answers each with one line, {@code ok ...} or {@code error ...}. It ends at
 * the end of its input.
 */
@Command(name = DemoClientCommand.NAME, hidden = true, description = "Used by 'pagetide demo'.")
public final class DemoClientCommand implements Callable<Integer> {

  static final String NAME = "demo-client";

  private static final long USUAL_PAGE_BYTES = 4096;

  /**
   * Reading the clock takes as long as one pair by mapping. So this many pairs share two readings.
   */
  private static final int MAPPED_BATCH = 10_000;

  private static final int MAPPED_SAMPLES = 101;
  private static final int RPC_SAMPLES = 1001;
  private static final Duration MAPPED_WARM_UP = Duration.ofMillis(500);
  private static final Duration RPC_WARM_UP = Duration.ofSeconds(2);

  @ParentCommand
  @SuppressWarnings("NullAway.Init") // picocli sets it
  private Pagetide pagetide;

  @Override
  public Integer call() throws IOException {
    BufferedReader orders =
        new BufferedReader(new InputStreamReader(pagetide.io().in(), StandardCharsets.UTF_8));
    String first = orders.readLine();
    if (first == null) {
      return 0;
    }
    List<String> open = List.of(first.split(" ", -1)); // the first line: open NAME PAGES
    try (PagetideClient client = pagetide.connect();
        PageRange range = open(client, open.get(1), Integer.parseInt(open.get(2)));
        DemoEndpoint endpoint = new DemoEndpoint(client)) {
      say(
          "ok "
              + range.rangeId()
              + " "
              + range.pageCount()
              + " "
              + range.pageSize()
              + " "
              + range.access());
      for (String line = orders.readLine(); line != null; line = orders.readLine()) {
        say(answer(client, range, endpoint, List.of(line.split(" ", -1))));
      }
    }
    return 0;
  }

  private static PageRange open(PagetideClient client, String name, int pages) {
    PageRange range = client.open(OpenOptions.atMost(name, pages * USUAL_PAGE_BYTES));
    if (range.pageCount() == pages) {
      return range;
    }
    int pageSize = range.pageSize(); // not the usual page size on this machine
    range.close();
    return client.open(new OpenOptions(name + "-again", pages * (long) pageSize));
  }

  private void say(String line) {
    pagetide.io().out().println(line);
    pagetide.io().out().flush();
  }

  private static String answer(
      PagetideClient client, PageRange range, DemoEndpoint endpoint, List<String> order) {
    try {
      return "ok "
          + switch (order.getFirst()) {
            case "pair" -> pair(client, range, order);
            case "receive" -> endpoint.receive(order);
            case "hand" -> endpoint.hand(order);
            case "receive-relayed" -> endpoint.receiveRelayed(order);
            case "hand-relayed" -> endpoint.handRelayed(order);
            case "copy" -> DemoEndpoint.copy(order);
            case "leave" -> endpoint.leave();
            default -> obey(range, order);
          };
    } catch (RuntimeException e) {
      return "error " + e.getMessage();
    }
  }

  private static String obey(PageRange range, List<String> order) {
    return switch (order.getFirst()) {
      case "use" -> range.useRange(List.of(pages(order))).toString();
      case "stop" -> {
        range.stopUsingRange(List.of(pages(order)));
        yield order.get(1);
      }
      case "fill" -> fill(range, pages(order), Integer.parseInt(order.get(3)));
      case "check" -> check(range, pages(order), Integer.parseInt(order.get(3)));
      case "zeros" -> zeros(range, pages(order));
      case "map" -> PageMap.draw(range.describe());
      case "drain" -> {
        var notice = range.draining().toCompletableFuture().join();
        range.close();
        yield "the server stops in " + notice.grace().toMillis() + " ms at the latest";
      }
      default -> throw new DemoFailure("unknown order " + order);
    };
  }

  /**
   * {@code pair mapped|rpc PAGE}: uses and stops one page again and again, through the mapping or
   * by asking the server. Answers how many nanoseconds one pair takes.
   */
  private static String pair(PagetideClient client, PageRange own, List<String> order) {
    boolean asks = order.get(1).equals("rpc");
    PageRange range = asks ? client.attach(own.ticket()) : own;
    int page = Integer.parseInt(order.get(2));
    int pairs = asks ? 1 : MAPPED_BATCH;
    long nanos =
        WarmTiming.medianNanos(
            asks ? RPC_WARM_UP : MAPPED_WARM_UP,
            asks ? RPC_SAMPLES : MAPPED_SAMPLES,
            () -> {
              for (int i = 0; i < pairs; i++) {
                range.stopUsingRange(page, page + 1);
                range.useRange(page, page + 1);
              }
            });
    return Double.toString(nanos / (double) pairs);
  }

  /** The pages of an order: its second word and its third. */
  private static PageInterval pages(List<String> order) {
    return new PageInterval(Integer.parseInt(order.get(1)), Integer.parseInt(order.get(2)));
  }

  private static String fill(PageRange range, PageInterval pages, int seed) {
    for (int page = pages.startPage(); page < pages.endPage(); page++) {
      range.write(offset(range, page), Pattern.page(seed, page, range.pageSize()));
    }
    return bytes(range, pages);
  }

  private static String check(PageRange range, PageInterval pages, int seed) {
    for (int page = pages.startPage(); page < pages.endPage(); page++) {
      byte[] expected = Pattern.page(seed, page, range.pageSize());
      expect(page, range.read(offset(range, page), range.pageSize()), expected);
    }
    return bytes(range, pages);
  }

  private static String zeros(PageRange range, PageInterval pages) {
    for (int page = pages.startPage(); page < pages.endPage(); page++) {
      byte[] bytes = range.read(offset(range, page), range.pageSize());
      expect(page, bytes, new byte[range.pageSize()]);
    }
    return bytes(range, pages);
  }

  private static void expect(int page, byte[] actual, byte[] expected) {
    int different = Arrays.mismatch(actual, expected);
    if (different >= 0) {
      throw new DemoFailure(
          "byte "
              + different
              + " of page "
              + page
              + " is "
              + actual[different]
              + ", not "
              + expected[different]);
    }
  }

  private static long offset(PageRange range, int page) {
    return (long) page * range.pageSize();
  }

  private static String bytes(PageRange range, PageInterval pages) {
    return Long.toString((long) pages.pageCount() * range.pageSize());
  }
}
