package caravan.pipeline.clean;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.pipeline.Document;
import caravan.pipeline.ReferenceConf;
import caravan.pipeline.text.Drop;
import caravan.pipeline.text.Judge;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** A toy corpus whose survivors, and the others' reasons, are spelled out. */
class CleanerTest {
  private static final String HARBOUR =
      """
      The harbour was quiet in the early morning, and only a few gulls moved over the water.
      An old man with a blue cap sat on the wall to mend his nets, as he had done for years.
      When the ferry came around the cape, its horn woke the dogs of the village.""";
  private static final String PORT =
      """
      清晨的港口十分安静，只有几只海鸥在水面上盘旋。一位戴着蓝色帽子的老人坐在墙边修补渔网，多年来他一直如此。
      当渡轮绕过海角的时候，汽笛声惊醒了村里所有的狗，它们叫个不停。""";
  private static final String HAFEN =
      """
      Der Hafen war am frühen Morgen still, und nur wenige Möwen zogen über das Wasser dahin.
      Ein alter Mann mit blauer Mütze saß auf der Mauer und flickte seine Netze wie seit Jahren.
      Als die Fähre um das Kap kam, weckte ihr Horn die Hunde des ganzen Dorfes, die bis zum Abend bellten und keine Ruhe mehr gaben.""";

  private static final Map<String, String> CORPUS = new LinkedHashMap<>();

  static {
    CORPUS.put("english", HARBOUR);
    CORPUS.put("chinese", PORT);
    CORPUS.put("full width", PORT.replace("一位", "３位"));
    CORPUS.put("mail", HARBOUR + " Write to jane.doe@example.com for more.");
    CORPUS.put("german", HAFEN);
    CORPUS.put("empty", "");
    CORPUS.put("emoji", "😀😀😀");
    CORPUS.put("short", "短文一篇，没有意思。");
    CORPUS.put("menu", "首页导航\n".repeat(30));
    CORPUS.put("advert", "buy the best shoes and bags with us now ".repeat(30));
    CORPUS.put(
        "fruit", "苹果香蕉橘子葡萄西瓜草莓芒果樱桃，石榴柚子荔枝龙眼菠萝枇杷杨梅椰子，" + "白菜萝卜黄瓜茄子豆角芹菜菠菜韭菜，土豆番薯洋葱大蒜生姜辣椒冬瓜莲藕。");
  }

  private static Cleaner cleaner(String overrides) {
    return new Cleaner(ReferenceConf.read("clean", CleanConfig.class, overrides));
  }

  private static Cleaner.Cleaned clean(Cleaner cleaner, String text) {
    return cleaner.clean(new Document("1", "toy", "toy.txt", "", text, Map.of()));
  }

  private static Map<String, String> verdicts(Cleaner cleaner) {
    Map<String, String> verdicts = new LinkedHashMap<>();
    CORPUS.forEach(
        (name, text) -> {
          Cleaner.Cleaned cleaned = clean(cleaner, text);
          String verdict = cleaned.drop().map(Drop::reason).orElse("kept");
          verdicts.put(name, cleaned.document().language() + " " + verdict);
        });
    return verdicts;
  }

  @Test
  void the_toy_corpus_survives_as_spelled_out() {
    assertThat(verdicts(cleaner("")))
        .containsExactlyEntriesOf(
            ordered(
                "english", "en kept",
                "chinese", "zh kept",
                "full width", "zh kept",
                "mail", "en kept",
                "german", "other language",
                "empty", "other language",
                "emoji", "other language",
                "short", "zh too_short",
                "menu", "zh duplicate_lines",
                "advert", "en top_2_gram",
                "fruit", "zh few_stop_words"));
  }

  private static Map<String, String> ordered(String... pairs) {
    Map<String, String> map = new LinkedHashMap<>();
    for (int i = 0; i < pairs.length; i += 2) {
      map.put(pairs[i], pairs[i + 1]);
    }
    return map;
  }

