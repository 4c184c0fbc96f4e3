package caravan.pipeline;

import java.util.Iterator;
import java.util.List;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;

/** Documents in memory, read as a {@link Stage} reads files. */
public final class TestDocuments {
  private TestDocuments() {}

  public static JavaRDD<DocumentIterator> readers(List<Document> documents, int partitions) {
    return new JavaSparkContext(TestSpark.session().sparkContext())
        .parallelize(documents, partitions)
        .mapPartitions(part -> List.of(reader(part)).iterator());
  }

  private static DocumentIterator reader(Iterator<Document> documents) {
    return new DocumentIterator() {
      @Override
      protected Document advance() {
        return documents.hasNext() ? documents.next() : null;
      }

      @Override
      public void close() {}
    };
  }
}
