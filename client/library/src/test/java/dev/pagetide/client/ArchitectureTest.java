package dev.pagetide.client;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaCodeUnit;
import com.tngtech.archunit.core.domain.JavaField;
import com.tngtech.archunit.core.domain.JavaMember;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.domain.JavaType;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What the library knows, and what its public classes show of that to those who use them. */
final class ArchitectureTest {
  private static final String LIBRARY = "dev.pagetide.client";

  /**
   * All that the library knows besides itself: exact, so one that no class needs fails the test,
   * too. The command line, picocli, JLine and gson are not among them.
   */
  private static final Set<String> KNOWN =
      Set.of(
          "java",
          "dev.pagetide.shm",
          "dev.pagetide.v1",
          "io.grpc",
          "io.netty",
          "com.google.protobuf",
          "com.google.rpc",
          "com.google.errorprone.annotations",
          "org.jspecify");

  /** What stays behind the library's public face: how it talks to the server. */
  private static final List<String> HIDDEN =
      List.of("dev.pagetide.v1", "io.grpc", "io.netty", "com.google.protobuf", "com.google.rpc");

  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages(LIBRARY);

  private static boolean isIn(String name, String packageName) {
    return name.startsWith(packageName + ".");
  }

  @Test
  void packages_ofTheLibrary_areOne() {
    assertThat(CLASSES).hasSizeGreaterThan(100);
    assertThat(CLASSES.stream().map(JavaClass::getPackageName)).containsOnly(LIBRARY);
  }

  @Test
  void library_whateverItNeeds_knowsNoCommandLine() {
    Set<String> known = new TreeSet<>();
    for (JavaClass type : CLASSES) {
      type.getDirectDependenciesFromSelf().stream()
          .map(dependency -> dependency.getTargetClass().getBaseComponentType())
          .filter(target -> !target.isPrimitive() && !target.getPackageName().equals(LIBRARY))
          .map(JavaClass::getName)
          .map(name -> KNOWN.stream().filter(one -> isIn(name, one)).findFirst().orElse(name))
          .forEach(known::add);
    }

    assertThat(known).isEqualTo(new TreeSet<>(KNOWN));
  }

  @Test
  void signatures_ofPublicClasses_showNothingOfHowTheLibraryTalksToTheServer() {
    Set<String> shown = new TreeSet<>();
    int members = 0;
    for (JavaClass type : CLASSES) {
      if (!isPublic(type)) {
        continue;
      }
      Stream.concat(type.getSuperclass().stream(), type.getInterfaces().stream())
          .flatMap(ArchitectureTest::hidden)
          .forEach(found -> shown.add(type.getName() + " is a " + found));
      for (JavaMember member : type.getMembers()) {
        if (isForOthers(member)) {
          members++;
          types(member)
              .flatMap(ArchitectureTest::hidden)
              .forEach(found -> shown.add(member.getFullName() + " shows " + found));
        }
      }
    }

    assertThat(shown).isEmpty();
    assertThat(members).isGreaterThan(200);
  }

  /** Whether other packages can name a class: it is public, and so is what it lies in. */
  private static boolean isPublic(JavaClass type) {
    return type.getModifiers().contains(JavaModifier.PUBLIC)
        && type.getEnclosingClass().map(ArchitectureTest::isPublic).orElse(true);
  }

  private static boolean isForOthers(JavaMember member) {
    Set<JavaModifier> modifiers = member.getModifiers();
    return modifiers.contains(JavaModifier.PUBLIC) || modifiers.contains(JavaModifier.PROTECTED);
  }

  private static Stream<JavaType> types(JavaMember member) {
    return switch (member) {
      case JavaField field -> Stream.of(field.getType());
      case JavaCodeUnit code ->
          Stream.of(
                  Stream.of(code.getReturnType()),
                  code.getParameterTypes().stream(),
                  code.getTypeParameters().stream(),
                  code.getExceptionTypes().stream())
              .flatMap(all -> all);
      default -> throw new AssertionError(member);
    };
  }

  private static Stream<String> hidden(JavaType type) {
    return type.getAllInvolvedRawTypes().stream()
        .map(raw -> raw.getBaseComponentType().getName())
        .filter(name -> HIDDEN.stream().anyMatch(one -> isIn(name, one)))
        .collect(Collectors.toCollection(TreeSet::new))
        .stream();
  }
}
