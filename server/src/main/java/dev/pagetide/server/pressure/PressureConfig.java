package dev.pagetide.server.pressure;

import dev.pagetide.server.host.CgroupMemory;
import java.nio.file.Path;

/**
 * Where the host's pressure is looked for, and what is kept free of it.
 *
 * @param root where {@code proc} and {@code sys} are mounted: {@code /}, but for a test
 * @param groups this process's control groups; they stay open as long as they are looked at
 * @param reserveBytes what is kept free below a group's limit, and of the machine's available
 *     memory: {@code --memory-reserve}
 * @param pageSize bytes in a page
 * @param dryRun whether it is only told what would be taken
 */
public record PressureConfig(
    Path root, CgroupMemory groups, long reserveBytes, int pageSize, boolean dryRun) {}
