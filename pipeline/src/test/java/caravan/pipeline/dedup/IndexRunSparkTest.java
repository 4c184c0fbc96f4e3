package caravan.pipeline.dedup;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.pipeline.Document;
import caravan.pipeline.TestSpark;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class IndexRunSparkTest {
  private static final DedupConfig CONFIG = TestConfig.dedup(0.7, 64, List.of());

  private final RandomTexts random = new RandomTexts(41);
  private final String text = random.words(100);
  private final List<Document> first =
      List.of(document("a", text), document("b", text + " b"), document("c", random.han(90)));
  private final List<Document> second =
      List.of(document("d", text), document("e", text + " of e"), document("f", random.han(90)));

  @TempDir Path directory;

  @Test
  void newDocumentsFallToThoseOfEarlierDaysHoweverShortTheseAre() {
    IndexedDays days = new IndexedDays(directory, CONFIG);
    assertThat(days.run("1", first))
        .containsEntry("a", "near_duplicate near duplicate of b, Jaccard 0.990")
        .containsEntry("b", "kept")
        .containsEntry("c", "kept");
    assertThat(days.counts()).containsEntry(DedupStage.EARLIER_TEXTS, 0L);
    assertThat(days.run("2", second))
        .containsEntry("d", "near_duplicate near duplicate of b, Jaccard 0.990")
        .containsEntry("e", "near_duplicate near duplicate of b, Jaccard 0.970")
        .containsEntry("f", "kept");
    assertThat(days.counts())
        .containsEntry(DedupStage.EARLIER_TEXTS, 3L)
        .containsEntry(DedupStage.DROPPED_FOR_EARLIER, 2L);
    assertThat(days.run("3", List.of(document("g", text + " b"))))
        .containsEntry("g", "exact_duplicate same text as b, Jaccard 1.000");
    assertThat(days.index().parts()).extracting(IndexPart::texts).containsExactly(3L, 2L, 0L);
  }

  @Test
  void aRunThatIsRepeatedNeverMeetsItsOwnDocuments() {
    IndexedDays days = new IndexedDays(directory, CONFIG);
    days.run("1", first);
    Map<String, String> verdicts = days.run("2", second);
    List<IndexPart> parts = days.index().parts();
    assertThat(days.run("2", second)).isEqualTo(verdicts);
    assertThat(days.run("1", first)).containsEntry("b", "kept");
    assertThat(days.index().parts())
        .extracting(IndexPart::contentHash)
        .containsExactly(parts.get(0).contentHash(), parts.get(1).contentHash());
  }

  @Test
  void aRunThatWasKilledBeforeItsCommitLeavesTheIndexAsItWasAndOnlyCommitsWhenItIsRepeated()
      throws IOException {
    IndexedDays days = new IndexedDays(directory, CONFIG);
    days.run("1", first);
    Files.writeString(directory.resolve("index/texts/left-over.entries"), "of a lost attempt");
    IndexRun killed = days.prepare("2", second);
    assertThat(killed.isPrepared()).isFalse();
    days.verdicts(new DedupStage(CONFIG, IndexedDays.SEED, Optional.of(killed)), second);
    assertThat(days.index().parts()).hasSize(1);

    IndexRun again = days.prepare("2", second);
    assertThat(again.isPrepared()).isTrue();
    again.commit();
    assertThat(days.index().parts()).hasSize(2);
    assertThat(days.prepare("2", second).isPrepared()).isTrue();
    assertThat(directory.resolve("index/texts/left-over.entries")).doesNotExist();
    assertThat(days.run("3", List.of(document("g", text))).get("g")).startsWith("near_duplicate");
  }

  @Test
  void aRunIsRefusedWhereAnEarlierPartHasChangedSinceALaterOneWasMade() {
    IndexedDays days = new IndexedDays(directory, CONFIG);
    days.run("1", first);
    days.run("2", second);
    days.run("1", List.of(document("z", random.han(80))));
    assertThatThrownBy(() -> days.prepare("3", List.of(document("y", text))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageMatching(
            "index .*/index: its part of .*2.txt \\(output .*/out-2\\) was made before an earlier"
                + " part changed; run dedup of that input again, with the same output");
    days.run("2", second);
    assertThat(days.prepare("3", first).isPrepared()).isFalse();
  }

  @Test
  void anIndexOfOtherParametersAndOtherDirectoriesAreRefused() throws IOException {
    IndexedDays days = new IndexedDays(directory, CONFIG);
    days.run("1", first);
    String index = directory.resolve("index").toString();
    assertThatThrownBy(
            () ->
                DedupIndex.open(
                    IndexedDays.conf(), index, TestConfig.dedup(0.8, 64, List.of()), 43))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "index file:%s: was made with other parameters: dedup.minimum-similarity is 0.7 in the index and 0.8 in this run; seed is 42 in the index and 43 in this run. Run with the index's values, or name an empty directory and deduplicate every day again from the first on"
                .formatted(index));
    Files.createDirectories(directory.resolve("other"));
    Files.writeString(directory.resolve("other/notes.txt"), "not an index");
    assertThatThrownBy(
            () ->
                DedupIndex.open(
                    IndexedDays.conf(), directory.resolve("other").toString(), CONFIG, 42))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageEndingWith(
            "has no manifest.json but holds notes.txt; wanted an index, or a directory that is empty or not there yet");
  }

  @Test
  void whatIsDeletedNeitherMatchesNorComesBack() throws IOException {
    IndexedDays days = new IndexedDays(directory, CONFIG);
    days.run("1", first);
    days.run("2", second);
    DedupIndex index = days.index();
    assertThat(index.known(TestSpark.session(), List.of("b", "f", "nowhere")))
        .containsExactly("b", "f");
    DedupIndex.Deletion deletion = index.delete(TestSpark.session(), List.of("b"));
    assertThat(deletion.texts()).isEqualTo(3);
    assertThat(deletion.fallen()).isEqualTo(2);
    assertThat(Files.readString(Path.of(java.net.URI.create(deletion.list()))).lines())
        .containsExactlyInAnyOrder(
            "{\"fellTo\":\"b\",\"id\":\"a\"}", "{\"fellTo\":\"b\",\"id\":\"e\"}");
    assertThat(days.index().parts()).extracting(IndexPart::texts).containsExactly(1L, 1L);

    Map<String, String> third =
        days.run(
            "3", List.of(document("g", text + " g"), document("b", text + " b"), second.get(2)));
    assertThat(third)
        .containsEntry("g", "kept")
        .containsEntry("b", "deletion_request deleted on request")
        .containsEntry("f", "exact_duplicate same text as f, Jaccard 1.000");
    assertThat(index.known(TestSpark.session(), List.of("b"))).containsExactly("b");
  }

  private static Document document(String id, String text) {
    return new Document(id, "test", "a.jsonl", "en", text, Map.of());
  }
}
