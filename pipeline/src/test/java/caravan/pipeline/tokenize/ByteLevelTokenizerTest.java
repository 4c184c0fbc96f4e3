package caravan.pipeline.tokenize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import caravan.pipeline.tokenize.ByteLevelVocabulary.Added;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ByteLevelTokenizerTest {
  private static List<String> tokens(String... more) {
    List<String> tokens = new ArrayList<>();
    for (int value = 0; value < 256; value++) {
      tokens.add(Character.toString(ByteLevelVocabulary.character(value)));
    }
    tokens.addAll(List.of(more));
    return tokens;
  }

  private static ByteLevelTokenizer tokenizer(
      List<String> tokens, List<String> merges, boolean ignoresMerges) {
    return new ByteLevelTokenizer(
        new ByteLevelVocabulary(
            tokens,
            merges,
            PreTokenizer.GPT2,
            ignoresMerges,
            List.of(new Added(tokens.size(), "<|end|>", true)),
            false,
            -1,
            tokens.size(),
            -1),
        Map.of(),
        "0");
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  @Test
  void theEarliestMergeGoesFirstAndWordsAreNotJoined() {
    ByteLevelTokenizer tokenizer =
        tokenizer(tokens("bc", "ab", "abc", "Ġa"), List.of("b c", "a b", "a bc", "Ġ a"), false);
    assertThat(tokenizer.encode("abc")).containsExactly(258);
    assertThat(tokenizer.encode("ab c")).containsExactly(257, ' ', 'c');
    assertThat(tokenizer.encode("a ab")).containsExactly('a', ' ', 257);
    assertThat(tokenizer.encode("a ac")).containsExactly('a', 259, 'c');
    assertThat(tokenizer.encode("")).isEmpty();
  }

  @Test
  void aWholeWordWinsOverItsMergesWhereTheVocabularySaysSo() {
    List<String> tokens = tokens("ab", "cd", "abc");
    List<String> merges = List.of("a b", "b c", "ab c");
    assertThat(tokenizer(tokens("ab", "bc", "abc"), List.of("b c", "a b"), true).encode("abc"))
        .containsExactly(258);
    assertThat(tokenizer(tokens("ab", "bc", "abc"), List.of("b c", "a b"), false).encode("abc"))
        .containsExactly('a', 257);
    assertThatThrownBy(() -> tokenizer(tokens, merges, false))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("merge 1 'b c': wanted two tokens whose join is a token");
  }

  @Test
  void specialTokensAreFoundInTextUnlessTheyMustNotBe() {
    ByteLevelTokenizer tokenizer = tokenizer(tokens("ab"), List.of("a b"), false);
    assertThat(tokenizer.encode("ab<|end|>ab")).containsExactly(256, 257, 256);
    int[] plain = tokenizer.withoutSpecialTokens().encode("ab<|end|>");
    assertThat(plain).hasSize(8).doesNotContain(257);
    assertThat(tokenizer.decode(plain)).isEqualTo("ab<|end|>");
    assertThat(tokenizer.decode(256, 257)).isEqualTo("ab");
    assertThat(tokenizer.eosId()).isEqualTo(257);
    assertThat(tokenizer.vocabSize()).isEqualTo(258);
  }

  @Test
  void oddTextStaysWhole() {
    ByteLevelTokenizer tokenizer = tokenizer(tokens(), List.of(), false);
    String odd = "你好😀\u3000\0 \n\n  e\u0301";
    assertThat(tokenizer.decode(tokenizer.encode(odd))).isEqualTo(odd);
    assertThat(tokenizer.decode(tokenizer.encode("a\uD83Db"))).isEqualTo("a\uFFFDb");
    assertThat(tokenizer.decode(0xE4, 'a')).isEqualTo("\uFFFDa");
    assertThatThrownBy(() -> tokenizer.decode(999))
        .hasMessageStartingWith("token id 999 is outside the vocabulary of 257 pieces");
  }

  @Test
  void aVocabularyThatWouldLoseTextIsRefused() {
    List<String> tokens = tokens();
    tokens.set(0x41, "AA");
    assertThatThrownBy(() -> tokenizer(tokens, List.of(), false))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "vocabulary: no token for byte 0x41 ('A') and no unknown token, so that text would be"
                + " lost; wanted a byte-level vocabulary");
    assertThatThrownBy(() -> tokenizer(tokens("A"), List.of(), false))
        .hasMessage("vocabulary: token 'A' has the ids 65 and 256");
  }

  @Test
  void aControlCharacterThatTheVocabularyLacksGivesNothing() {
    List<String> tokens = tokens("ab");
    tokens.set(4, "unused");
    ByteLevelTokenizer tokenizer = tokenizer(tokens, List.of("a b"), false);
    assertThat(tokenizer.encode("!\u0004!")).containsExactly('!', '!');
    assertThat(tokenizer.encode("\u0004")).isEmpty();
  }

  /** A tokenizer.json with bytes, {@code ab} and the special token {@code <s>}. */
  static byte[] json() {
    return utf8(json("", ""));
  }

  private static String json(String changed, String with) {
    StringBuilder vocab = new StringBuilder();
    List<String> tokens = tokens("ab");
    for (int id = 0; id < tokens.size(); id++) {
      String token = tokens.get(id).replace("\\", "\\\\").replace("\"", "\\\"");
      vocab.append(id == 0 ? "" : ",").append('"').append(token).append("\":").append(id);
    }
    String whole =
        """
        {"added_tokens": [{"id": 257, "content": "<s>", "special": true, "lstrip": false}],
         "normalizer": null, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
         "decoder": {"type": "ByteLevel"},
         "model": {"type": "BPE", "vocab": {VOCAB}, "merges": [["a", "b"]]}}"""
            .replace("VOCAB", vocab);
    assertThat(whole).contains(changed);
    return whole.replace(changed, with);
  }

  private static void isRefused(String changed, String with, String reason) {
    assertThatThrownBy(
            () -> TokenizerJson.read(utf8(json(changed, with)), Optional.empty(), "t.json"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("t.json")
        .hasMessageContaining(reason);
  }

  @Test
  void whatWouldChangeIdsAndIsNotKnownIsRefusedByName() {
    assertThat(TokenizerJson.read(json(), Optional.empty(), "t.json").encode("ab"))
        .containsExactly(256);
    isRefused("\"BPE\"", "\"Unigram\"", "model.type is 'Unigram', wanted BPE");
    isRefused("\"normalizer\": null", "\"normalizer\": {\"type\":\"Lowercase\"}", "is Lowercase");
    isRefused("\"lstrip\": false", "\"lstrip\": true", "added token '<s>' has lstrip");
    isRefused("\"add_prefix_space\": false", "\"add_prefix_space\": true", "add_prefix_space");
    isRefused("{\"type\": \"ByteLevel\", \"add", "{\"type\": \"Metaspace\", \"add", "'Metaspace'");
    isRefused("[[\"a\", \"b\"]]", "[[\"a\", \"zz\"]]", "merge 0 'a zz': wanted two tokens");
    isRefused("\"decoder\": {\"type\": \"ByteLevel\"},", "", "decoder.type is ''");
    isRefused("{\"added", "[\"added", "is not JSON");
  }

  @Test
  void begunAndEndedByWhatTheConfigurationNames() {
    ByteLevelTokenizer tokenizer =
        TokenizerJson.read(json(), Optional.of(utf8("{\"bos_token\": \"<s>\"}")), "t.json");
    assertThat(tokenizer.bosId()).isEqualTo(257);
    assertThat(tokenizer.eosId()).isEqualTo(-1);
    assertThat(tokenizer.files()).containsOnlyKeys("tokenizer.json", "tokenizer_config.json");
    assertThatThrownBy(
            () ->
                TokenizerJson.read(
                    json(), Optional.of(utf8("{\"eos_token\": \"</s>\"}")), "t.json"))
        .hasMessageContaining("eos_token is '</s>', which is no added token");
  }

  private static byte[] ranks(String... tokens) {
    StringBuilder lines = new StringBuilder();
    for (int value = 0; value < 256; value++) {
      lines.append(Base64.getEncoder().encodeToString(new byte[] {(byte) value}));
      lines.append(' ').append(value).append('\n');
    }
    for (int i = 0; i < tokens.length; i++) {
      lines.append(Base64.getEncoder().encodeToString(utf8(tokens[i])));
      lines.append(' ').append(256 + i).append('\n');
    }
    return utf8(lines.toString());
  }

  @Test
  void ranksAreIdsAndOrder() {
    byte[] file = ranks("bc", "ab", "abc", "你");
    assertThat(Tiktoken.isTiktoken(file)).isTrue();
    assertThat(Tiktoken.isTiktoken(TestModels.model("a").toBytes())).isFalse();
    ByteLevelTokenizer tokenizer = Tiktoken.read(file, "tokenizer.model", "t");
    assertThat(tokenizer.encode("abcab")).containsExactly(258, 257);
    assertThat(tokenizer.encode("你<|eot_id|>")).containsExactly(259, 260 + 9);
    assertThat(tokenizer.vocabSize()).isEqualTo(260 + 256);
    assertThat(tokenizer.bosId()).isEqualTo(260);
  }

  @Test
  void aDamagedRankFileIsRefused() {
    byte[] file = ranks("bc", "ab");
    String text = new String(file, StandardCharsets.UTF_8);
    assertThatThrownBy(() -> Tiktoken.read(utf8(text.replace(" 10\n", " 9999\n")), "m", "t"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("t: rank 9,999, but there are 258 tokens; the file is cut off or damaged");
    assertThatThrownBy(() -> Tiktoken.read(utf8(text.replace("AQ== 1\n", "A? 1\n")), "m", "t"))
        .hasMessageStartingWith("t: line 2 is 'A? 1', wanted base64 and a rank");
    byte[] cut = Arrays.copyOf(file, file.length - 12);
    assertThatThrownBy(() -> Tiktoken.read(cut, "m", "t")).hasMessageStartingWith("t: ");
  }
}
