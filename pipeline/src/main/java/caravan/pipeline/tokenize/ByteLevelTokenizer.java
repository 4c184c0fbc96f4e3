package caravan.pipeline.tokenize;

import caravan.pipeline.tokenize.ByteLevelVocabulary.Added;
import java.io.ByteArrayOutputStream;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Byte-level BPE, the tokenizer of GPT-2, Llama-3, SmolLM2 and Qwen2 (Radford et al. 2019, section
 * 2.2): a text is cut into words, a word's bytes are merged. Ids and text equal those of Hugging
 * Face's {@code tokenizers} 0.23.3, without special tokens added, and with the tokens that a text
 * itself names (such as {@code <|im_start|>}) found in it; {@link #withoutSpecialTokens} reads
 * these as any other text. Bytes that the vocabulary lacks (of text only control characters may be
 * such) give the unknown token, or where there is none, nothing, as there.
 *
 * <p>Thread-safe.
 */
public final class ByteLevelTokenizer implements Tokenizer {
  private static final long serialVersionUID = 1;
  private static final int REMEMBERED_WORDS = 1 << 16;
  private static final int MAX_REMEMBERED_CHARS = 32;
  private static final char REPLACEMENT = '\uFFFD';

  private final ByteLevelVocabulary vocabulary;
  private final Map<String, byte[]> files;
  private final String sha256;
  private final boolean findsSpecial;

  private final transient Map<String, Integer> idOf;
  private final transient int[] byteIds;
  private final transient PairMerges merges;
  private final transient Map<Integer, Added> addedById;
  private final transient Map<String, Added> addedByText;
  private final transient Pattern added;

  /** Made when it is first asked for. */
  private transient volatile ByteLevelTokenizer plain;

  /** Direct-mapped; entries are immutable, so that a race costs at most one more encoding. */
  private final transient Encoded[] remembered = new Encoded[REMEMBERED_WORDS];

  private record Encoded(String word, int[] ids) {}

  /**
   * @param files what the vocabulary was read from, by file name, for checkpoints to carry
   * @param sha256 of the main one of them
   * @throws IllegalArgumentException if tokens are double, merges name tokens that are not there,
   *     or a byte that text needs has neither token nor unknown token
   */
  public ByteLevelTokenizer(
      ByteLevelVocabulary vocabulary, Map<String, byte[]> files, String sha256) {
    this(vocabulary, new TreeMap<>(files), sha256, true);
  }

  private ByteLevelTokenizer(
      ByteLevelVocabulary vocabulary,
      Map<String, byte[]> files,
      String sha256,
      boolean findsSpecial) {
    this.vocabulary = vocabulary;
    this.files = files;
    this.sha256 = sha256;
    this.findsSpecial = findsSpecial;
    this.idOf = ids(vocabulary.tokens());
    this.byteIds = byteIds();
    this.merges = merges();
    this.addedById = new HashMap<>();
    this.addedByText = new HashMap<>();
    vocabulary.added().forEach(token -> addedById.put(token.id(), token));
    vocabulary.added().forEach(token -> addedByText.put(token.text(), token));
    this.added = pattern();
  }

  /** The same vocabulary, for texts that must not name special tokens: they are read as text. */
  public ByteLevelTokenizer withoutSpecialTokens() {
    if (!findsSpecial) return this;
    if (plain == null) plain = new ByteLevelTokenizer(vocabulary, files, sha256, false);
    return plain;
  }

  private static Map<String, Integer> ids(List<String> tokens) {
    Map<String, Integer> ids = new HashMap<>();
    for (int id = 0; id < tokens.size(); id++) {
      String token = tokens.get(id);
      if (token == null) continue;
      Integer other = ids.put(token, id);
      if (other != null) {
        throw new IllegalArgumentException(
            "vocabulary: token '" + token + "' has the ids " + other + " and " + id);
      }
    }
    return ids;
  }

  private int[] byteIds() {
    int[] ids = new int[256];
    for (int value = 0; value < 256; value++) {
      String token = Character.toString(ByteLevelVocabulary.character(value));
      ids[value] = idOf.getOrDefault(token, vocabulary.unkId());
      if (ids[value] < 0 && isText(value)) {
        throw new IllegalArgumentException(
            String.format(
                "vocabulary: no token for byte 0x%02X ('%s') and no unknown token, so that text"
                    + " would be lost; wanted a byte-level vocabulary",
                value, token));
      }
    }
    return ids;
  }

  /**
   * Whether text in any language may hold a byte. SmolLM2's vocabulary lacks some others: control
   * characters, and what begins characters of planes without any.
   */
  private static boolean isText(int value) {
    boolean ascii = value >= ' ' && value <= '~' || value == '\t' || value == '\n' || value == '\r';
    return ascii
        || value >= 0x80 && value <= 0xBF
        || value >= 0xC2 && value <= 0xF0
        || value == 0xF3;
  }

  private PairMerges merges() {
    if (vocabulary.merges().isEmpty()) return mergesByRank();
    PairMerges table = new PairMerges();
    for (int rank = 0; rank < vocabulary.merges().size(); rank++) {
      String merge = vocabulary.merges().get(rank);
      int space = merge.indexOf(' ');
      Integer left = space < 0 ? null : idOf.get(merge.substring(0, space));
      Integer right = space < 0 ? null : idOf.get(merge.substring(space + 1));
      Integer merged = space < 0 ? null : idOf.get(merge.replace(" ", ""));
      if (left == null || right == null || merged == null) {
        throw new IllegalArgumentException(
            "merge " + rank + " '" + merge + "': wanted two tokens whose join is a token");
      }
      table.put(left, right, rank, merged);
    }
    return table;
  }

  /** Without merges, any two tokens merge whose join is a token; its id is its rank. */
  private PairMerges mergesByRank() {
    PairMerges table = new PairMerges();
    idOf.forEach(
        (token, id) -> {
          for (int i = 1; i < token.length(); i++) {
            Integer left = idOf.get(token.substring(0, i));
            Integer right = left == null ? null : idOf.get(token.substring(i));
            if (right != null) table.put(left, right, id, id);
          }
        });
    return table;
  }

  /** Finds added tokens, of those that start at a place the longest; null if there are none. */
  private Pattern pattern() {
    String alternatives =
        vocabulary.added().stream()
            .filter(token -> findsSpecial || !token.special())
            .map(Added::text)
            .filter(text -> !text.isEmpty())
            .sorted(Comparator.comparing(String::length).reversed())
            .map(Pattern::quote)
            .collect(Collectors.joining("|"));
    return alternatives.isEmpty() ? null : Pattern.compile(alternatives);
  }

  @Override
  public void encodeTo(String text, TokenBuffer ids) {
    String whole = withoutUnpairedSurrogates(text);
    BpeMerger merger = new BpeMerger(merges);
    if (added == null) {
      encodePart(whole, merger, ids);
      return;
    }
    Matcher matcher = added.matcher(whole);
    int start = 0;
    while (matcher.find()) {
      encodePart(whole.substring(start, matcher.start()), merger, ids);
      ids.add(addedByText.get(matcher.group()).id());
      start = matcher.end();
    }
    encodePart(whole.substring(start), merger, ids);
  }

  private void encodePart(String text, BpeMerger merger, TokenBuffer ids) {
    if (text.isEmpty()) return;
    String part =
        vocabulary.normalizesNfc() ? Normalizer.normalize(text, Normalizer.Form.NFC) : text;
    vocabulary.preTokenizer().split(part, word -> encodeWord(word, merger, ids));
  }

  private void encodeWord(String word, BpeMerger merger, TokenBuffer ids) {
    if (word.length() > MAX_REMEMBERED_CHARS) {
      ids.add(merged(word, merger));
      return;
    }
    int hash = word.hashCode() * 0x9E3779B1;
    int slot = (hash ^ hash >>> 16) & (REMEMBERED_WORDS - 1);
    Encoded seen = remembered[slot];
    if (seen == null || !seen.word.equals(word)) {
      seen = new Encoded(word, merged(word, merger));
      remembered[slot] = seen;
    }
    ids.add(seen.ids);
  }

  private int[] merged(String word, BpeMerger merger) {
    byte[] bytes = word.getBytes(StandardCharsets.UTF_8);
    if (vocabulary.ignoresMerges()) {
      Integer id = idOf.get(ByteLevelVocabulary.spelled(bytes));
      if (id != null) return new int[] {id};
    }
    int[] symbols = new int[bytes.length];
    int count = 0;
    for (byte b : bytes) {
      if (byteIds[b & 0xFF] >= 0) symbols[count++] = byteIds[b & 0xFF];
    }
    return Arrays.copyOf(symbols, merger.merge(symbols, count));
  }

  private static String withoutUnpairedSurrogates(String text) {
    StringBuilder mended = null;
    for (int i = 0; i < text.length(); ) {
      int codePoint = text.codePointAt(i);
      if (Character.getType(codePoint) == Character.SURROGATE) {
        if (mended == null) mended = new StringBuilder(text);
        mended.setCharAt(i, REPLACEMENT);
      }
      i += Character.charCount(codePoint);
    }
    return mended == null ? text : mended.toString();
  }

  /**
   * {@inheritDoc} Special tokens give no text; each run of bytes that breaks off within a character
   * gives one U+FFFD.
   */
  @Override
  public String decode(int... ids) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    for (int id : ids) {
      Added token = addedById.get(Ids.requireInVocabulary(id, vocabSize()));
      if (token != null && token.special()) continue;
      String text = piece(id);
      byte[] spelled = ByteLevelVocabulary.bytes(text);
      bytes.writeBytes(spelled != null ? spelled : text.getBytes(StandardCharsets.UTF_8));
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }

  @Override
  public int vocabSize() {
    int size = vocabulary.tokens().size();
    for (Added token : vocabulary.added()) size = Math.max(size, token.id() + 1);
    return size;
  }

  @Override
  public int bosId() {
    return vocabulary.bosId();
  }

  @Override
  public int eosId() {
    return vocabulary.eosId();
  }

  @Override
  public int unkId() {
    return vocabulary.unkId();
  }

  /** The token of an id in GPT-2's spelling; empty for an id without one. */
  @Override
  public String piece(int id) {
    Added token = addedById.get(Ids.requireInVocabulary(id, vocabSize()));
    if (token != null) return token.text();
    String text = vocabulary.tokens().get(id);
    return text == null ? "" : text;
  }

  @Override
  public String sha256() {
    return sha256;
  }

  @Override
  public Map<String, byte[]> files() {
    return Map.copyOf(files);
  }

  private record Serialized(
      ByteLevelVocabulary vocabulary,
      TreeMap<String, byte[]> files,
      String sha256,
      boolean findsSpecial)
      implements Serializable {
    private Object readResolve() {
      return new ByteLevelTokenizer(vocabulary, files, sha256, findsSpecial);
    }
  }

  private Object writeReplace() {
    return new Serialized(vocabulary, new TreeMap<>(files), sha256, findsSpecial);
  }
}
