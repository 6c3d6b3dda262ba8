package dev.pagetide.client.cli;

import picocli.CommandLine.IVersionProvider;

/** The version that the jar's manifest tells; the build writes the project's own there. */
final class PackageVersion implements IVersionProvider {

  @Override
  public String[] getVersion() {
    String version = PackageVersion.class.getPackage().getImplementationVersion();
    return new String[] {"pagetide " + (version == null ? "(not packaged)" : version)};
  }
}
