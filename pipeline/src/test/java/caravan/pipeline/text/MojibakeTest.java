package caravan.pipeline.text;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.Charset;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MojibakeTest {
  private static final Charset GBK = Charset.forName("GBK");
  private static final String CHINESE = "你好，世界！我们在这里学习新的知识。\n第2行：他说“可以”";

  private static String read(String text, Charset written, Charset read) {
    return new String(text.getBytes(written), read);
  }

  private static String repaired(String text) {
    return new TextNormalizer().normalize(text).text();
  }

  @Test
  void utf8_read_as_latin_is_repaired_in_both_languages_and_after_two_times() {
    for (String text : List.of(CHINESE, "It’s a “test” — with a café in it…", "😀 costs 20 €")) {
      String once = read(text, UTF_8, ISO_8859_1);
      assertThat(repaired(once)).isEqualTo(text);
      assertThat(repaired(read(once, UTF_8, ISO_8859_1))).isEqualTo(text);
    }
    assertThat(repaired("Itâ€™s a cafÃ© at 20Â°C, ä½\u00A0å¥½ ï¼Œâ€¦"))
        .isEqualTo("It’s a café at 20°C, 你好 ，…");
    assertThat(repaired("donÃ¢â‚¬â„¢t cafÃƒÂ©")).isEqualTo("don’t café");
  }

  @Test
  void correct_parts_of_a_partly_broken_text_stay() {
    assertThat(repaired("“Zoë’s” cafÃ©” and É»")).isEqualTo("“Zoë’s” café” and É»");
    assertThat(repaired("中文 — naïve donâ€™t")).isEqualTo("中文 — naïve don’t");
  }

  @Test
  void utf8_read_as_gbk_is_repaired_where_no_byte_was_lost() {
    String text = "今天天气很好，我们学习新的知识！";
    assertThat(repaired(read(text, UTF_8, GBK))).isEqualTo(text);
    String lossy = read("你好世界我们的国家。", UTF_8, GBK);
    assertThat(lossy).contains("\uFFFD");
    assertThat(repaired(lossy)).isEqualTo(lossy);
  }

  @Test
  void gbk_read_as_latin_is_repaired() {
    assertThat(repaired(read(CHINESE, GBK, ISO_8859_1))).isEqualTo(CHINESE);
    assertThat(repaired("ÄãºÃ£¬ÕâÊÇÎÒÃÇµÄ¹ú¼Ò")).isEqualTo("你好，这是我们的国家");
  }

  @Test
  void other_encodings_read_as_latin_are_not_taken_for_chinese() {
    for (String charset : List.of("windows-1251", "EUC-KR", "EUC-JP", "KOI8-R", "Big5")) {
      String text =
          switch (charset) {
            case "EUC-KR" -> "안녕하세요 저는 학생입니다 오늘 날씨가 좋습니다";
            case "EUC-JP" -> "これは日本語の文章です。今日は天気が良い";
            case "Big5" -> "這是一個中文的文章，今天天氣很好";
            default -> "Быстрая коричневая лиса прыгает через ленивую собаку";
          };
      String broken = read(text, Charset.forName(charset), ISO_8859_1);
      assertThat(Mojibake.repair(broken)).as(charset).isEqualTo(broken);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "Le « café\u00A0» est fermé\u00A0; voilà\u00A0! À côté, MENÜ“ und CAFÉ» und ROMÃ».",
        "São Paulo, AÇÃO, MAÇÃ, “avô”, «bebê», 20 °C, £5, § 3, ½",
        "Tiếng Việt rất đẹp: “Chào bạn”… Ân, Âu; â, ã",
        "锛是一种金属元素，浣熊和鎴字都很少见。",
        "銆錢鐘書的圍城是一部長篇小說，講述了戰爭時期知識分子的生活。",
        "联通 联通 聊聊 耗耗",
        "日本語のテキストと、русский текст и ελληνικά, 한국어",
        "naïve façade — “quotes” ‘single’ … • ™ € † ‡ ž Š",
        "\uD800Ã\uD800© 𠮷😀",
      })
  void text_that_is_fine_stays_as_it_is(String text) {
    assertThat(Mojibake.repair(text)).isSameAs(text);
  }

  @Test
  void the_repair_is_counted() {
    assertThat(new TextNormalizer().normalize("cafÃ©").removed()).isEqualTo(Map.of("mojibake", 1L));
  }

  @Test
  void long_texts_take_linear_time() {
    for (String piece : List.of("Ã", "Ã©", "é", "â€", "浣", "Äã", "锛�", "aÂ")) {
      assertThat(new TextNormalizer().normalize(piece.repeat(500_000)).text()).isNotNull();
    }
  }
}
