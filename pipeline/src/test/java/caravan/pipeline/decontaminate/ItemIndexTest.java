package caravan.pipeline.decontaminate;

import static org.assertj.core.api.Assertions.assertThat;

import caravan.pipeline.decontaminate.ItemIndex.Item;
import caravan.pipeline.decontaminate.ItemIndex.Match;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ItemIndexTest {
  private static final String CHINESE = "下列关于光合作用的说法，正确的是哪一项？请选出答案";
  private static final String ENGLISH =
      "A man is sitting on a roof. He starts pulling up roofing on the roof with care";

  private static ItemIndex index(int units, int minimum, String... texts) {
    return ItemIndex.of(
        IntStream.range(0, texts.length)
            .mapToObj(i -> new Item("item-" + i, "eval", texts[i]))
            .toList(),
        units,
        minimum);
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
}
