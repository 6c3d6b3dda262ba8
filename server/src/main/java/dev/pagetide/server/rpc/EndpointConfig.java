package dev.pagetide.server.rpc;

import dev.pagetide.server.transaction.TransactionConfig;
import java.nio.file.Path;

/**
 * What an endpoint serves by.
 *
 * @param requests what requests may cost
 * @param transactions what transactions may cost, and who may transact to whom
 * @param ownUid the server's own user, who may ask for ShrinkerService beside root
 * @param serverInstance this run of the server
 * @param handoffSocket where sessions on the Unix socket fetch their file
 */
public record EndpointConfig(
    RequestConfig requests,
    TransactionConfig transactions,
    int ownUid,
    long serverInstance,
    Path handoffSocket) {}
