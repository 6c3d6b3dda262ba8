package dev.pagetide.server.rpc;

import dev.pagetide.server.transaction.TransactionConfig;
import java.nio.file.Path;

/**
 * The settings of a {@link GrpcEndpoint}.
 *
 * @param requests the limits of requests
 * @param connections the limits of connections
 * @param transactions the limits of transactions, and which users may transact to which
 * @param ownUid the server's own user, which may call ShrinkerService, as root may
 * @param serverInstance this run of the server
 * @param handoffSocket the socket at which sessions on the Unix socket fetch their file
 */
public record EndpointConfig(
    RequestConfig requests,
    ConnectionConfig connections,
    TransactionConfig transactions,
    int ownUid,
    long serverInstance,
    Path handoffSocket) {}
