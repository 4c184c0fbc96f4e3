package caravan.pipeline.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import caravan.pipeline.ReferenceConf;
import java.util.List;
import org.junit.jupiter.api.Test;

/** With the thresholds that users get. */
class ChineseQualityFilterTest {
  private static final ChineseQualityFilter FILTER =
      ReferenceConf.read("clean.zh.chinese-quality", ChineseQualityFilter.class);
  private static final AdvertisingFilter ADVERTISING =
      ReferenceConf.read("clean.zh.advertising", AdvertisingFilter.class);
  private static final String PROSE =
      "清晨的港口十分安静，只有几只海鸥在水面上盘旋。一位戴着蓝色帽子的老人坐在墙边修补渔网（他已经修了三十年），多年来他一直如此。";
  private static final String MIXED = "使用 Apache Spark 处理大规模文本的时候，我们先读取 Parquet 文件，再按照语言进行过滤。";
  private static final String VERSE = "白日依山尽，黄河入海流。欲穷千里目，更上一层楼。 -- 王之涣《登鹳雀楼》";

  private static String verdict(TextFilter filter, String text) {
    return filter.check(Passage.of(text)).map(d -> d.reason() + ": " + d.detail()).orElse("kept");
  }

  @Test
  void prose_verse_and_mixed_text_stay() {
    for (String text : List.of(PROSE, MIXED, VERSE, PROSE + "𠮷野家😀")) {
      assertThat(verdict(FILTER, text)).as(text).isEqualTo("kept");
    }
  }

  @Test
  void foreign_text_has_few_han() {
    assertThat(verdict(FILTER, "汉字abcdefg")).isEqualTo("few_han: 0.222 of letters, minimum 0.300");
    assertThat(verdict(FILTER, "汉字𠮷abcdefg，")).as("three of ten").isEqualTo("kept");
    assertThat(verdict(FILTER, "")).isEqualTo("few_han: 0 of letters, minimum 0.300");
    assertThat(verdict(FILTER, "An English text, no more.")).startsWith("few_han");
  }

  @Test
  void keywords_have_few_marks_and_soup_has_many() {
    assertThat(verdict(FILTER, "手机电脑相机耳机 音箱键盘鼠标屏幕"))
        .isEqualTo("few_marks: 0 marks per character, minimum 0.010");
    assertThat(verdict(FILTER, "字，。，。，。")).startsWith("many_marks: 6 marks per character");
  }

  @Test
  void symbols_brackets_and_few_characters_are_bounded() {
    assertThat(verdict(FILTER, "海港★很静☆，人少。★")).startsWith("many_symbols: 0.273 of characters");
    assertThat(verdict(FILTER, "海港（清晨十分安静，人很少）")).startsWith("bracketed: 0.714 of characters");
    assertThat(verdict(FILTER, "（1）".repeat(3) + "海（\n".repeat(9) + PROSE))
        .startsWith("unpaired_brackets: 0.529 of brackets");
    assertThat(verdict(FILTER, "哈哈哈哈，哈哈哈哈！哈哈哈哈呀。")).startsWith("low_entropy: 0.");
  }

  @Test
  void brackets_pair_within_a_line() {
    assertThat(verdict(FILTER, "海（\n" + PROSE)).isEqualTo("kept");
  }

  @Test
  void advertising_is_many_phrases_for_the_length() {
    String advert = "扫码关注我们，免费领取礼品！加微信 abc123，全国包邮，货到付款😀。";
    assertThat(verdict(ADVERTISING, advert)).startsWith("advertising: 1");
    assertThat(verdict(ADVERTISING, "全国包邮，货到付款")).as("two are tolerated").isEqualTo("kept");
    assertThat(verdict(ADVERTISING, advert + PROSE.repeat(10))).isEqualTo("kept");
    assertThat(verdict(ADVERTISING, "")).isEqualTo("kept");
    AdvertisingFilter english = ReferenceConf.read("clean.en.advertising", AdvertisingFilter.class);
    assertThat(verdict(english, "Buy now! Free shipping, ORDER NOW.")).startsWith("advertising");
    assertThat(verdict(english, "They buy nowhere, reorder now and order nowhere."))
        .isEqualTo("kept");
  }

  @Test
  void impossible_thresholds_are_refused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new ChineseQualityFilter(2, 0, 1, 1, 1, 1, 0))
        .withMessage("min-han: got 2.0, wanted 0 to 1");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new AdvertisingFilter(new Phrases(List.of()), 0, -1))
        .withMessage("max-per-thousand-characters: got -1.0, wanted 0 or more");
  }
}
