import com.google.googlejavaformat.java.Main;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Fails where a Java file is not as google-java-format writes it; with {@code --replace} rewrites it.
 * Arguments: folders to look through; one that does not exist is passed over.
 */
final class CheckFormat {
  public static void main(String[] args) throws Exception {
    boolean replace = List.of(args).contains("--replace");
    List<String> command = new ArrayList<>();
    command.addAll(replace ? List.of("--replace") : List.of("--dry-run", "--set-exit-if-changed"));
    int options = command.size();
    for (String folder : args) {
      Path start = Path.of(folder);
      if (Files.isDirectory(start)) {
        try (Stream<Path> files = Files.walk(start)) {
          files.map(Path::toString).filter(f -> f.endsWith(".java")).forEach(command::add);
        }
      }
    }
    if (command.size() == options) {
      return;
    }
    int exit =
        new Main(new PrintWriter(System.out, true), new PrintWriter(System.err, true), System.in)
            .format(command.toArray(String[]::new));
    if (exit != 0) {
      System.err.println(
          "The files above are not formatted; run: mvn compile -Dpagetide.format=--replace");
      System.exit(exit);
    }
  }
}
