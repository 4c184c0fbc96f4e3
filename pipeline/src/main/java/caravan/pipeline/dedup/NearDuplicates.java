package caravan.pipeline.dedup;

import static org.apache.spark.sql.functions.broadcast;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.udf;

import java.io.Serializable;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.stream.LongStream;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoder;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.expressions.UserDefinedFunction;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Finds pairs of similar texts: MinHash bands propose them, the exact Jaccard similarity of their
 * shingle sets decides. Texts are named by their {@link TextKey}.
 */
final class NearDuplicates implements Serializable {
  /** Up to this many pairs (32 MB of keys) go to every executor; else all texts go to the pairs. */
  private static final long BROADCAST_PAIRS = 2_000_000;

  private static final Encoder<Row> MEMBER = Encoders.row(longs("bucket", "key"));
  private static final Encoder<Row> PAIR = Encoders.row(longs("a", "b"));
  private static final Encoder<Row> END = Encoders.row(longs("a", "b", "key"));
  private static final Encoder<Row> SIMILARITY =
      Encoders.row(longs("a", "b").add("similarity", DataTypes.DoubleType, false));
  private static final Encoder<Row> SET =
      Encoders.row(longs("key").add("set", DataTypes.BinaryType, false));

  private final DedupConfig config;
  private final UserDefinedFunction buckets;

  NearDuplicates(DedupConfig config, long seed) {
    this.config = config;
    this.buckets = udf(new Buckets(config, seed), DataTypes.BinaryType);
  }

  /** The text's LSH buckets, 8 bytes each; none for a text without shingles. */
  Column buckets(Column text) {
    return buckets.apply(text);
  }

  /**
   * @param texts rows with key: long and buckets: binary
   * @return rows (a: long, b: long), a below b, each pair once
   */
  Dataset<Row> candidates(Dataset<Row> texts) {
    int width = config.bucketWindow();
    FlatMapFunction<Row, Row> members =
        text -> {
          long key = text.getLong(0);
          return LongStream.of(unpack(text.getAs(1)))
              .mapToObj(bucket -> RowFactory.create(bucket, key))
              .iterator();
        };
    MapPartitionsFunction<Row, Row> pairs = rows -> new Expansion<>(rows, new Pairs(width));
    return texts
        .select("key", "buckets")
        .flatMap(members, MEMBER)
        .repartition(col("bucket"))
        .sortWithinPartitions("bucket", "key")
        .mapPartitions(pairs, PAIR)
        .distinct();
  }

  /**
   * @param keyedTexts rows (key: long, text: string)
   * @param pairs rows (a: long, b: long)
   * @return rows (key: long, set: binary), one for each key that some pair names
   */
  Dataset<Row> shingleSets(Dataset<Row> keyedTexts, CachedRows pairs) {
    Dataset<Row> named =
        pairs
            .rows()
            .select(col("a").as("key"))
            .union(pairs.rows().select(col("b").as("key")))
            .distinct();
    int units = config.shingleUnits();
    MapPartitionsFunction<Row, Row> sets = rows -> new Expansion<>(rows, new Sets(units));
    return keyedTexts
        .join(small(pairs, named), keyedTexts.col("key").equalTo(named.col("key")), "left_semi")
        .repartition(col("key"))
        .sortWithinPartitions("key")
        .mapPartitions(sets, SET);
  }

  /**
   * @param pairs rows that start with a: long and b: long, each pair once
   * @param sets the shingle sets of all their keys
   * @return the exact Jaccard similarity of each pair: rows (a: long, b: long, similarity: double)
   */
  Dataset<Row> similarities(CachedRows pairs, Dataset<Row> sets) {
    FlatMapFunction<Row, Row> ends =
        pair -> {
          long a = pair.getLong(0);
          long b = pair.getLong(1);
          return List.of(RowFactory.create(a, b, a), RowFactory.create(a, b, b)).iterator();
        };
    MapPartitionsFunction<Row, Row> jaccards = rows -> new Expansion<>(rows, new Jaccards());
    Dataset<Row> wanted = small(pairs, pairs.rows().flatMap(ends, END));
    return sets.join(wanted, "key")
        .select("a", "b", "set")
        .repartition(col("a"), col("b"))
        .sortWithinPartitions("a", "b")
        .mapPartitions(jaccards, SIMILARITY);
  }

