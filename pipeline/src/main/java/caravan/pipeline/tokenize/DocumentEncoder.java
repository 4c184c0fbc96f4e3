package caravan.pipeline.tokenize;

import caravan.pipeline.shard.TokenType;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
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
 * shuffled order. Both depend on the document and the seed alone.
 */
final class DocumentEncoder implements MapPartitionsFunction<Row, Row> {
  /**
   * {@code order} is the place in the split, as a signed number; {@code bucket} its highest 16
   * bits; {@code content} a hash of the text; {@code tokens} the ids as they lie in a shard.
   */
  static final StructType SCHEMA =
      new StructType()
          .add("validation", DataTypes.BooleanType, false)
          .add("bucket", DataTypes.IntegerType, false)
          .add("order", DataTypes.LongType, false)
          .add("source", DataTypes.StringType, false)
          .add("id", DataTypes.StringType, false)
          .add("content", DataTypes.LongType, false)
          .add("textBytes", DataTypes.LongType, false)
          .add("tokens", DataTypes.BinaryType, false);

  /** Number of buckets. */
  static final int BUCKETS = 1 << 16;

  private static final long serialVersionUID = 1;

  private final Broadcast<byte[]> model;
  private final TokenType dtype;
  private final TokenizeConfig config;
  private final long seed;

  DocumentEncoder(Broadcast<byte[]> model, TokenType dtype, TokenizeConfig config, long seed) {
    this.model = model;
    this.dtype = dtype;
    this.config = config;
    this.seed = seed;
  }

  @Override
  public Iterator<Row> call(Iterator<Row> documents) {
    Tokenizer tokenizer = SentencePieceTokenizer.of(model.value(), "tokenizer");
    TokenBuffer ids = new TokenBuffer();
    scala.collection.Iterator<Row> rows = JavaConverters.asScalaIterator(documents);
    return JavaConverters.asJavaIterator(rows.map(document -> encode(document, tokenizer, ids)));
  }

  private Row encode(Row document, Tokenizer tokenizer, TokenBuffer ids) {
    String id = document.getAs("id");
    String source = document.getAs("source");
    String text = document.getAs("text");
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    long content = LongHashFunction.xx3().hashBytes(utf8);
    long place =
        LongHashFunction.xx3(seed).hashBytes((source + "\0" + id).getBytes(StandardCharsets.UTF_8));
    boolean validation = (content >>> 11) * 0x1p-53 < config.validationFraction();
    return RowFactory.create(
        validation,
        (int) (place >>> 48),
        place ^ Long.MIN_VALUE,
        source,
        id,
        content,
        (long) utf8.length,
        tokens(text, tokenizer, ids));
  }

  private byte[] tokens(String text, Tokenizer tokenizer, TokenBuffer ids) {
    ids.clear();
    ids.add(tokenizer.bosId());
    tokenizer.encodeTo(text, ids);
    if (config.eos()) ids.add(tokenizer.eosId());
    byte[] tokens = new byte[Math.multiplyExact(ids.size(), dtype.bytes())];
    for (int i = 0; i < ids.size(); i++) dtype.put(tokens, i * dtype.bytes(), ids.get(i));
    return tokens;
  }
}
