/** What the tests of all modules share: compiled by each of them as test source. */
@NullMarked
package dev.pagetide.testkit;

import org.jspecify.annotations.NullMarked;
