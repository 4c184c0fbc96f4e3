package caravan.pipeline.decontaminate;

import caravan.pipeline.ChainedDocuments;
import caravan.pipeline.Document;
import caravan.pipeline.DocumentIterator;
import caravan.pipeline.Documents;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.storage.StorageLevel;

/**
 * Makes the {@link ItemIndex} of evaluation items on Spark: tasks read the files and pack the
 * n-grams; the driver learns first how much there is, and brings it together only when it fits.
 */
public final class ItemIndexer {
  /** The driver holds the index, and Spark its serialized copy, which is broadcast. */
  private static final int COPIES = 3;

  private final DecontaminateConfig config;

  public ItemIndexer(DecontaminateConfig config) {
    this.config = config;
  }

  /** What a task read; its first record that is no item, if any. */
  private record Indexed(ItemPart part, List<Problem> problems) implements Serializable {
    Size size() {
      return new Size(part.items(), part.ngrams(), part.idBytes(), problems);
    }
  }

  private record Problem(String file, String detail) implements Serializable {}

  private record Size(int items, int ngrams, int idBytes, List<Problem> problems)
      implements Serializable {}

  /** The index of one text. */
  public ItemIndex of(String id, String text) {
    ItemPart part = new ItemPart(config.ngramUnits(), config.minItemUnits());
    part.add(id, "", text);
    check(List.of(new Size(1, part.ngrams(), part.idBytes(), List.of())));
    return joined(List.of(part), config.ngramUnits(), config.maxItemsPerNgram());
  }

  /**
   * @param items readers of the items, in the order of the files
   * @throws IllegalArgumentException when a record is no item, there is none, all are too short, or
   *     the index is larger than allowed
   */
  public ItemIndex of(JavaRDD<DocumentIterator> items) {
    int ngramUnits = config.ngramUnits();
    int minItemUnits = config.minItemUnits();
    JavaRDD<Indexed> parts =
        items.mapPartitions(
            readers -> List.of(indexed(readers, ngramUnits, minItemUnits)).iterator());
    parts.persist(StorageLevel.DISK_ONLY());
    try {
      List<Size> sizes = parts.map(Indexed::size).collect();
      check(sizes);
      Joined joined =
          new Joined(
              sizes.stream().mapToInt(Size::items).sum(),
              sizes.stream().mapToInt(Size::ngrams).sum(),
              sizes.stream().mapToInt(Size::idBytes).sum());
      parts.map(Indexed::part).toLocalIterator().forEachRemaining(joined::add);
      return joined.index(config.ngramUnits(), config.maxItemsPerNgram());
    } finally {
      // Waiting: a command that refuses its items ends here, and Spark would complain in its
      // shutdown.
      parts.unpersist(true);
    }
  }

  private static Indexed indexed(
      Iterator<DocumentIterator> readers, int ngramUnits, int minItemUnits) {
    ItemPart part = new ItemPart(ngramUnits, minItemUnits);
    List<Problem> problems = new ArrayList<>();
    DocumentIterator documents = ChainedDocuments.of(readers);
    while (documents.hasNext()) {
      Document item = documents.next();
      Optional<String> broken = Documents.taggedIfUnreadable(item).map(tagged -> tagged.detail());
      if (broken.isEmpty()) {
        part.add(item.id(), item.path(), item.text());
      } else if (problems.isEmpty()) {
        problems.add(new Problem(item.path(), broken.get()));
      }
    }
    return new Indexed(part, problems);
  }

  private void check(List<Size> sizes) {
    for (Size size : sizes) {
      for (Problem problem : size.problems()) {
        throw new IllegalArgumentException(
            "decontaminate.items: a record of %s is no item: %s; see decontaminate.item-fields and decontaminate.item-id-field"
                .formatted(problem.file(), problem.detail()));
      }
    }
    long items = sizes.stream().mapToLong(Size::items).sum();
    long ngrams = sizes.stream().mapToLong(Size::ngrams).sum();
    long bytes =
        ngrams * ItemIndex.NGRAM_BYTES
            + items * ItemIndex.ITEM_BYTES
            + sizes.stream().mapToLong(Size::idBytes).sum();
    String reached =
        "decontaminate.items: the index of %,d items with %,d n-grams takes %,d MB"
            .formatted(items, ngrams, (bytes >> 20) + 1);
    String parts = "or give the items in parts, each run with the output of the one before";
    if (bytes > (long) config.maxIndexMb() << 20) {
      throw new IllegalArgumentException(
          "%s, decontaminate.max-index-mb allows %,d; raise it, with %d times as much in spark.driver.memory and spark.executor.memory, %s"
              .formatted(reached, config.maxIndexMb(), COPIES, parts));
    }
    long heap = Runtime.getRuntime().maxMemory();
    if (bytes > heap / COPIES) {
      throw new IllegalArgumentException(
          "%s, wanted at most a third of the driver's memory of %,d MB; raise spark.driver.memory, %s"
              .formatted(reached, heap >> 20, parts));
    }
    if (items == 0) {
      throw new IllegalArgumentException(
          "decontaminate.items: got files without a record, wanted evaluation items");
    }
    if (ngrams == 0) {
      throw new IllegalArgumentException(
          "decontaminate.items: got %,d items of fewer than %d units (a Han character, a word), wanted longer ones; lower decontaminate.min-item-units"
              .formatted(items, config.minItemUnits()));
    }
  }

  /** The index of parts, in their order. */
  static ItemIndex joined(List<ItemPart> parts, int ngramUnits, int maxItemsPerNgram) {
    Joined joined =
        new Joined(
            parts.stream().mapToInt(ItemPart::items).sum(),
            parts.stream().mapToInt(ItemPart::ngrams).sum(),
            parts.stream().mapToInt(ItemPart::idBytes).sum());
    parts.forEach(joined::add);
    return joined.index(ngramUnits, maxItemsPerNgram);
  }

  /** Arrays that are filled part by part. */
  private static final class Joined {
    private final ItemTable items;
    private final long[] hashes;
    private final long[] places;
    private int ngrams;

    Joined(int items, int ngrams, int idBytes) {
      this.items = new ItemTable(items, idBytes);
      this.hashes = new long[ngrams];
      this.places = new long[ngrams];
    }

    void add(ItemPart part) {
      int before = items.count();
      items.add(part);
      for (int i = 0; i < part.ngrams(); i++) {
        long place = part.place(i);
        hashes[ngrams] = part.hash(i);
        places[ngrams++] = ItemPart.place(before + ItemPart.item(place), ItemPart.unit(place));
      }
    }

    ItemIndex index(int ngramUnits, int maxItemsPerNgram) {
      return new ItemIndex(items, ngramUnits, maxItemsPerNgram, hashes, places);
    }
  }
}
