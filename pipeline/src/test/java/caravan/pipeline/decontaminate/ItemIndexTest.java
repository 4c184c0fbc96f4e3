package caravan.pipeline.decontaminate;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.decontaminate.DecontaminateStage.Finding;
import caravan.pipeline.decontaminate.ItemIndex.Match;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ItemIndexTest {
  private static final String CHINESE = "下列关于光合作用的说法，正确的是哪一项？请选出答案";
  private static final String ENGLISH =
      "A man is sitting on a roof. He starts pulling up roofing on the roof with care";

  private static ItemIndex index(int units, int minimum, String... texts) {
    return index(units, minimum, 100, texts);
  }

  private static ItemIndex index(int units, int minimum, int maxItems, String... texts) {
    ItemPart part = new ItemPart(units, minimum);
    IntStream.range(0, texts.length).forEach(i -> part.add("item-" + i, "eval.jsonl", texts[i]));
    return ItemIndexer.joined(List.of(part), units, maxItems);
  }

  private static List<Finding> findings(String text, ItemIndex index) {
    return DecontaminateStage.findings(text, index.matches(text), index);
  }

  private static String passage(String text, Match match) {
    return text.substring(match.start(), match.end());
  }

  @Test
  void aChineseItemIsFoundWhateverStandsBetweenItsCharacters() {
    String text = "考试题：下列关于 光合作用的说法 正确的是哪一项——请选出答案。";
    List<Match> matches = index(13, 8, CHINESE, ENGLISH).matches(text);
    assertThat(matches).hasSize(1);
    assertThat(matches.get(0).item()).isZero();
    assertThat(matches.get(0).ngrams()).isEqualTo(11);
    assertThat(passage(text, matches.get(0))).isEqualTo("下列关于 光合作用的说法 正确的是哪一项——请选出答案");
  }

  @Test
  void anEnglishItemIsFoundInAnyCaseAndOnlyAsFarAsItGoes() {
    String text = "we saw: a MAN is sitting on a roof; he starts pulling up roofing on Monday";
    List<Match> matches = index(13, 8, CHINESE, ENGLISH).matches(text);
    assertThat(matches).hasSize(1);
    assertThat(passage(text, matches.get(0)))
        .isEqualTo("a MAN is sitting on a roof; he starts pulling up roofing on");
    assertThat(matches.get(0).ngrams()).isEqualTo(1);
  }

  @Test
  void aMixedItemWithSurrogatePairsIsFound() {
    ItemIndex index = index(8, 8, "𠮷野家用 Spark 训练 Llama 模型 2 天");
    String text = "😀昨天𠮷野家用spark训练LLAMA模型2天😀";
    List<Match> matches = index.matches(text);
    assertThat(matches).hasSize(1);
    assertThat(passage(text, matches.get(0))).isEqualTo("𠮷野家用spark训练LLAMA模型2天");
  }

  @Test
  void oneUnitLessThanAnNgramIsNoMatch() {
    ItemIndex index = index(13, 8, CHINESE);
    assertThat(index.matches(CHINESE.substring(0, 13))).isEmpty();
    assertThat(index.matches(CHINESE.substring(0, 14))).hasSize(1);
    assertThat(index.matches("")).isEmpty();
    assertThat(index.matches("……！")).isEmpty();
  }

  @Test
  void shortItemsAreFoundAsAWholeAndTooShortOnesNotAtAll() {
    ItemIndex index = index(13, 8, "中国的首都是北京", "北京", "the capital of France is the city of Paris");
    assertThat(index.ngrams(0)).isEqualTo(1);
    assertThat(index.ngrams(1)).isZero();
    assertThat(index.matches("大家知道中国的首都是北京。")).extracting(Match::item).containsExactly(0);
    assertThat(index.matches("北京")).isEmpty();
    assertThat(index.matches("The capital of France is the city of Paris!"))
        .extracting(Match::item)
        .containsExactly(2);
  }

  @Test
  void anNgramOfSeveralItemsCountsForEach() {
    String shared = "one two three four five six seven eight";
    ItemIndex index = index(8, 8, shared + " first", shared + " second");
    assertThat(index.matches("zero " + shared + " nine"))
        .extracting(Match::item)
        .containsExactly(0, 1);
  }

  @Test
  void twoPassagesOfAnItemAreTwoMatches() {
    ItemIndex index = index(4, 4, "a b c d e f g h i j k l");
    String text = "a b c d e - other words - h i j k";
    assertThat(index.matches(text))
        .extracting(match -> passage(text, match))
        .containsExactly("a b c d e", "h i j k");
  }

  @Test
  void anIndexOfNoItemsFindsNothing() {
    assertThat(index(13, 8).matches(CHINESE)).isEmpty();
  }

  @Test
  void theShareOfAnItemIsOfItsUnitsAndOnlyTheWholeIsOne() {
    ItemIndex index = index(4, 4, "a b c d e f g h i j", CHINESE);
    assertThat(findings("x a b c d e f g h i j y", index))
        .extracting(Finding::share)
        .containsExactly(1.0);
    assertThat(findings("a b c d e - g h i j", index))
        .extracting(Finding::share)
        .containsExactly(0.9);
    assertThat(findings("考题：光合作用的说法。", index)).extracting(Finding::share).containsExactly(0.304);
  }

  @Test
  void aRepetitiveItemIsWhollyInACopyOfItself() {
    String verse = "la la la la la la, and again la la la la";
    List<Finding> findings = findings("x " + verse + " y", index(4, 4, verse));
    assertThat(findings).extracting(Finding::share).containsExactly(1.0);
    assertThat(findings).extracting(Finding::text).containsExactly(verse);
  }

  @Test
  void anNgramOfTooManyItemsIsNotLookedForAndCounted() {
    String form = "which of the following is true of ";
    ItemIndex index = index(4, 4, 2, form + "iron", form + "water", form + "light in water tanks");
    assertThat(index.common(0)).isEqualTo(4);
    assertThat(index.ngrams(0)).isEqualTo(1);
    assertThat(index.matches("Say which of the following is true of wood")).isEmpty();
    assertThat(index.matches("it is true of light in water tanks"))
        .extracting(Match::item)
        .containsExactly(2);
  }

  @Test
  void aDocumentThatHoldsManyItemsNamesThemAllAndShowsTheFirst() {
    String[] items =
        IntStream.range(0, 150)
            .mapToObj(i -> "w%d x%d y%d z%d".formatted(i, i, i, i))
            .toArray(String[]::new);
    List<Finding> findings = findings(String.join(". ", items), index(4, 4, items));
    assertThat(findings).hasSize(150);
    assertThat(findings.get(99).text()).isEqualTo(items[99]);
    assertThat(findings.get(100).text()).isEmpty();
  }

  @Test
  void theItemsAreTheSameHoweverTheyWereCutIntoParts() {
    ItemPart first = new ItemPart(13, 8);
    ItemPart second = new ItemPart(13, 8);
    first.add("一", "ceval.csv", CHINESE);
    second.add("a", "hellaswag.jsonl", ENGLISH);
    ItemIndex index = ItemIndexer.joined(List.of(first, new ItemPart(13, 8), second), 13, 100);
    assertThat(index.items().count()).isEqualTo(2);
    assertThat(index.items().id(0)).isEqualTo("一");
    assertThat(index.items().file(1)).isEqualTo("hellaswag.jsonl");
    assertThat(index.items().units(1)).isEqualTo(17);
    assertThat(index.matches(CHINESE + ENGLISH)).extracting(Match::item).containsExactly(0, 1);
  }
}
