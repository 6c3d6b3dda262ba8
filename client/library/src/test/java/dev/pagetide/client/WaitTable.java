package dev.pagetide.client;

import java.io.IOException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The table of the package's documentation, and the methods that the package has: by their names
 * ({@code PageRange.read}) and by their signatures ({@code PageRange.read(long,int)}).
 */
final class WaitTable {

  private static final Path SOURCE = Path.of("src/main/java/dev/pagetide/client/package-info.java");

  private static final Pattern CELL = Pattern.compile("<td>(.*?)(?=<td>|$)");
  private static final Pattern NAME = Pattern.compile("\\{@code (\\w+\\.\\w+)}");

  private WaitTable() {}

  /** What the table says of each method where answers are delivered, in the table's order. */
  static Map<String, String> rows() throws IOException {
    String text = Files.readString(SOURCE).replaceAll("\n \\*\\s*", " ");
    String table = text.substring(text.indexOf("<table>"), text.indexOf("</table>"));
    Map<String, String> rows = new LinkedHashMap<>();
    for (String row : table.split("<tr>", -1)) {
      List<String> cells = CELL.matcher(row).results().map(cell -> cell.group(1).strip()).toList();
      if (cells.size() != 4 || cells.contains("")) {
        if (row.contains("<td>")) {
          throw new AssertionError("a row of other than four cells: " + row);
        }
        continue;
      }
      Matcher names = NAME.matcher(cells.get(0));
      while (names.find()) {
        if (rows.put(names.group(1), cells.get(1)) != null) {
          throw new AssertionError(names.group(1) + " stands in two rows");
        }
      }
    }
    return rows;
  }

  /** The public methods of the package's public classes that are more than values. */
  static SortedSet<String> signatures() throws Exception {
    SortedSet<String> signatures = new TreeSet<>();
    for (Class<?> type : publicClasses()) {
      if (type.isRecord() || type.isEnum() || Throwable.class.isAssignableFrom(type)) {
        continue; // a value, which has nothing to wait for
      }
      for (Method method : type.getDeclaredMethods()) {
        if (Modifier.isPublic(method.getModifiers()) && !method.isSynthetic()) {
          signatures.add(signature(method));
        }
      }
    }
    return signatures;
  }

  private static List<Class<?>> publicClasses() throws Exception {
    Path root =
        Path.of(PagetideClient.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    List<Class<?>> classes = new ArrayList<>();
    try (Stream<Path> files = Files.list(root.resolve("dev/pagetide/client"))) {
      for (Path file : files.sorted().toList()) {
        String name = String.valueOf(file.getFileName());
        if (!name.endsWith(".class") || name.equals("package-info.class")) {
          continue;
        }
        Class<?> type =
            Class.forName(
                "dev.pagetide.client." + name.substring(0, name.length() - ".class".length()));
        if (isPublic(type)) {
          classes.add(type);
        }
      }
    }
    return classes;
  }

  private static boolean isPublic(Class<?> type) {
    Class<?> outer = type.getEnclosingClass();
    return Modifier.isPublic(type.getModifiers()) && (outer == null || isPublic(outer));
  }

  private static String signature(Method method) {
    return method.getDeclaringClass().getSimpleName()
        + "."
        + method.getName()
        + Arrays.stream(method.getParameterTypes())
            .map(Class::getSimpleName)
            .collect(Collectors.joining(",", "(", ")"));
  }

  /** The name of a signature's method. */
  static String name(String signature) {
    return signature.substring(0, signature.indexOf('('));
  }
}
