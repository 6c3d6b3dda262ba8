/**
 * The number of pages that may be resident, the budgets to which they are charged, and what happens
 * to a request for more: it is charged, pages of others are reclaimed for it, it waits, or it is
 * refused. Start reading at {@link dev.pagetide.server.budget.Reservations}.
 *
 * <p>Knows no range: a {@link dev.pagetide.server.budget.Reclaimer} takes pages back. The budget
 * answers with values, an {@link dev.pagetide.server.budget.Answer} or a {@link
 * dev.pagetide.server.budget.Answer.Denial}, and notifies a {@link
 * dev.pagetide.server.budget.BudgetObserver}.
 */
@NullMarked
package dev.pagetide.server.budget;

import org.jspecify.annotations.NullMarked;
