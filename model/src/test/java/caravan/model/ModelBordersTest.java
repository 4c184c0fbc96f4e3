package caravan.model;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.lang.conditions.ArchPredicates.are;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

@AnalyzeClasses(packages = "caravan.model", importOptions = ImportOption.DoNotIncludeTests.class)
class ModelBordersTest {

  /** Nested classes included. */
  private static DescribedPredicate<JavaClass> nameStartingWith(String prefix) {
    return DescribedPredicate.describe(
        "name starting with " + prefix, type -> type.getName().startsWith(prefix));
  }

  @ArchTest
  static final ArchRule the_model_never_sees_text_or_commands =
      noClasses()
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("caravan.pipeline..", "caravan.jobs..");

  @ArchTest
  static final ArchRule spark_is_seen_by_training_only =
      noClasses()
          .that()
          .resideOutsideOfPackage("caravan.model.train")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("org.apache.spark..", "org.deeplearning4j.spark..");

  @ArchTest
  static final ArchRule the_cpu_engine_needs_javacpp_and_its_matrix_libraries_alone =
      classes()
          .that()
          .resideInAPackage("caravan.model.engine")
          .and(DescribedPredicate.not(nameStartingWith("caravan.model.engine.Nd4j")))
          .and(DescribedPredicate.not(nameStartingWith("caravan.model.engine.Engines")))
          .should()
          .onlyDependOnClassesThat(
              resideInAPackage("java..")
                  .or(resideInAPackage("jdk.incubator.vector.."))
                  .or(resideInAPackage("jdk.internal.vm.vector"))
                  .or(nameStartingWith("sun.misc.Unsafe"))
                  .or(resideInAPackage("org.bytedeco.."))
                  .or(resideInAPackage("caravan.model.engine"))
                  .or(nameStartingWith("caravan.model.LlamaConfig"))
                  .or(nameStartingWith("caravan.model.ParameterLayout"))
                  .or(nameStartingWith("caravan.model.AdapterLayout"))
                  .or(nameStartingWith("caravan.model.TensorLayout"))
                  .or(nameStartingWith("caravan.model.LoraConfig"))
                  .or(nameStartingWith("caravan.model.ParameterRanges"))
                  .or(nameStartingWith("caravan.model.WeightDecayRates"))
                  .or(nameStartingWith("caravan.model.RopeScaling")));

  @ArchTest
  static void configuration_and_layout_are_plain_java(JavaClasses classes) {
    classes()
        .that(
            are(
                nameStartingWith("caravan.model.LlamaConfig")
                    .or(nameStartingWith("caravan.model.ParameterLayout"))
                    .or(nameStartingWith("caravan.model.AdapterLayout"))
                    .or(nameStartingWith("caravan.model.TensorLayout"))
                    .or(nameStartingWith("caravan.model.LoraConfig"))
                    .or(nameStartingWith("caravan.model.ParameterRanges"))
                    .or(nameStartingWith("caravan.model.WeightDecayRates"))
                    .or(nameStartingWith("caravan.model.RopeScaling"))))
        .should()
        .onlyDependOnClassesThat(resideInAPackage("java..").or(resideInAPackage("caravan.model")))
        .check(classes);
  }
}
