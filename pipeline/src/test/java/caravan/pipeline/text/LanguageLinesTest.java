package caravan.pipeline.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class LanguageLinesTest {
  private static final String ENGLISH =
      "The ferry leaves the harbour at eight o'clock in the morning.";
  private static final String CHINESE = "渡轮每天早上八点从港口出发，大约十点到达岛上的小村庄，下午再回来。";
  private static final String GERMAN = "Die Fähre verlässt den Hafen um acht Uhr morgens.";
  private static final String JAPANESE = "フェリーは毎朝八時に港を出発し、十時ごろ島の小さな村に着きます。";

  private static TextEdit.Edited edit(List<String> keep, String... lines) {
    return new LanguageLines(keep, 30, 0.9).edit(Passage.of(String.join("\n", lines)));
  }

  @Test
  void lines_in_other_languages_go_and_are_counted() {
    var edited = edit(List.of("zh", "en"), CHINESE, GERMAN, ENGLISH, JAPANESE);
    assertThat(edited.text()).isEqualTo(CHINESE + "\n" + ENGLISH);
    assertThat(edited.removed())
        .isEqualTo(Map.of("other_language_line", GERMAN.length() + JAPANESE.length() + 2L));
    assertThat(edit(List.of("zh"), CHINESE, ENGLISH).text()).isEqualTo(CHINESE);
    assertThat(edit(List.of("en"), CHINESE, "𠮷" + CHINESE, ENGLISH).text()).isEqualTo(ENGLISH);
  }

  @Test
  void short_lines_and_lines_without_letters_stay() {
    String[] lines = {"Guten Tag", "— 1234567890 — 1234567890 — 1234567890 —", "", "😀😀"};
    assertThat(edit(List.of("zh", "en"), lines).removed()).isEmpty();
    assertThat(edit(List.of("zh", "en"), "").text()).isEmpty();
  }

  @Test
  void wrong_settings_are_named() {
    assertThatThrownBy(() -> new LanguageLines(List.of("fr"), 30, 0.9))
        .hasMessage("language-lines.keep: got [fr], wanted one or more of zh, en and other");
    assertThatThrownBy(() -> new LanguageLines(List.of("zh"), 30, 2))
        .hasMessage("min-confidence: got 2.0, wanted 0 to 1");
  }
}
