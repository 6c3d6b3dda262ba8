package dev.pagetide.server.config;

import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The texts given for the options, each with its source: the command line, otherwise the
 * environment, otherwise the configuration file.
 */
final class OptionTexts {
  /**
   * One option's text as it was given.
   *
   * @param text the value
   * @param shown how messages show it: {@code --max-sessions=abc}, {@code
   *     PAGETIDE_MAX_SESSIONS=abc} or {@code FILE: max-sessions=abc}
   */
  record Given(String text, String shown) {}

  private final Map<ServerOption, Given> givens = new EnumMap<>(ServerOption.class);

  private OptionTexts() {}

  /**
   * Gathers the texts of all sources. An empty variable counts as not set. A variable that names no
   * option is ignored, because the launcher and the client also have some.
   *
   * @param problems the list to which this adds what is wrong with the configuration file
   */
  static OptionTexts gather(
      Map<ServerOption, String> commandLine,
      Map<String, String> environment,
      List<String> problems) {
    OptionTexts texts = new OptionTexts();
    for (ServerOption option : ServerOption.values()) {
      String flagText = commandLine.get(option);
      String variableText = environment.get(option.variable());
      if (flagText != null) {
        texts.givens.put(option, new Given(flagText, option.flag() + "=" + flagText));
      } else if (variableText != null && !variableText.isEmpty()) {
        texts.givens.put(option, new Given(variableText, option.variable() + "=" + variableText));
      }
    }
    Given config = texts.given(ServerOption.CONFIG);
    if (config != null) {
      texts.addFile(config, problems);
    }
    return texts;
  }

  /** The text given for an option, or null if its default holds. */
  @Nullable Given given(ServerOption option) {
    return givens.get(option);
  }

  private void addFile(Given config, List<String> problems) {
    Properties properties = new Properties();
    try (Reader reader = Files.newBufferedReader(Path.of(config.text()))) {
      properties.load(reader);
    } catch (NoSuchFileException e) {
      problems.add(config.shown() + ": no such file; give the path of a properties file");
    } catch (IOException | IllegalArgumentException e) {
      String reason = e instanceof InvalidPathException ? "not a path" : String.valueOf(e);
      problems.add(
          config.shown() + ": unreadable (" + reason + "); give the path of a properties file");
    }
    for (String key : new TreeSet<>(properties.stringPropertyNames())) {
      String shown = config.text() + ": " + key + "=" + properties.getProperty(key);
      ServerOption option = withKey(key);
      if (option == null) {
        problems.add(shown + ": unknown option; --help lists those there are");
      } else {
        givens.putIfAbsent(option, new Given(properties.getProperty(key).strip(), shown));
      }
    }
  }

  /** The option with a name in the configuration file. A file cannot name another file. */
  private static @Nullable ServerOption withKey(String key) {
    for (ServerOption option : ServerOption.values()) {
      if (option != ServerOption.CONFIG && option.key().equals(key)) {
        return option;
      }
    }
    return null;
  }
}
