package caravan.pipeline.tokenize;

import caravan.pipeline.shard.TokenManifest;
import java.util.Iterator;
import java.util.stream.IntStream;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;

/**
 * Rows of {@link DocumentEncoder#SCHEMA} to the rows that are written: training documents as often
 * as the mixture says, each copy in a place of its own; every other document once.
 */
record MixedCopies(Mixture mixture, long seed) implements FlatMapFunction<Row, Row> {
  @Override
  public Iterator<Row> call(Row document) {
    String source = document.getAs("source");
    boolean train = document.getAs("split").equals(TokenManifest.TRAIN);
    int copies =
        train
            ? mixture.copies(source, document.getAs("language"), document.getAs("content"), seed)
            : 1;
    return IntStream.range(0, copies)
        .mapToObj(
            copy -> at(document, DocumentEncoder.place(source, document.getAs("id"), copy, seed)))
        .iterator();
  }

  private static Row at(Row document, long place) {
    Object[] values = new Object[document.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = document.get(i);
    }
    values[DocumentEncoder.SCHEMA.fieldIndex("bucket")] = DocumentEncoder.bucket(place);
    values[DocumentEncoder.SCHEMA.fieldIndex("order")] = place;
    return RowFactory.create(values);
  }
}
