import com.google.googlejavaformat.java.Main;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Fails where a Java file is not as google-java-format writes it; with {@code --replace} rewrites
 * it. Arguments: folders to look through; one that does not exist is passed over.
 */
final class CheckFormat {
  private static final List<String> CHECK = List.of("--dry-run", "--set-exit-if-changed");

  /** The formatter's own output may change once more when it is formatted again. */
  private static final int MOST_ROUNDS = 5;

  public static void main(String[] args) throws Exception {
    List<String> files = javaFiles(args);
    if (files.isEmpty()) {
      return;
    }
    if (List.of(args).contains("--replace")) {
      int rounds = 0;
      do {
        int exit = format(List.of("--replace"), files, new PrintWriter(System.out, true));
        if (exit != 0) {
          System.exit(exit);
        }
        rounds++;
      } while (rounds < MOST_ROUNDS
          && format(CHECK, files, new PrintWriter(Writer.nullWriter())) != 0);
      return;
    }
    int exit = format(CHECK, files, new PrintWriter(System.out, true));
    if (exit != 0) {
      System.err.println(
          "The files above are not formatted; run: mvn compile -Dpagetide.format=--replace");
      System.exit(exit);
    }
  }

  private static List<String> javaFiles(String[] folders) throws IOException {
    List<String> found = new ArrayList<>();
    for (String folder : folders) {
      Path start = Path.of(folder);
      if (Files.isDirectory(start)) {
        try (Stream<Path> files = Files.walk(start)) {
          files.map(Path::toString).filter(f -> f.endsWith(".java")).forEach(found::add);
        }
      }
    }
    return found;
  }

  private static int format(List<String> options, List<String> files, PrintWriter out)
      throws Exception {
    List<String> command = new ArrayList<>(options);
    command.addAll(files);
    return new Main(out, new PrintWriter(System.err, true), System.in)
        .format(command.toArray(String[]::new));
  }
}
