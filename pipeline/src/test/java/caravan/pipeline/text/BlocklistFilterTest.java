package caravan.pipeline.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class BlocklistFilterTest {
  private static final BlockedHosts HOSTS =
      new BlockedHosts(
          List.of("bad.example", "sub.site.cn"),
          List.of("https://www.site.cn/ads/", "x.org/p?q=1"));

  private static BlocklistFilter words(int maxWords, String... words) {
    return new BlocklistFilter(new Phrases(List.of(words)), maxWords, HOSTS, "url");
  }

  private static String verdict(BlocklistFilter filter, String text, Map<String, String> meta) {
    Passage passage = Passage.of(text, meta);
    return filter.check(passage).map(d -> d.reason() + ": " + d.detail()).orElse("kept");
  }

  @Test
  void chinese_words_match_anywhere_and_latin_ones_whole() {
    BlocklistFilter filter = words(0, "赌场", "casino", "𠮷利");
    assertThat(verdict(filter, "澳门赌场上线", Map.of()))
        .isEqualTo("blocked_words: 1 blocked words, maximum 0");
    assertThat(verdict(filter, "Best CASINO赌场 and 𠮷利", Map.of())).startsWith("blocked_words: 3");
    assertThat(verdict(filter, "casinos and a minicasino in 𠮷林", Map.of())).isEqualTo("kept");
    assertThat(verdict(filter, "", Map.of())).isEqualTo("kept");
  }

  @Test
  void some_occurrences_may_be_tolerated() {
    assertThat(verdict(words(2, "bad"), "bad Bad good", Map.of())).isEqualTo("kept");
    assertThat(verdict(words(2, "bad"), "bad Bad good bad", Map.of()))
        .isEqualTo("blocked_words: 3 blocked words, maximum 2");
  }

  @Test
  void a_domain_blocks_its_subdomains_and_a_page_itself() {
    assertThat(blocks("http://bad.example")).isTrue();
    assertThat(blocks("https://www.Bad.Example:8080/x")).isTrue();
    assertThat(blocks("https://deep.shop.bad.example/x#y")).isTrue();
    assertThat(blocks("https://notbad.example/")).isFalse();
    assertThat(blocks("http://site.cn/")).as("only a subdomain and a page").isFalse();
    assertThat(blocks("http://a.sub.site.cn")).isTrue();
    assertThat(blocks("site.cn/ads?from=here")).isTrue();
    assertThat(blocks("site.cn/ads/more")).isFalse();
    assertThat(blocks("http://x.org/p")).isTrue();
    assertThat(blocks("")).isFalse();
  }

  private static boolean blocks(String url) {
    return HOSTS.blocking(url).isPresent();
  }

  @Test
  void the_address_is_in_the_record_s_field() {
    assertThat(verdict(words(0), "text", Map.of("url", "http://bad.example/")))
        .isEqualTo("blocked_url: 1 blocked addresses (bad.example), maximum 0");
    assertThat(verdict(words(0), "text", Map.of("link", "http://bad.example/"))).isEqualTo("kept");
  }

  @Test
  void phrases_are_found_as_a_plain_search_finds_them() {
    Random random = new Random(1);
    for (int round = 0; round < 500; round++) {
      List<String> list =
          random.ints(5, 1, 5).mapToObj(length -> letters(random, length)).distinct().toList();
      String text = letters(random, 40);
      Phrases phrases = new Phrases(list);
      boolean plainly = list.stream().anyMatch(text::contains);
      assertThat(phrases.occursIn(text, 0, text.length()))
          .as(list + " in " + text)
          .isEqualTo(plainly);
    }
  }

  private static String letters(Random random, int length) {
    StringBuilder letters = new StringBuilder();
    random.ints(length, 0, 4).forEach(i -> letters.append("ab汉字".charAt(i)));
    return letters.toString();
  }

  @Test
  void impossible_thresholds_are_refused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> words(-1))
        .withMessage("max-words: got -1.0, wanted 0 or more");
  }
}
