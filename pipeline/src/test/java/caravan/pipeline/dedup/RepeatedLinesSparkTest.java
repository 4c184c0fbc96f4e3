package caravan.pipeline.dedup;

import static caravan.pipeline.dedup.TaggedDocuments.document;
import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import caravan.pipeline.Tagged;
import caravan.pipeline.dedup.LineConfig.Keep;
import caravan.pipeline.dedup.LineConfig.Unit;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;

class RepeatedLinesSparkTest {
  private static final String ZH = "本网站所有文章均为转载，版权归原作者所有";
  private static final String EN = "Sign up for our newsletter and never miss a story again";

  private final RandomTexts texts = new RandomTexts(4);
  private final List<Document> documents = new ArrayList<>();

  @Test
  void aLineOfSeveralDocumentsStaysInTheLongestOfThem() {
    add("a", ZH, texts.han(60), EN);
    add("b", texts.words(9), EN + "!", ZH);
    add("c", "  " + ZH + "。", texts.han(90), texts.han(90));
    Map<String, Tagged> tagged = run(2, Keep.FIRST, Unit.LINE, 3);
    assertThat(text(tagged, "a")).isEqualTo(documents.get(0).text().substring(ZH.length() + 1));
    assertThat(text(tagged, "b")).isEqualTo(documents.get(1).text().split("\n")[0]);
    assertThat(text(tagged, "c")).isEqualTo(documents.get(2).text());
  }

  @Test
  void theEditIsCountedAndTheDocumentTellsWhatWentAndWhereItStill() {
    add("a", texts.han(60), ZH, "𠮷" + texts.han(20), ZH);
    add("bb", texts.han(120), "😀 " + ZH.toLowerCase() + "!");
    Map<String, Tagged> tagged = run(2, Keep.FIRST, Unit.LINE, 2);
    assertThat(tagged.get("a").edits()).containsEntry("repeated_line", 2L * ZH.length() + 2);
    assertThat(TaggedDocuments.repeats(tagged.get("a"), Repeat.LINES_META))
        .containsExactly(
            new Repeat(61, 81, 2, 3, "bb", 121, 20, ZH),
            new Repeat(104, 124, 2, 3, "bb", 121, 20, ZH));
    assertThat(tagged.get("bb").edits()).isEmpty();
    assertThat(TaggedDocuments.repeats(tagged.get("bb"), Repeat.LINES_META))
        .containsExactly(new Repeat(121, 144, 2, 3, "bb", 121, 0, "😀 " + ZH + "!"));
  }

  @Test
  void shortLinesAndLinesOfTooFewDocumentsStay() {
    for (String id : List.of("a", "b", "c")) {
      add(id, texts.han(60), "啦啦啦，啦啦啦！", "fa la la la la", id.equals("c") ? texts.han(30) : ZH);
    }
    assertThat(run(3, Keep.FIRST, Unit.LINE, 2).values()).allMatch(t -> t.edits().isEmpty());
    assertThat(run(2, Keep.FIRST, Unit.LINE, 2).values().stream().filter(t -> !t.edits().isEmpty()))
        .hasSize(1);
  }

  @Test
  void aLineThatOneDocumentAloneRepeatsStays() {
    add("a", ZH, ZH, texts.han(60), ZH);
    add("b", texts.han(80));
    assertThat(run(2, Keep.FIRST, Unit.LINE, 2).values()).allMatch(t -> t.edits().isEmpty());
  }

  @Test
  void noOccurrenceStaysWhereThatIsWanted() {
    add("a", ZH, texts.han(60));
    add("b", texts.words(50), EN, ZH);
    add("c", texts.words(50), EN);
    Map<String, Tagged> tagged = run(2, Keep.NONE, Unit.LINE, 2);
    assertThat(tagged.values())
        .noneMatch(t -> t.document().text().contains(ZH) || t.document().text().contains(EN))
        .allMatch(t -> t.reason().equals(Documents.KEPT));
  }

