package caravan.pipeline;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** The walls of this module. */
@AnalyzeClasses(packages = "caravan.pipeline", importOptions = ImportOption.DoNotIncludeTests.class)
class BordersTest {
  @ArchTest
  static final ArchRule text_rules_know_no_spark =
      noClasses()
          .that()
          .resideInAnyPackage("caravan.pipeline.text", "caravan.pipeline.wikitext")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "org.apache.spark..", "org.apache.hadoop..", "scala..", "caravan.pipeline");

  @ArchTest
  static final ArchRule pipeline_knows_no_model_and_no_tensor =
      noClasses()
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "caravan.model..",
              "caravan.jobs..",
              "org.nd4j..",
              "org.deeplearning4j..",
              "org.bytedeco..");
}
