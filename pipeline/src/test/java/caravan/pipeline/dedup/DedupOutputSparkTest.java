package caravan.pipeline.dedup;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.Inputs;
import caravan.pipeline.Manifest;
import caravan.pipeline.Stage;
import caravan.pipeline.StageOutput;
import caravan.pipeline.StageReport;
import caravan.pipeline.TestDocuments;
import caravan.pipeline.TestSpark;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DedupOutputSparkTest {
  private static final SparkSession spark = TestSpark.session();
  private static final DedupConfig CONFIG = TestConfig.dedup(0.7, 64, List.of());

  private final RandomTexts random = new RandomTexts(12);
  private final Random order = new Random(13);
  private final List<Document> documents = new ArrayList<>();

  @TempDir Path directory;

  @Test
  void orderAndPartitioningDoNotChangeTheContentHash() throws IOException {
    for (int i = 0; i < 20; i++) {
      String text = i % 2 == 0 ? random.han(120) : random.words(120);
      add("doc-" + i, text);
      add("near-" + i, text.substring(order.nextInt(20)));
      add("near-too-" + i, text.substring(0, text.length() - order.nextInt(30)));
      add("copy-" + i, text);
    }
    Set<String> hashes = new HashSet<>();
    for (int partitions : new int[] {1, 6}) {
      Collections.shuffle(documents, order);
      hashes.add(contentHash(new DedupStage(CONFIG, 42), partitions));
    }
    assertThat(hashes).hasSize(1);
  }

  @Test
  void norDoTheyWhereLinesAndPassagesAreRemoved() throws IOException {
    String[] lines = {random.han(30), random.words(15), random.han(12)};
    String passage = random.words(70);
    for (int i = 0; i < 20; i++) {
      add(
          "doc-" + i,
          random.han(200) + "\n" + lines[i % 3] + "\n" + random.words(9) + " " + passage);
    }
    DedupConfig config =
        TestConfig.dedup(
            TestConfig.lines(RepeatAction.REMOVE, 2),
            TestConfig.substrings(RepeatAction.REMOVE, false));
    Set<String> hashes = new HashSet<>();
    for (int partitions : new int[] {1, 6}) {
      Collections.shuffle(documents, order);
      Stage stage = new RepeatStage(new DedupStage(config, 42), config);
      hashes.add(contentHash(stage, partitions));
      assertThat(stage.counts())
          .containsEntry("clusters", 0L)
          .containsEntry("repeated_lines", 20L)
          .containsEntry("repeated_passages", 20L);
    }
    assertThat(hashes).hasSize(1);
  }

  @Test
  void theReportHoldsTheClusters() throws IOException {
    String text = random.han(100);
    add("a", text);
    add("b", text);
    add("c", text.substring(5));
    add("d", random.han(100));
    Path input = Files.writeString(directory.resolve("input.txt"), "stands for the documents");
    Inputs inputs = Inputs.resolve(hadoopConf(), input.toString());
    StageReport report =
        new StageOutput(spark, directory.resolve("out").toString(), StageOutput.Limits.DEFAULT)
            .run(new DedupStage(CONFIG, 42), inputs, rows(2), Map.of(), true)
            .report();
    assertThat(report.counts())
        .isEqualTo(
            new TreeMap<>(
                Map.of(
                    "candidate_pairs", 1L,
                    "cluster_rounds", 1L,
                    "spared_documents", 0L,
                    "near_duplicate_pairs", 1L,
                    "near_duplicate_texts", 1L,
                    "clusters", 1L,
                    "documents_in_clusters", 3L,
                    "largest_cluster", 3L,
                    "least_similarity_thousandths", 948L)));
    assertThat(report.droppedByReason()).containsOnlyKeys("exact_duplicate", "near_duplicate");
    assertThat(report.kept().documents()).isEqualTo(2);
  }

  private String contentHash(Stage stage, int partitions) throws IOException {
    Path input = Files.writeString(directory.resolve("input.txt"), "stands for the documents");
    Inputs inputs = Inputs.resolve(hadoopConf(), input.toString());
    Path output = directory.resolve("out-" + partitions);
    StageReport report =
        new StageOutput(spark, output.toString(), StageOutput.Limits.DEFAULT)
            .run(stage, inputs, rows(partitions), Map.of(), true)
            .report();
    assertThat(report.kept().documents()).isEqualTo(20);
    org.apache.hadoop.fs.Path path = new org.apache.hadoop.fs.Path(output.toString());
    return Manifest.read(hadoopConf(), path, Manifest.DOCUMENTS).contentHash();
  }

  private static org.apache.hadoop.conf.Configuration hadoopConf() {
    return spark.sparkContext().hadoopConfiguration();
  }

  private void add(String id, String text) {
    documents.add(new Document(id, "test", "a.jsonl", "zh", text, Map.of("kind", "test")));
  }

  private JavaRDD<DocumentIterator> rows(int partitions) {
    return TestDocuments.readers(documents, partitions);
  }
}
