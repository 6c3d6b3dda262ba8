package dev.pagetide.server.pressure;

import dev.pagetide.server.budget.ReclaimTrigger;

/**
 * What one reading of a source asks for.
 *
 * @param trigger what was read
 * @param level how hard that source presses by now; not NONE
 * @param pages how many pages are to be taken back; at least 1
 */
record PressureDecision(ReclaimTrigger trigger, PressureLevel level, long pages) {}
