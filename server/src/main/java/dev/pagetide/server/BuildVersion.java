package dev.pagetide.server;

/** The only class that knows which version of the server this is. */
final class BuildVersion {
  private static final String UNPACKAGED = "(not packaged)";

  private BuildVersion() {}

  /** The version in the jar's manifest; a word in parentheses if there is no jar. */
  static String text() {
    String version = BuildVersion.class.getPackage().getImplementationVersion();
    return version == null ? UNPACKAGED : version;
  }
}
