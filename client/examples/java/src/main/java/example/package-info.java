/** A first program that uses the client library, as a project of its own. */
package example;
