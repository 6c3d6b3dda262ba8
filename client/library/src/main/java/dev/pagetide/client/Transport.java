package dev.pagetide.client;

/** How a session came to the server. */
public enum Transport {
  /** The Unix socket: the kernel vouches for uid and pid. */
  UNIX,

  /** TCP: nobody vouches for anything. */
  TCP,

  /** Something that a newer server knows and this client does not. */
  UNRECOGNIZED
}