  @Test
  void each_document_is_judged_by_the_rules_of_its_own_language() {
    Cleaner strictEnglish = cleaner("en.length.min-characters = 1000");
    assertThat(clean(strictEnglish, HARBOUR).drop()).map(Drop::reason).hasValue("too_short");
    assertThat(clean(strictEnglish, PORT).drop()).isEmpty();
  }

  @Test
  void other_languages_stay_when_asked_for() {
    assertThat(clean(cleaner("keep-languages = [other]"), HAFEN).drop()).isEmpty();
    assertThat(clean(cleaner("keep-languages = [other]"), PORT).drop())
        .hasValue(new Drop("language", "zh, kept are [other]"));
  }

  @Test
  void rules_can_be_left_out_and_reordered() {
    Cleaner lengthOnly = cleaner("zh.filters = [length]");
    assertThat(clean(lengthOnly, CORPUS.get("menu")).drop()).isEmpty();
    Cleaner qualityFirst = cleaner("zh.filters = [gopher-quality, length]");
    assertThat(clean(qualityFirst, CORPUS.get("short")).drop())
        .map(Drop::reason)
        .hasValue("too_few_words");
  }

  @Test
  void edits_are_accounted_for_in_kept_and_dropped_documents() {
    Cleaner cleaner = cleaner("");
    String messy = "  " + HARBOUR.replace(", ", ",\u200B \u00A0 ") + " jane.doe@example.com\n\n";
    for (String text : new String[] {messy, HAFEN + "\u200B\u200B  ", PORT + "㎏  \t"}) {
      Cleaner.Cleaned cleaned = clean(cleaner, text);
      String out = cleaned.document().text();
      long removed = cleaned.edits().values().stream().mapToLong(Long::longValue).sum();
      assertThat(out.codePointCount(0, out.length()) + removed)
          .isEqualTo(text.codePointCount(0, text.length()));
    }
    assertThat(clean(cleaner, messy).document().text()).isEqualTo(HARBOUR + " <EMAIL>");
    assertThat(clean(cleaner, messy).edits())
        .containsOnlyKeys("invisible", "whitespace", "pii_email");
  }

  @Test
  void removed_lines_are_accounted_for_and_dropped_documents_stay_whole() {
    Cleaner.Cleaned kept = clean(cleaner(""), "上一篇：海边\n\n" + PORT + "\n加微信 abc 领取优惠券");
    assertThat(kept.document().text()).isEqualTo(PORT);
    assertThat(kept.edits()).isEqualTo(Map.of("line_navigation", 8L, "line_advertising", 14L));
    Cleaner.Cleaned dropped = clean(cleaner(""), "上一篇：海边\n短文一篇，没有意思。  ");
    assertThat(dropped.document().text()).isEqualTo("上一篇：海边\n短文一篇，没有意思。");
    assertThat(dropped.drop()).hasValue(new Drop("too_short", "10 code points, minimum 50"));
    assertThat(dropped.edits()).isEqualTo(Map.of("whitespace", 2L));
  }

  @Test
  void the_story_of_a_document_tells_every_edit_and_every_measure() {
    Document document = new Document("1", "toy", "toy.txt", "", "上一篇：海边\n短文。 ", Map.of());
    Story story = cleaner("zh.filters = [length, page-lines, length]").explain(document);
    Judge.Measure tooLong =
        new Judge.Measure("too_long", 10, "code points", Judge.Bound.MAXIMUM, 1_000_000);
    assertThat(story.language()).isEqualTo("zh");
    assertThat(story.steps())
        .startsWith(
            new Story.Edit("normalize", "上一篇：海边\n短文。 ", "上一篇：海边\n短文。", Map.of("whitespace", 1L)),
            new Story.Verdict(
                "length",
                List.of(
                    new Judge.Measure("too_short", 10, "code points", Judge.Bound.MINIMUM, 50),
                    tooLong),
                Optional.of(new Drop("too_short", "10 code points, minimum 50"))),
            new Story.Edit("page-lines", "上一篇：海边\n短文。", "短文。", Map.of("line_navigation", 7L)));
    assertThat(story.steps()).last().extracting("drop").asString().contains("3 code points");
    assertThat(tooLong.passes()).isTrue();
    assertThat(tooLong.detail()).isEqualTo("10 code points, maximum 1000000");
  }

