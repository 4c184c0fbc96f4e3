package caravan.model;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.simpleNameStartingWith;
import static com.tngtech.archunit.lang.conditions.ArchPredicates.are;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

@AnalyzeClasses(packages = "caravan.model", importOptions = ImportOption.DoNotIncludeTests.class)
class ModelBordersTest {

  @ArchTest
  static final ArchRule the_model_never_sees_text_or_commands =
      noClasses().should().dependOnClassesThat().resideInAnyPackage("caravan.pipeline..", "caravan.jobs..");

  @ArchTest
  static final ArchRule spark_is_seen_by_training_only =
      noClasses()
          .that()
          .resideOutsideOfPackage("caravan.model.train")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("org.apache.spark..", "org.deeplearning4j.spark..");

  @ArchTest
  static final ArchRule the_cpu_engine_needs_javacpp_and_openblas_alone =
      classes()
          .that()
          .resideInAPackage("caravan.model.engine")
          .and(are(simpleNameStartingWith("Nd4j").negate()))
          .and(are(simpleNameStartingWith("Engines").negate()))
          .should()
          .onlyDependOnClassesThat(
              resideInAPackage("java..")
                  .or(resideInAPackage("jdk.incubator.vector.."))
                  .or(resideInAPackage("org.bytedeco.."))
                  .or(resideInAPackage("caravan.model.engine"))
                  .or(simpleNameStartingWith("LlamaConfig"))
                  .or(simpleNameStartingWith("ParameterLayout")));

  @ArchTest
  static void configuration_and_layout_are_plain_java(JavaClasses classes) {
    classes()
        .that(are(simpleNameStartingWith("LlamaConfig").or(simpleNameStartingWith("ParameterLayout"))))
        .should()
        .onlyDependOnClassesThat(resideInAPackage("java..").or(resideInAPackage("caravan.model")))
        .check(classes);
  }
}
