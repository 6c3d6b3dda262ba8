package dev.pagetide.server.page;

/**
 * What all ranges of one server have in common.
 *
 * @param files where their files come from
 * @param maxRangeBytes the most bytes granted to one range
 * @param serverInstance this run of the server, for the files' headers
 */
public record RangeTerms(PageFileMaker files, long maxRangeBytes, long serverInstance) {}