  /** Marks what was made of pairs for sending to every executor, when the pairs are few. */
  private static Dataset<Row> small(CachedRows pairs, Dataset<Row> made) {
    return pairs.count() <= BROADCAST_PAIRS ? broadcast(made) : made;
  }

  private static byte[] pack(long[] values) {
    byte[] bytes = new byte[values.length * Long.BYTES];
    ByteBuffer.wrap(bytes).asLongBuffer().put(values);
    return bytes;
  }

  private static long[] unpack(byte[] bytes) {
    long[] values = new long[bytes.length / Long.BYTES];
    ByteBuffer.wrap(bytes).asLongBuffer().get(values);
    return values;
  }

  private static StructType longs(String... names) {
    StructType type = new StructType();
    for (String name : names) {
      type = type.add(name, DataTypes.LongType, false);
    }
    return type;
  }

  /** Text to packed buckets. Spark gives each task a copy of its own, so buffers may be kept. */
  private static final class Buckets implements UDF1<String, byte[]> {
    private final int shingleUnits;
    private final int bandCount;
    private final int rowsPerBand;
    private final long seed;
    private transient Shingles shingles;
    private transient MinHash minHash;
    private transient LshBands bands;
    private transient int[] signature;

    Buckets(DedupConfig config, long seed) {
      this.shingleUnits = config.shingleUnits();
      this.bandCount = config.bands();
      this.rowsPerBand = config.rowsPerBand();
      this.seed = seed;
    }

    @Override
    public byte[] call(String text) {
      if (shingles == null) {
        bands = new LshBands(bandCount, rowsPerBand);
        minHash = new MinHash(bands.permutations(), seed);
        signature = new int[bands.permutations()];
        shingles = new Shingles(shingleUnits);
      }
      int count = shingles.read(text);
      if (count == 0) {
        return new byte[0];
      }
      minHash.sign(shingles.hashes(), count, signature);
      long[] buckets = new long[bandCount];
      for (int band = 0; band < bandCount; band++) {
        buckets[band] = bands.bucket(signature, band);
      }
      return pack(buckets);
    }
  }

  /** Rows (bucket, key), sorted, to pairs. */
  private static final class Pairs implements BiConsumer<Row, Consumer<Row>> {
    private final BucketWindow window;

    Pairs(int width) {
      window = new BucketWindow(width);
    }

    @Override
    public void accept(Row member, Consumer<Row> out) {
      long key = member.getLong(1);
      int partners = window.accept(member.getLong(0), key);
      for (int i = 0; i < partners; i++) {
        out.accept(RowFactory.create(window.partner(i), key));
      }
    }
  }

  /** Rows (key, text), sorted by key, to one shingle set per key. */
  private static final class Sets implements BiConsumer<Row, Consumer<Row>> {
    private final Shingles shingles;
    private boolean started;
    private long previous;

    Sets(int shingleUnits) {
      shingles = new Shingles(shingleUnits);
    }

    @Override
    public void accept(Row keyedText, Consumer<Row> out) {
      long key = keyedText.getLong(0);
      if (!started || key != previous) {
        started = true;
        previous = key;
        out.accept(RowFactory.create(key, pack(shingles.set(keyedText.getString(1)))));
      }
    }
  }

  /** Rows (a, b, set), sorted: two for each pair. */
  private static final class Jaccards implements BiConsumer<Row, Consumer<Row>> {
    private Row first;

    @Override
    public void accept(Row end, Consumer<Row> out) {
      if (first == null) {
        first = end;
        return;
      }
      if (first.getLong(0) != end.getLong(0) || first.getLong(1) != end.getLong(1)) {
        throw new IllegalStateException(
            "pair " + first.getLong(0) + ", " + first.getLong(1) + ": one shingle set, wanted two");
      }
      double similarity = Shingles.jaccard(unpack(first.getAs(2)), unpack(end.getAs(2)));
      out.accept(RowFactory.create(end.getLong(0), end.getLong(1), similarity));
      first = null;
    }
  }
}
