package caravan.pipeline.tokenize;

import java.util.Arrays;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How a byte-level BPE vocabulary cuts a text into words before merging: no merge crosses a cut.
 * The patterns are those that Hugging Face's {@code tokenizers} 0.23 runs by Oniguruma, whose
 * letters and numbers are {@link UnicodeClasses}.
 */
public enum PreTokenizer {
  /** GPT-2's. */
  GPT2(
      "gpt-2",
      "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"),

  /** Llama-3's: numbers of up to three digits, line ends after punctuation. */
  LLAMA3(
      "llama-bpe",
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
          + " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"),

  /** Qwen2's: Llama-3's with single digits. */
  QWEN2(
      "qwen2",
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|"
          + " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"),

  /** SmolLM's: first every digit by itself, then each part as GPT-2 does. */
  SMOLLM("smollm", GPT2.pattern);

  private static final Pattern DIGIT = Pattern.compile("[" + UnicodeClasses.RUST_NUMBER + "]");

  private final String ggufName;
  private final String pattern;
  private final Pattern words;

  PreTokenizer(String ggufName, String pattern) {
    this.ggufName = ggufName;
    this.pattern = pattern;
    String widened =
        pattern
            .replace("\\p{L}+", "[\\p{L}]+")
            .replace(" ?\\p{N}+", " ?[\\p{N}]+")
            .replace("|\\p{N}", "|[\\p{N}]")
            .replace("\\p{L}", UnicodeClasses.LETTER)
            .replace("\\p{N}", UnicodeClasses.NUMBER);
    this.words = Pattern.compile(widened, Pattern.UNICODE_CHARACTER_CLASS | Pattern.UNICODE_CASE);
  }

  /** The one that GGUF names so in {@code tokenizer.ggml.pre}. */
  public static Optional<PreTokenizer> ofGguf(String name) {
    return Arrays.stream(values()).filter(p -> p.ggufName.equals(name)).findFirst();
  }

  /** The one of a {@code Split} by this pattern, as tokenizer.json writes it. */
  static Optional<PreTokenizer> ofPattern(String pattern) {
    return Arrays.stream(values())
        .filter(p -> p != SMOLLM && p.pattern.equals(pattern))
        .findFirst();
  }

  /** Hands on the words of a text, in order; all of them together are the text. */
  void split(String text, Consumer<String> sink) {
    if (this != SMOLLM) {
      splitWords(text, sink);
      return;
    }
    Matcher digits = DIGIT.matcher(text);
    int start = 0;
    while (digits.find()) {
      if (digits.start() > start) splitWords(text.substring(start, digits.start()), sink);
      splitWords(digits.group(), sink);
      start = digits.end();
    }
    if (start < text.length()) splitWords(text.substring(start), sink);
  }

  private void splitWords(String text, Consumer<String> sink) {
    Matcher matcher = words.matcher(text);
    while (matcher.find()) sink.accept(matcher.group());
  }
}