  @Test
  void paragraphsAreComparedAsAWhole() {
    String paragraph = ZH + "\n" + EN;
    documents.add(document("a", texts.han(50) + "\n\n" + paragraph + "\n\n" + texts.han(60)));
    documents.add(document("b", paragraph.replace('\n', ' ') + "\n \n" + texts.han(40)));
    documents.add(document("c", texts.han(50) + "\n\n" + EN));
    Map<String, Tagged> tagged = run(2, Keep.FIRST, Unit.PARAGRAPH, 2);
    assertThat(tagged.get("a").edits()).isEmpty();
    assertThat(tagged.get("c").edits()).isEmpty();
    assertThat(tagged.get("b").edits()).containsOnlyKeys("repeated_paragraph");
    assertThat(text(tagged, "b"))
        .isEqualTo(documents.get(1).text().substring(documents.get(1).text().length() - 40));
  }

  @Test
  void aDocumentOfRepeatedLinesIsDroppedWholeAndItsOtherLinesStayElsewhere() {
    String own = texts.han(30);
    String[] shared = {texts.han(80), texts.han(80), texts.words(30), texts.words(30)};
    add("longest", String.join("\n", shared), texts.han(300));
    add("copied", String.join("\n", shared), own);
    add("shorter", own, texts.han(200));
    Map<String, Tagged> tagged = run(2, Keep.FIRST, Unit.LINE, 2);
    Tagged copied = tagged.get("copied");
    assertThat(copied.reason()).isEqualTo("repeated_line");
    assertThat(copied.detail())
        .matches(
            "would lose \\d+ of %d characters, at most 85 %%, to lines of other documents; the longest is in 2, first in (longest|shorter)"
                .formatted(copied.document().text().length()));
    assertThat(copied.document().text()).isEqualTo(documents.get(1).text());
    assertThat(copied.edits()).isEmpty();
    assertThat(tagged.get("shorter").edits()).isEmpty();
    assertThat(tagged.get("longest").edits()).isEmpty();
  }

  @Test
  void orderAndPartitionsDoNotMatter() {
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      lines.add(i % 2 == 0 ? texts.han(30) : texts.words(20));
    }
    for (int i = 0; i < 30; i++) { // of equal length: a hash decides
      add(
          "d-" + i,
          texts.han(100),
          lines.get(i % 7 * 2),
          lines.get(i % 5 * 4),
          lines.get(i),
          texts.han(65 - lines.get(i).length() % 2));
    }
    Map<String, Tagged> one = run(2, Keep.FIRST, Unit.LINE, 1);
    Collections.shuffle(documents, new java.util.Random(1));
    assertThat(run(2, Keep.FIRST, Unit.LINE, 7)).isEqualTo(one);
    assertThat(one.values().stream().filter(t -> !t.edits().isEmpty())).hasSizeGreaterThan(10);
  }

  @Test
  void aLineInEveryDocumentCostsATaskTheSameHoweverManyThereAre() throws TimeoutException {
    long few = shuffled(200);
    long many = shuffled(4000);
    assertThat(many).isBetween(1L, few * 3 / 2);
  }

  private long shuffled(int count) throws TimeoutException {
    documents.clear();
    for (int i = 0; i < count; i++) {
      add("d-%04d".formatted(i), "%d a b c".formatted(i), EN);
    }
    return ShuffledBytes.ofLargestTask(
        () -> {
          Map<String, Tagged> tagged = run(2, Keep.FIRST, Unit.LINE, 4);
          long holding =
              tagged.values().stream()
                  .filter(t -> t.reason().equals(Documents.KEPT))
                  .filter(t -> t.document().text().contains(EN))
                  .count();
          assertThat(holding).isEqualTo(1);
        });
  }

  private void add(String id, String... lines) {
    documents.add(document(id, String.join("\n", lines)));
  }

  private Map<String, Tagged> run(int minDocuments, Keep keep, Unit unit, int partitions) {
    LineConfig lines = new LineConfig(RepeatAction.REMOVE, unit, minDocuments, 10, keep, 0.85);
    DedupConfig config = TestConfig.dedup(lines, TestConfig.substrings(RepeatAction.OFF, false));
    return TaggedDocuments.byId(
        new RepeatedLines(config).apply(TaggedDocuments.kept(documents, partitions)));
  }

  private static String text(Map<String, Tagged> tagged, String id) {
    return tagged.get(id).document().text();
  }
}
