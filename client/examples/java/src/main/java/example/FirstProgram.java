package example;

import dev.pagetide.client.OpenOptions;
import dev.pagetide.client.PageRange;
import dev.pagetide.client.PagetideClient;
import dev.pagetide.client.UsedPages;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;

/** Opens a range, uses pages, writes, reads, stops, and finds its bytes again. */
final class FirstProgram {
  public static void main(String[] args) {
    byte[] bytes = "hello, pages".getBytes(StandardCharsets.UTF_8);
    boolean elsewhere = args.length > 0 && !args[0].isEmpty();
    try (PagetideClient client =
            elsewhere ? PagetideClient.connect(Path.of(args[0])) : PagetideClient.connect();
        PageRange range = client.open(new OpenOptions("first-program", 64 << 10))) {
      System.out.println("opened " + range.pageCount() + " pages, " + range.access());
      try (UsedPages pages = range.use(0, 4)) {
        System.out.println("fresh: " + pages.fresh());
        pages.write(0, bytes);
      }
      try (UsedPages pages = range.use(0, 4)) {
        boolean kept = pages.fresh().isEmpty();
        byte[] read = pages.read(0, bytes.length);
        if (kept && !Arrays.equals(read, bytes)) {
          throw new IllegalStateException("other bytes: " + Arrays.toString(read));
        }
        System.out.println(
            kept ? "read: " + new String(read, StandardCharsets.UTF_8) : "reclaimed meanwhile");
      }
    }
  }

  private FirstProgram() {}
}
