package dev.pagetide.server.directory;

import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Path;

/** A process that opens a directory, binds its gRPC socket, says so, and lives until killed. */
public final class LockHolder {
  private LockHolder() {}

  public static void main(String[] args) throws Exception {
    ServerDirectory directory = ServerDirectory.open(Path.of(args[0]), 0600, null);
    try (ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      listener.bind(UnixDomainSocketAddress.of(directory.grpcSocket()));
      System.out.println("held");
      int _ = System.in.read();
    }
  }
}
