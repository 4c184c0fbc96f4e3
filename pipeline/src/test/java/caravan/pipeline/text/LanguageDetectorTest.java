package caravan.pipeline.text;

import static org.assertj.core.api.Assertions.assertThat;

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
        "other | 12345 67890 --- !!!",
        "other | ''",
      })
  void knows_chinese_english_and_the_rest(String language, String text) {
    assertThat(new LanguageDetector().detect(text)).isEqualTo(language);
  }
}
