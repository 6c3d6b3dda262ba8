package dev.pagetide.client;

import dev.pagetide.v1.TransactionSender;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * The sender of a transaction, as the server and the kernel know it.
 *
 * @param name its session's name, which it chose itself; may be empty
 * @param uid its user, as the kernel says; empty over TCP
 * @param pid its process, as the kernel says; empty if the kernel does not say
 */
public record SenderIdentity(String name, OptionalLong uid, OptionalInt pid) {

  static SenderIdentity of(TransactionSender wire) {
    return new SenderIdentity(
        wire.getName(),
        wire.hasUid()
            ? OptionalLong.of(Integer.toUnsignedLong(wire.getUid()))
            : OptionalLong.empty(),
        wire.hasPid()
            ? OptionalInt.of(WireNumbers.count("pid", wire.getPid()))
            : OptionalInt.empty());
  }
}
