package dev.pagetide.client.cli;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** The arrows between the packages of the command line, and what it knows of the contract. */
final class ArchitectureTest {
  private static final String ROOT = "dev.pagetide.client.cli";

  /**
   * All arrows, and each is needed. The command names its subcommands, and these use what all
   * commands share; the demo and the live table know nothing of each other.
   */
  private static final Set<String> ARROWS =
      Set.of("cli -> demo", "cli -> top", "demo -> cli", "top -> cli");

  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages(ROOT);

  private static String room(JavaClass type) {
    String name = type.getPackageName();
    if (!name.equals(ROOT) && !name.startsWith(ROOT + ".")) {
      return "elsewhere";
    }
    return name.substring(name.lastIndexOf('.') + 1);
  }

  @Test
  void arrows_betweenPackages_areThoseOfTheTable() {
    Set<String> seen = new TreeSet<>();
    for (JavaClass type : CLASSES) {
      type.getDirectDependenciesFromSelf()
          .forEach(dependency -> {
            String to = room(dependency.getTargetClass().getBaseComponentType());
            if (!to.equals(room(type)) && !to.equals("elsewhere")) {
              seen.add(room(type) + " -> " + to);
            }
          });
    }

    assertThat(seen).isEqualTo(new TreeSet<>(ARROWS));
  }

  @Test
  void commandLine_whateverItNeeds_knowsNoGeneratedCodeAndNoServer() {
    assertThat(CLASSES).hasSizeGreaterThan(80);
    noClasses()
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("dev.pagetide.v1..", "com.google.protobuf..", "dev.pagetide.server..")
        .check(CLASSES);
  }
}
