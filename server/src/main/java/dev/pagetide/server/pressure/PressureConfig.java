package dev.pagetide.server.pressure;

import dev.pagetide.server.host.CgroupMemory;
import java.nio.file.Path;

/**
 * Where to read the host's memory pressure, and how much memory to keep free.
 *
 * @param root where {@code proc} and {@code sys} are mounted: {@code /}, except in a test
 * @param groups this process's control groups; they must stay open as long as the monitor runs
 * @param reserveBytes bytes to keep free below a group's limit, and of the machine's available
 *     memory: {@code --memory-reserve}
 * @param pageSize bytes in a page
 * @param dryRun whether to only report what would be taken
 */
public record PressureConfig(
    Path root, CgroupMemory groups, long reserveBytes, int pageSize, boolean dryRun) {}
