package dev.pagetide.server.budget;

/**
 * What all parts of one server's budget need to know.
 *
 * @param server the whole server's budget: the root
 * @param config when memory is taken ahead of need, and what is spared
 * @param clock what waits and refusals are timed by
 * @param observer hears of refusals and of waits that ended
 * @param pageSize bytes in a page, for messages
 */
public record BudgetContext(
    PageBudget server,
    ReclaimConfig config,
    PageClock clock,
    BudgetObserver observer,
    int pageSize) {}
