package dev.pagetide.server;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import dev.pagetide.server.budget.PageBudget;
import dev.pagetide.server.budget.Reservations;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/**
 * The arrows between the packages, as the design page draws them: each package knows those below it
 * and none above.
 *
 * <p>The table below is exact. A package that it does not name, an arrow that it does not allow,
 * and an arrow that it allows and no class needs each fail the test.
 */
final class ArchitectureTest {
  private static final String ROOT = "dev.pagetide.server";

  /** Each package below the root, and those of them that it may know. */
  private static final Map<String, Set<String>> ARROWS =
      Map.ofEntries(
          Map.entry("os", Set.of()),
          Map.entry("budget", Set.of()),
          Map.entry("net", Set.of()),
          Map.entry("page", Set.of("budget", "os")),
          Map.entry("host", Set.of("budget", "os")),
          Map.entry("buffer", Set.of("page")),
          Map.entry("session", Set.of("page", "budget")),
          Map.entry("pressure", Set.of("page", "budget", "host", "os")),
          Map.entry("transaction", Set.of("session", "buffer", "page", "budget")),
          Map.entry("rpc", Set.of("transaction", "buffer", "session", "page", "budget", "net")),
          Map.entry("handoff", Set.of("session", "page", "os", "net")),
          Map.entry("web", Set.of("session", "page", "budget")),
          Map.entry("directory", Set.of("web", "host")),
          Map.entry("config", Set.of("directory", "handoff", "host", "pressure", "transaction")),
          Map.entry(
              "metrics",
              Set.of("session", "page", "budget", "buffer", "transaction", "pressure", "handoff")));

  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages(ROOT);

  private static String room(JavaClass type) {
    String name = type.getPackageName();
    if (!name.equals(ROOT) && !name.startsWith(ROOT + ".")) {
      return "elsewhere";
    }
    String below = name.substring(ROOT.length());
    return below.isEmpty() ? "root" : below.substring(1).split("\\.", -1)[0];
  }

  private static Set<String> rooms() {
    return CLASSES.stream()
        .map(ArchitectureTest::room)
        .filter(room -> !room.equals("root"))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  @Test
  void packages_ofTheServer_areThoseOfTheDesign() {
    assertThat(rooms()).isEqualTo(ARROWS.keySet());
  }

  @Test
  void arrows_betweenPackages_runOneWay() {
    Set<String> seen = new TreeSet<>();
    Set<String> forbidden = new TreeSet<>();
    for (JavaClass type : CLASSES) {
      String from = room(type);
      type.getDirectDependenciesFromSelf()
          .forEach(dependency -> {
            String to = room(dependency.getTargetClass().getBaseComponentType());
            if (from.equals("root") || to.equals(from) || to.equals("elsewhere")) {
              return;
            }
            seen.add(from + " -> " + to);
            if (!ARROWS.getOrDefault(from, Set.of()).contains(to)) {
              forbidden.add(dependency.getDescription());
            }
          });
    }
    assertThat(forbidden).isEmpty();
    assertThat(seen).as("arrows that the table allows").isEqualTo(allowed());
  }

  private static Set<String> allowed() {
    return ARROWS.entrySet().stream()
        .flatMap(room -> room.getValue().stream().map(to -> room.getKey() + " -> " + to))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  @Test
  void core_whateverItNeeds_knowsNoGrpcNoMetersNoLogging() {
    noClasses()
        .that()
        .resideInAnyPackage(
            ROOT + ".os..",
            ROOT + ".budget..",
            ROOT + ".host..",
            ROOT + ".page..",
            ROOT + ".buffer..",
            ROOT + ".session..",
            ROOT + ".transaction..",
            ROOT + ".pressure..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "io.grpc..",
            "io.netty..",
            "io.micrometer..",
            "org.slf4j..",
            "ch.qos.logback..",
            "java.util.logging..",
            "com.google.protobuf..",
            "dev.pagetide.v1..")
        .check(CLASSES);
  }

  /** Pages that are charged by anybody else would be given back by nobody. */
  @Test
  void charges_ofPages_areMadeAndReleasedByPageAndBudgetAlone() {
    assertThat(callersOf(PageBudget.class, "tryReserve", "tryTakeOver", "release"))
        .isSubsetOf("page", "budget")
        .contains("page", "budget");
    assertThat(callersOf(Reservations.class, "tryReserve", "given", "giveBack", "taken"))
        .isSubsetOf("page", "budget")
        .contains("page");
  }

  private static Set<String> callersOf(Class<?> owner, String... methods) {
    assertThat(Arrays.stream(owner.getDeclaredMethods()).map(Method::getName))
        .as("the methods of %s", owner)
        .contains(methods);
    return CLASSES.stream()
        .flatMap(type -> type.getAccessesFromSelf().stream())
        .filter(call -> call.getTargetOwner().isEquivalentTo(owner))
        .filter(call -> Set.of(methods).contains(call.getName()))
        .map(call -> room(call.getOriginOwner()))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  @Test
  void handoff_whateverItNeeds_knowsNoGrpcNoMeters() {
    noClasses()
        .that()
        .resideInAPackage(ROOT + ".handoff..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("io.grpc..", "io.micrometer..", "com.google.protobuf..")
        .check(CLASSES);
  }

  @Test
  void nativeCalls_ofTheServer_areInOsAlone() {
    noClasses()
        .that()
        .resideOutsideOfPackage(ROOT + ".os..")
        .should()
        .dependOnClassesThat()
        .areAssignableTo(Linker.class)
        .orShould()
        .dependOnClassesThat()
        .areAssignableTo(SymbolLookup.class)
        .check(CLASSES);
    assertThat(CLASSES.stream().filter(ArchitectureTest::makesNativeCalls))
        .as("classes that do use the linker")
        .isNotEmpty()
        .allSatisfy(type -> assertThat(room(type)).isEqualTo("os"));
  }

  private static boolean makesNativeCalls(JavaClass type) {
    return type.getDirectDependenciesFromSelf().stream()
        .anyMatch(dependency -> dependency.getTargetClass().isAssignableTo(Linker.class));
  }

  @Test
  void generatedCode_ofTheContract_isKnownToRpcAlone() {
    noClasses()
        .that()
        .resideOutsideOfPackage(ROOT + ".rpc..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("dev.pagetide.v1..")
        .check(CLASSES);
  }

  @Test
  void client_fromTheServer_isUnknown() {
    noClasses()
        .should()
        .dependOnClassesThat()
        .resideInAPackage("dev.pagetide.client..")
        .check(CLASSES);
  }

  @Test
  void shm_theSharedFile_knowsNothingButTheJdk() {
    JavaClasses shm = new ClassFileImporter().importPackages("dev.pagetide.shm");
    assertThat(shm).hasSizeGreaterThan(4);
    classes()
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage(
            "dev.pagetide.shm..", "java..", "org.jspecify..", "com.google.errorprone.annotations..")
        .check(shm);
  }
}
