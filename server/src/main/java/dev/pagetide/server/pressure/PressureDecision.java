package dev.pagetide.server.pressure;

import dev.pagetide.server.budget.ReclaimTrigger;

/**
 * What one reading of a source asks for.
 *
 * @param trigger the reason for the reclaim
 * @param level the source's level of pressure now; not NONE
 * @param pages how many pages to reclaim; at least 1
 */
record PressureDecision(ReclaimTrigger trigger, PressureLevel level, long pages) {}
