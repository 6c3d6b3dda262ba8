/**
 * How many pages may be resident, who holds them, and what becomes of a request for more: it is
 * charged, or others' pages are reclaimed for it, or it waits, or it is refused. Start reading at
 * {@link dev.pagetide.server.budget.Reservations}.
 *
 * <p>Knows no range: pages are taken back by a {@link dev.pagetide.server.budget.Reclaimer}. It
 * answers with values, an {@link dev.pagetide.server.budget.Answer} or a {@link
 * dev.pagetide.server.budget.Answer.Denial}, and tells a {@link
 * dev.pagetide.server.budget.BudgetObserver}.
 */
@NullMarked
package dev.pagetide.server.budget;

import org.jspecify.annotations.NullMarked;
