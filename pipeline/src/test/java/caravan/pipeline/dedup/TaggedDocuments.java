package caravan.pipeline.dedup;

import caravan.pipeline.Document;
import caravan.pipeline.Documents;
import caravan.pipeline.Tagged;
import caravan.pipeline.TestSpark;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;

/** Documents as a step before keeps them. */
final class TaggedDocuments {
  private TaggedDocuments() {}

  static JavaRDD<Tagged> kept(List<Document> documents, int partitions) {
    return new JavaSparkContext(TestSpark.session().sparkContext())
        .parallelize(documents, partitions)
        .map(
            d ->
                new Tagged(
                    d,
                    Documents.KEPT,
                    "",
                    d.text().codePointCount(0, d.text().length()),
                    Map.of()));
  }

  static Document document(String id, String text) {
    return new Document(id, "test", "a.jsonl", "zh", text, Map.of());
  }

  /** By id; none may be lost, and all characters must be accounted for. */
  static Map<String, Tagged> byId(JavaRDD<Tagged> tagged) {
    return tagged.collect().stream()
        .collect(
            Collectors.toMap(
                t -> t.document().id(),
                t -> {
                  String text = t.document().text();
                  long edited = t.edits().values().stream().mapToLong(Long::longValue).sum();
                  if (text.codePointCount(0, text.length()) + edited != t.inputCharacters()) {
                    throw new AssertionError("characters are lost: " + t);
                  }
                  return t;
                },
                (a, b) -> {
                  throw new AssertionError("twice: " + a);
                },
                TreeMap::new));
  }

  static List<Repeat> repeats(Tagged tagged, String meta) {
    String json = tagged.document().meta().get(meta);
    return json == null ? List.of() : Repeat.ofJson(json);
  }
}
