package dev.pagetide.server.budget;

/**
 * What all parts of one server's budget share.
 *
 * @param server the whole server's budget: the root
 * @param config when memory is reclaimed ahead of need, and which pages are spared
 * @param clock times the waits
 * @param observer is notified of refusals, and of waits that ended
 * @param pageSize bytes in a page, for messages
 */
public record BudgetContext(
    PageBudget server,
    ReclaimConfig config,
    PageClock clock,
    BudgetObserver observer,
    int pageSize) {}
