package dev.pagetide.client.handover;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * The process of what stands between two ends. Says {@code ready}; ends it when it is told {@code
 * end}, or when its standard input is closed, and says {@code ended}.
 */
final class Between {
  private Between() {}

  /**
   * Runs the process.
   *
   * @param args the way, and the directory
   */
  public static void main(String[] args) throws Exception {
    try (BufferedReader input =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        AutoCloseable _ = Way.valueOf(args[0]).make().between(Path.of(args[1]))) {
      System.out.println("ready");
      var _ = input.readLine();
    }
    System.out.println("ended");
    System.exit(0);
  }
}
