package caravan.pipeline.dedup;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class ShinglesTest {
  private final Shingles shingles = new Shingles(5);

  @Test
  void aHanCharacterIsAUnitAndSoIsAWord() {
    assertThat(shingles.read("今天天气很好")).isEqualTo(2);
    assertThat(shingles.read("the quick brown fox jumps over")).isEqualTo(2);
    assertThat(shingles.read("我用 Spark3 跑 DeepLearning4j 很好")).isEqualTo(3);
  }

  @Test
  void caseWhiteSpaceAndPunctuationDoNotCount() {
    assertThat(shingles.set("The quick, brown FOX\njumps over!"))
        .isEqualTo(shingles.set("the quick brown fox -- jumps over"));
    assertThat(shingles.set("今天，天气很好。")).isEqualTo(shingles.set("今天天气 很好"));
  }

  @Test
  void wordBoundariesCount() {
    assertThat(shingles.set("ab c d e f")).isNotEqualTo(shingles.set("a bc d e f"));
    assertThat(shingles.set("12 3 4 5 6")).isNotEqualTo(shingles.set("1 23 4 5 6"));
  }

  @Test
  void theOrderOfUnitsCounts() {
    assertThat(shingles.set("一二三四五")).isNotEqualTo(shingles.set("五四三二一"));
  }

  @Test
  void aShingleHashDependsOnItsOwnUnitsAlone() {
    long[] late = shingles.set("甲乙丙丁 one two three four five");
    long[] alone = shingles.set("one two three four five");
    assertThat(late).contains(alone);
  }

  @Test
  void aTextShorterThanAShingleHasOne() {
    assertThat(shingles.set("好")).hasSize(1);
    assertThat(shingles.set("ok!")).hasSize(1).isNotEqualTo(shingles.set("no!"));
    assertThat(shingles.set("一二三四")).hasSize(1);
  }

  @Test
  void aTextWithoutUnitsHasNone() {
    assertThat(shingles.set("")).isEmpty();
    assertThat(shingles.set(" \n—…！？😀")).isEmpty();
  }

  @Test
  void supplementaryHanCharactersAreUnitsAndLoneSurrogatesSeparate() {
    assertThat(shingles.read("𠮷𠮷𠮷𠮷𠮷𠮷")).isEqualTo(2);
    assertThat(shingles.read("𠮷野家吃飯")).isEqualTo(1);
    assertThat(shingles.set("a\uD842b c d e")).isEqualTo(shingles.set("a b c d e"));
  }

  @Test
  void kanaAreUnitsAndHangulAndAccentedLettersFormWords() {
    assertThat(shingles.read("これはペンです")).isEqualTo(3);
    assertThat(shingles.read("안녕 하세요 여러분 모두 감사")).isEqualTo(1);
    assertThat(shingles.set("ÉCOLE à côté du café"))
        .isEqualTo(shingles.set("école À Côté DU CAFÉ"));
  }

  @Test
  void aSetHoldsEachShingleOnceSorted() {
    assertThat(shingles.read("哈哈哈哈哈哈哈哈")).isEqualTo(4);
    assertThat(shingles.set("哈哈哈哈哈哈哈哈")).hasSize(1);
    assertThat(shingles.set("one two three four five six seven eight nine")).hasSize(5).isSorted();
  }

  @Test
  void jaccardIsTheSharedPartOfAll() {
    long[] a = {1, 2, 3, 4};
    long[] b = {-1, 3, 4, 5};
    assertThat(Shingles.jaccard(a, b)).isEqualTo(2 / 6.0);
    assertThat(Shingles.jaccard(a, a)).isEqualTo(1);
    assertThat(Shingles.jaccard(a, new long[0])).isZero();
    assertThat(Shingles.jaccard(new long[0], new long[0])).isZero();
  }

  @Test
  void aShingleOfNoUnitsIsRefused() {
    assertThatThrownBy(() -> new Shingles(0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("shingle size: got 0, wanted at least 1 unit");
  }
}
