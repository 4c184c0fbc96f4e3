package caravan.pipeline.learn;

import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.DocumentSource;
import caravan.pipeline.Documents;
import caravan.pipeline.Split;
import caravan.pipeline.Storage;
import caravan.pipeline.text.Words;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Spliterators;
import java.util.stream.StreamSupport;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.util.SerializableConfiguration;

/** Readable documents of a source, all of them or a sample. */
record SourceDocuments(JavaSparkContext sc, DocumentSource source) {
  private static final long ALL_BYTES = 32L << 20;

  /** Small, so that a sample comes from many places. */
  private static final long SAMPLE_BYTES = 1L << 20;

  JavaRDD<Document> all() {
    return documents(source.splits(List.of(), ALL_BYTES));
  }

  /**
   * Documents of splits chosen by a hash of where they lie: the same for the same files, wherever
   * they are and whoever reads them.
   *
   * @param bytes stored bytes after which there is enough
   */
  JavaRDD<Document> sample(long bytes) {
    List<Split> splits = new ArrayList<>(source.splits(List.of(), SAMPLE_BYTES));
    splits.sort(Comparator.comparing(SourceDocuments::rank).thenComparing(Split::toString));
    long sum = 0;
    int count = 0;
    while (count < splits.size() && sum < bytes) {
      sum += splits.get(count++).bytes();
    }
    return documents(splits.subList(0, count));
  }

  private static long rank(Split s) {
    return Words.hashOf(
        s.file().source() + "\0" + s.file().relativePath() + "\0" + s.start() + "\0" + s.slice());
  }

  private JavaRDD<Document> documents(List<Split> splits) {
    SerializableConfiguration conf = new SerializableConfiguration(sc.hadoopConfiguration());
    DocumentSource from = source;
    int tasks = Math.max(1, Math.min(splits.size(), 10_000));
    return sc.parallelize(new ArrayList<>(splits), tasks)
        .flatMap(split -> documents(from, split, conf.value()));
  }

  private static Iterator<Document> documents(
      DocumentSource source, Split split, Configuration conf) throws IOException {
    DocumentIterator documents = source.open(split, new Storage(conf));
    TaskContext.get()
        .addTaskCompletionListener(
            context -> {
              try {
                documents.close();
              } catch (IOException e) {
                throw new UncheckedIOException(split.file().path() + ": cannot close it", e);
              }
            });
    return StreamSupport.stream(Spliterators.spliteratorUnknownSize(documents, 0), false)
        .filter(document -> Documents.taggedIfUnreadable(document).isEmpty())
        .iterator();
  }
}
