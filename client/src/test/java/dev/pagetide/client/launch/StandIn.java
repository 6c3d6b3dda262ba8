package dev.pagetide.client.launch;

/**
 * What a launcher starts here: tells its arguments on standard output, and the command line of its
 * JVM on standard error. Ends with 3, or with 0 if its first argument asks for help.
 */
final class StandIn {
  private StandIn() {}

  @SuppressWarnings("SystemOut") // standard output is what the tests compare
  public static void main(String[] args) {
    System.out.println("arguments " + String.join("|", args));
    System.err.println(
        "started by " + String.join(" ", ProcessHandle.current().info().arguments().orElseThrow()));
    boolean help = args.length > 0 && args[0].equals("--help");
    System.exit(help ? 0 : 3);
  }
}
