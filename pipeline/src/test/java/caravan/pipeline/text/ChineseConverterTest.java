package caravan.pipeline.text;

import static caravan.pipeline.text.ChineseConverter.Mode.KEEP;
import static caravan.pipeline.text.ChineseConverter.Mode.SIMPLIFY;
import static caravan.pipeline.text.ChineseConverter.Mode.SIMPLIFY_TAIWAN;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ChineseConverterTest {
  private static String convert(ChineseConverter.Mode mode, String text) {
    return new ChineseConverter(mode).convert(text).text();
  }

  @ParameterizedTest
  @CsvSource({
    "乾杯, 干杯, 干杯",
    "乾坤與乾隆, 乾坤与乾隆, 乾坤与乾隆",
    "頭髮發展, 头发发展, 头发发展",
    "皇后後天到, 皇后后天到, 皇后后天到",
    "他瞭解瞭望臺的著作, 他了解瞭望台的著作, 他了解瞭望台的著作",
    "看著這本著名的書, 看著这本著名的书, 看着这本著名的书",
    "軟體和滑鼠在計程車裡, 软体和滑鼠在计程车里, 软件和鼠标在出租车里",
    "伺服器的記憶體與資料庫, 伺服器的记忆体与资料库, 服务器的内存与数据库",
    "麵包和面子, 面包和面子, 面包和面子",
    "我愛𠮷野家😀 and Spark, 我爱𠮷野家😀 and Spark, 我爱𠮷野家😀 and Spark",
    "English only, English only, English only",
  })
  void phrases_decide_and_taiwans_words_are_an_option(
      String traditional, String simplified, String mainland) {
    assertThat(convert(KEEP, traditional)).isSameAs(traditional);
    assertThat(convert(SIMPLIFY, traditional)).isEqualTo(simplified);
    assertThat(convert(SIMPLIFY_TAIWAN, traditional)).isEqualTo(mainland);
  }

  @Test
  void simplified_text_keeps_the_characters_that_both_writings_have() {
    String text = "李乾的著作里说：这个程式与头发无关，甚么都于事无补。";
    assertThat(convert(SIMPLIFY_TAIWAN, text)).isSameAs(text);
    assertThat(convert(SIMPLIFY_TAIWAN, text + "\n他看著這本書。")).isEqualTo(text + "\n他看着这本书。");
    assertThat(convert(SIMPLIFY, "这张发票写着“臺灣網路”，著作权归李乾所有。")).isEqualTo("这张发票写着“台湾网路”，著作权归李乾所有。");
  }

  @ParameterizedTest
  @CsvSource({
    "這本書很好, Hant",
    "这本书很好, Hans",
    "天下大同, ''",
    "這这, ''",
    "乾坤, ''",
    "头发與發展臺灣, Hant",
    "English, ''",
    "'', ''",
  })
  void the_label_follows_the_characters_of_one_writing_alone(String text, String label) {
    assertThat(ChineseConverter.script(text)).isEqualTo(label);
  }

  @Test
  void a_change_of_length_is_counted_and_no_change_is_no_edit() {
    assertThat(new ChineseConverter(SIMPLIFY_TAIWAN).convert("這個記憶體").removed())
        .isEqualTo(Map.of("simplified", 1L));
    assertThat(new ChineseConverter(SIMPLIFY).convert("這個記憶體").removed())
        .isEqualTo(Map.of("simplified", 0L));
    assertThat(new ChineseConverter(SIMPLIFY).convert("这个").removed()).isEmpty();
  }

  @Test
  void converting_twice_changes_nothing_more_and_every_character_is_counted() {
    String[] words =
        ("乾杯 乾坤 著 著作 看著 瞭 瞭解 於 於是 徵 徵求 藉口 慰藉 甚麼 什麼 么 麼 后 後 裡 里 面 麵 發 髮 发 "
                + "這 这 軟體 程式 程序 記憶體 計程車 查詢 文字處理 巨集 台 臺 颱 𠮷 English \n 。 乾 干")
            .split(" ");
    Random random = new Random(1);
    for (int i = 0; i < 20_000; i++) {
      StringBuilder text = new StringBuilder();
      for (int k = random.nextInt(12); k > 0; k--) {
        text.append(words[random.nextInt(words.length)]);
      }
      for (ChineseConverter.Mode mode : List.of(SIMPLIFY, SIMPLIFY_TAIWAN)) {
        var once = new ChineseConverter(mode).convert(text.toString());
        assertThat(convert(mode, once.text())).as("%s", text).isEqualTo(once.text());
        long removed = once.removed().values().stream().mapToLong(Long::longValue).sum();
        assertThat(once.text().codePoints().count() + removed)
            .as("%s", text)
            .isEqualTo(text.codePoints().count());
      }
    }
  }

  @Test
  void long_texts_take_linear_time() {
    for (String piece : List.of("乾", "乾乾淨", "這\n", "发", "臺灣網路這个")) {
      assertThat(convert(SIMPLIFY_TAIWAN, piece.repeat(500_000))).isNotNull();
    }
  }
}
