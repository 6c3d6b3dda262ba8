package dev.pagetide.client.cli;

import picocli.CommandLine.IVersionProvider;

/** The version in the jar's manifest; the build writes the project's version there. */
final class PackageVersion implements IVersionProvider {

  @Override
  public String[] getVersion() {
    String version = PackageVersion.class.getPackage().getImplementationVersion();
    return new String[] {"pagetide " + (version == null ? "(not packaged)" : version)};
  }
}
