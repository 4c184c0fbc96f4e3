package caravan.pipeline.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LanguageDetectorTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "zh | 今天天气很好，我们去公园散步吧。",
        "zh | 使用 Spark SQL 的 DataFrame API 可以快速地处理大规模的数据集",
        "zh | 這本書是一個很好的例子，說明了歷史的重要性。",
        "zh | 𠮷野家的牛丼很好吃",
        "en | The quick brown fox jumps over the lazy dog while the cat is watching from the roof.",
        "en | Children love playing football outside when summer arrives",
        "en | The word 中文 means Chinese, and this text is about words that people use in the city.",
        "other | Der schnelle braune Fuchs springt über den faulen Hund und läuft in den Wald.",
        "other | Le renard brun rapide saute par-dessus le chien paresseux et court dans la forêt.",
        "other | De snelle bruine vos springt over de luie hond en loopt het bos in.",
        "other | Быстрая коричневая лиса прыгает через ленивую собаку.",
        "other | すばやい茶色の狐がのろまな犬を飛び越える。",
        "other | 빠른 갈색 여우가 게으른 개를 뛰어넘는다.",
        "zh | 你好",
        "zh | 後天見",
        "zh | 请见 https://example.com/en/docs/getting/started/index.html",
        "zh | 查看 <a href=\"https://example.com/en/releases/\" target=\"_blank\" rel=\"noopener\">发布说明</a>",
        "en | Save changes",
        "en | Don't be afraid.",
        "other | Änderungen speichern",
        "other | Enregistrer les modifications",
        "other | Không tìm thấy trang",
        "other | 変更を保存",
        "other | 検索対象",
        "other | 변경 저장",
        "other | Сохранить",
        "other | ไม่พบหน้า",
        "other | 12345 67890 --- !!!",
        "other | ''",
      })
  void knows_chinese_english_and_the_rest(String language, String text) {
    assertThat(new LanguageDetector().detect(text)).isEqualTo(language);
  }

  @Test
  void a_part_is_judged_by_itself_and_says_how_sure_it_is() {
    String text =
        "今天天气很好。\nDas Wetter ist heute sehr schön, und deshalb gehen wir heute Nachmittag in den Park.\n12";
    LanguageDetector detector = new LanguageDetector();
    int second = text.indexOf('D');
    int third = text.indexOf("12");
    assertThat(detector.guess(text, 0, second)).isEqualTo(new LanguageDetector.Guess("zh", 1));
    assertThat(detector.guess(text, second, third).language()).isEqualTo("other");
    assertThat(detector.guess(text, second, third).confidence()).isBetween(0.9, 1.0);
    assertThat(detector.guess(text, third, text.length()))
        .isEqualTo(new LanguageDetector.Guess("other", 0));
  }

  @Test
  void hostile_texts_take_linear_time() {
    for (String piece : List.of("a", "<a", "://", "中", "\uD800", "é", "か", "_ ")) {
      assertThat(new LanguageDetector().detect(piece.repeat(500_000))).isNotNull();
    }
  }
}
