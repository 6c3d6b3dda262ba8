package dev.pagetide.client;

/** How a session came to the server. */
public enum Transport {
  /** The Unix socket: the kernel vouches for uid and pid. */
  UNIX,

  /** TCP: nothing vouches for the caller. */
  TCP,

  /** Something that a newer server knows and this client does not. */
  UNRECOGNIZED
}
