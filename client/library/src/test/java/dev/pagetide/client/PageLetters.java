package dev.pagetide.client;

/** A range drawn with one letter a page: {@code .} FREE, {@code a} AVAILABLE, {@code U} USED. */
final class PageLetters {
  private PageLetters() {}

  /** All pages of {@code range}, as they are now. */
  static String of(PageRange range) {
    StringBuilder letters = new StringBuilder();
    for (PageRun run : range.describe().runs()) {
      char letter =
          switch (run.state()) {
            case FREE -> '.';
            case AVAILABLE -> 'a';
            case USED -> 'U';
          };
      letters.repeat(letter, run.pages().pageCount());
    }
    return letters.toString();
  }
}
