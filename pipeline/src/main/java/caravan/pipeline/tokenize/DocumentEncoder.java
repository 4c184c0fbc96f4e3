package caravan.pipeline.tokenize;

import caravan.pipeline.dedup.TextKey;
import caravan.pipeline.shard.TokenManifest;
import caravan.pipeline.shard.TokenType;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import java.util.Map;
import net.openhft.hashing.LongHashFunction;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import scala.collection.JavaConverters;

/**
 * Encodes documents one by one and gives each its place: which split, and where in the split's
 * shuffled order. The split depends on the text and the held-out inputs alone, the order on source,
 * id and seed.
 */
final class DocumentEncoder implements MapPartitionsFunction<Row, Row> {
  /** In place of a split: the text is one of {@code tokenize.validation-input}; not encoded. */
  static final String IN_VALIDATION = "excluded, in validation";

  /** In place of a split: the text is one of {@code tokenize.test-input}; not encoded. */
  static final String IN_TEST = "excluded, in test";

  /** In place of a split: no document; not encoded. */
  static final String UNREADABLE = "unreadable";

  /**
   * {@code split} is one of {@link TokenManifest#SPLITS}, or why there is none; {@code order} is
   * the place in the split, as a signed number; {@code bucket} its highest 16 bits; {@code content}
   * the {@link TextKey} of the text; {@code tokens} the ids as they lie in a shard.
   */
  static final StructType SCHEMA =
      new StructType()
          .add("split", DataTypes.StringType, false)
          .add("bucket", DataTypes.IntegerType, false)
          .add("order", DataTypes.LongType, false)
          .add("source", DataTypes.StringType, false)
          .add("language", DataTypes.StringType, false)
          .add("id", DataTypes.StringType, false)
          .add("content", DataTypes.LongType, false)
          .add("textBytes", DataTypes.LongType, false)
          .add("tokens", DataTypes.BinaryType, false);

  /** Number of buckets. */
  static final int BUCKETS = 1 << 16;

  private static final long serialVersionUID = 1;

  private final Broadcast<Map<String, byte[]>> model;
  private final Broadcast<HeldOutTexts> heldOut;
  private final TokenType dtype;
  private final TokenizeConfig config;
  private final long seed;

  DocumentEncoder(
      Broadcast<Map<String, byte[]>> model,
      Broadcast<HeldOutTexts> heldOut,
      TokenType dtype,
      TokenizeConfig config,
      long seed) {
    this.model = model;
    this.heldOut = heldOut;
    this.dtype = dtype;
    this.config = config;
    this.seed = seed;
  }

  @Override
  public Iterator<Row> call(Iterator<Row> records) {
    Tokenizer tokenizer = tokenizer();
    TokenBuffer ids = new TokenBuffer();
    TextKey key = new TextKey();
    scala.collection.Iterator<Row> rows = JavaConverters.asScalaIterator(records);
    return JavaConverters.asJavaIterator(rows.map(record -> encode(record, tokenizer, ids, key)));
  }

  /** Documents name no special tokens: what looks like one is text. */
  private Tokenizer tokenizer() {
    Tokenizer tokenizer = TokenizerFiles.open(model.value(), config.encoder(), "tokenizer");
    return tokenizer instanceof ByteLevelTokenizer byteLevel
        ? byteLevel.withoutSpecialTokens()
        : tokenizer;
  }

  private Row encode(Row record, Tokenizer tokenizer, TokenBuffer ids, TextKey key) {
    String id = record.getAs("id");
    String source = record.getAs("source");
    String text = record.getAs("text");
    long content = key.of(text);
    String split =
        record.<Boolean>getAs("readable") ? split(record.getAs("given"), content) : UNREADABLE;
    boolean written = TokenManifest.SPLITS.contains(split);
    long place = place(source, id, 0, seed);
    return RowFactory.create(
        split,
        bucket(place),
        place,
        source,
        record.getAs("language"),
        id,
        content,
        written ? utf8Length(text) : 0L,
        written ? tokens(text, tokenizer, ids) : new byte[0]);
  }

  /** Bytes of a text in UTF-8, where half a character is U+FFFD. */
  static long utf8Length(String text) {
    long bytes = text.length();
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c < 0x80) continue;
      // Half of a pair is two of the pair's four bytes.
      boolean pair =
          Character.isHighSurrogate(c)
                  && i + 1 < text.length()
                  && Character.isLowSurrogate(text.charAt(i + 1))
              || Character.isLowSurrogate(c)
                  && i > 0
                  && Character.isHighSurrogate(text.charAt(i - 1));
      bytes += c < 0x800 || pair ? 1 : 2;
    }
    return bytes;
  }

  /** A held-out text is in one split only: test before validation before the corpus. */
  private String split(String given, long content) {
    if (given.equals(TokenManifest.TEST)) {
      return given;
    }
    if (heldOut.value().inTest(content)) {
      return IN_TEST;
    }
    if (given.equals(TokenManifest.VALIDATION)) {
      return given;
    }
    return heldOut.value().inValidation(content) ? IN_VALIDATION : config.split(content);
  }

  /**
   * A document's place in the shuffled order of its split, as a signed number.
   *
   * @param copy from 0; each copy of a document has a place of its own
   */
  static long place(String source, String id, int copy, long seed) {
    String name = source + "\0" + id + (copy == 0 ? "" : "\0" + copy);
    return LongHashFunction.xx3(seed).hashBytes(name.getBytes(StandardCharsets.UTF_8))
        ^ Long.MIN_VALUE;
  }

  static int bucket(long place) {
    return (int) ((place ^ Long.MIN_VALUE) >>> 48);
  }

  private byte[] tokens(String text, Tokenizer tokenizer, TokenBuffer ids) {
    ids.clear();
    ids.add(tokenizer.bosId());
    tokenizer.encodeTo(text, ids);
    if (config.writesEos()) ids.add(tokenizer.eosId());
    return ids.toBytes(dtype);
  }
}
