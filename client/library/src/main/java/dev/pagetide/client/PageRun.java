package dev.pagetide.client;

import dev.pagetide.shm.PageState;

/**
 * Adjacent pages in the same state.
 *
 * @param state the state of each of them
 * @param pages which they are; at least one
 */
public record PageRun(PageState state, PageInterval pages) {}
