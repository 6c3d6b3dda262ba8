package dev.pagetide.server.host;

import java.io.IOException;

/** Reads numbers from texts of the kernel that have one name and one number in each line. */
public final class KernelText {
  private KernelText() {}

  /**
   * The number of a line {@code inactive_file 4096} or {@code MemAvailable: 4096 kB}.
   *
   * @throws IOException if there is no such line
   */
  public static long number(String text, String name) throws IOException {
    for (int at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
      int end = at + name.length();
      boolean wholeName =
          (at == 0 || text.charAt(at - 1) == '\n')
              && end < text.length()
              && (text.charAt(end) == ' ' || text.charAt(end) == ':');
      if (wholeName) {
        return digits(text, text.charAt(end) == ':' ? end + 1 : end);
      }
    }
    throw new IOException("no line " + name + " in '" + text.strip() + "'");
  }

  /**
   * The number after a word within a line: {@code total=} in {@code some avg10=0.00 total=17}.
   *
   * @throws IOException if no line starts so, or if that line does not have the word
   */
  public static long numberIn(String text, String lineStart, String word) throws IOException {
    for (String line : text.split("\n", -1)) {
      int at = line.indexOf(" " + word);
      if (line.startsWith(lineStart + " ") && at >= 0) {
        return digits(line, at + 1 + word.length());
      }
    }
    throw new IOException(
        "no line '" + lineStart + " ... " + word + "N' in '" + text.strip() + "'");
  }

  private static long digits(String text, int from) throws IOException {
    int start = from;
    while (start < text.length() && text.charAt(start) == ' ') {
      start++;
    }
    int end = start;
    while (end < text.length() && Character.isDigit(text.charAt(end))) {
      end++;
    }
    try {
      return Long.parseLong(text, start, end, 10);
    } catch (NumberFormatException e) {
      throw new IOException("no number at " + start + " of '" + text.strip() + "'", e);
    }
  }
}