  @Test
  void a_story_ends_as_the_cleaning_does() {
    Cleaner cleaner = cleaner("");
    CORPUS.forEach(
        (name, text) -> {
          Document document = new Document(name, "toy", "toy.txt", "", text, Map.of());
          assertThat(cleaner.explain(document).outcome()).isEqualTo(cleaner.clean(document));
        });
  }

  @Test
  void traditional_chinese_is_labelled_and_simplified_when_asked_for() {
    String traditional =
        PORT.replace("渔网", "漁網").replace("时候", "時候").replace("惊醒", "驚醒").replace("们", "們");
    traditional = traditional.replace("清晨的港口十分安静", "這個計程車站十分安靜");
    Cleaner.Cleaned kept = clean(cleaner(""), traditional);
    assertThat(kept.document().text()).isEqualTo(traditional);
    Cleaner.Cleaned simplified = clean(cleaner("chinese = simplify_taiwan"), traditional);
    assertThat(simplified.document().text()).isEqualTo(PORT.replace("清晨的港口十分安静", "这个出租车站十分安静"));
    assertThat(simplified.edits()).isEqualTo(Map.of("simplified", 0L));
    assertThat(clean(cleaner(""), PORT).document().meta()).isEqualTo(Map.of("script", "Hans"));
    assertThat(clean(cleaner(""), HARBOUR).document().meta()).isEmpty();
    Document again = cleaner("chinese = simplify").clean(simplified.document()).document();
    assertThat(again).isEqualTo(simplified.document());
  }

  @Test
  void lists_are_read_from_the_files_that_rules_in_use_name() {
    String blocklist =
        "filters = [blocklist], blocklist { word-files = [words], url-files = [urls] }";
    CleanConfig config = ReferenceConf.read("clean", CleanConfig.class, "zh { " + blocklist + " }");
    Map<String, String> texts = Map.of("words", "# bad\n渔网 \n\n", "urls", "\uFEFFa.com/b\n");
    ListFiles lists = ListFiles.read(config, path -> texts.get(path).getBytes(UTF_8));
    Cleaner cleaner = new Cleaner(config, lists, Learned.NOTHING);
    assertThat(clean(cleaner, PORT).drop())
        .hasValue(new Drop("blocked_words", "1 blocked words, maximum 0"));
    Document page = new Document("1", "s", "p", "", "好文章", Map.of("url", "http://www.a.com/b?c"));
    assertThat(cleaner.clean(page).drop())
        .hasValue(new Drop("blocked_url", "1 blocked addresses (a.com/b), maximum 0"));
    assertThat(lists.digests()).containsOnlyKeys("urls", "words");
    assertThat(lists.digests().get("urls"))
        .isNotEqualTo(ListFiles.read(config, path -> new byte[] {'x'}).digests().get("urls"));
    assertThat(ListFiles.read(ReferenceConf.read("clean", CleanConfig.class), null).digests())
        .isEmpty();
    assertThatThrownBy(() -> new Cleaner(config))
        .hasMessageContaining("blocklist words: not read; the cleaner needs ListFiles.read");
    assertThatThrownBy(
            () ->
                new Cleaner(
                    config, ListFiles.read(config, path -> new byte[] {'#'}), Learned.NOTHING))
        .hasMessageContaining("blocklist words: no entry in it, wanted one a line");
  }

  @Test
  void wrong_settings_are_named() {
    assertThatThrownBy(() -> cleaner("keep-languages = [zh, fr]"))
        .hasMessageContaining(
            "clean.keep-languages: got [zh, fr], wanted one or more of zh, en and other");
    assertThatThrownBy(() -> cleaner("en.filters = [lenght]"))
        .hasMessageContaining(
            "clean filters: got lenght, wanted one or more of boilerplate-lines, language-lines");
    assertThatThrownBy(() -> cleaner("zh.length.max-chars = 3")).hasMessageContaining("max-chars");
  }
}
