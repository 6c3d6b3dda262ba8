package dev.pagetide.client.launch;

import java.util.List;

/**
 * What a launcher starts here: tells its arguments on standard output, and the command line of its
 * JVM on standard error. Ends with 3, or with 0 if its first argument is --help or --version.
 */
final class StandIn {
  private StandIn() {}

  @SuppressWarnings("SystemOut") // standard output is what the tests compare
  public static void main(String[] args) {
    System.out.println("arguments " + String.join("|", args));
    System.err.println(
        "started by " + String.join(" ", ProcessHandle.current().info().arguments().orElseThrow()));
    boolean succeeds = args.length > 0 && List.of("--help", "--version").contains(args[0]);
    System.exit(succeeds ? 0 : 3);
  }
}
