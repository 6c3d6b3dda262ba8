package example;

import dev.pagetide.client.OpenOptions;
import dev.pagetide.client.PageRange;
import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.UsedPages;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Opens a range, uses pages, fills them, stops, and finds its bytes again, unless the server has
 * taken the pages meanwhile: then it fills them again.
 */
final class FirstProgram {
  private static final byte[] BYTES = "hello, pages".getBytes(StandardCharsets.UTF_8);

  public static void main(String[] args) {
    boolean elsewhere = args.length > 0 && !args[0].isEmpty();
    try (PagetideClient client =
            elsewhere ? PagetideClient.connect(Path.of(args[0])) : PagetideClient.connect();
        PageRange range = client.open(new OpenOptions("first-program", 64 << 10))) {
      System.out.println("opened " + range.pageCount() + " pages, " + range.access());
      useOnce(range);
      useOnce(range);
    }
  }

  private static void useOnce(PageRange range) {
    try (UsedPages pages = range.use(0, 4)) {
      System.out.println("fresh: " + pages.fresh());
      if (!pages.fresh().isEmpty()) { // zeros: new, or taken back by the server
        pages.write(0, BYTES);
        pages.filled();
      }
      byte[] read = pages.read(0, BYTES.length);
      System.out.println("read: " + new String(read, StandardCharsets.UTF_8));
    }
  }

  private FirstProgram() {}
}
