package caravan.pipeline.decontaminate;

import java.io.Serializable;
import java.util.List;

/**
 * Settings of {@link DecontaminateStage}; {@code conf/reference.conf} holds their defaults.
 *
 * @param items files of evaluation items: paths, globs
 * @param itemFields fields of an item's record whose texts are looked for, as {@code
 *     read.text-field} names them
 * @param itemIdField field with an item's own id; empty: ids are made
 * @param action what becomes of a document that holds an n-gram of an item
 * @param ngramUnits units (a Han character, a word of other letters and digits) of an n-gram, 1 to
 *     100
 * @param minItemUnits shorter items are not looked for, 1 to {@code ngramUnits}; items between the
 *     two are looked for as a whole
 * @param maxItemsPerNgram n-grams that more items hold are not looked for, at least 1
 * @param maxIndexMb mebibytes that the items' index may take, 1 to 2000
 */
public record DecontaminateConfig(
    List<String> items,
    List<String> itemFields,
    String itemIdField,
    Action action,
    int ngramUnits,
    int minItemUnits,
    int maxItemsPerNgram,
    int maxIndexMb)
    implements Serializable {

  /** What becomes of a contaminated document. */
  public enum Action {
    /** It is dropped, whole. */
    DROP,
    /** The matching passages are cut out. */
    CUT,
    /** It stays; only the report tells. */
    REPORT
  }

  public DecontaminateConfig {
    items = List.copyOf(items);
    itemFields = List.copyOf(itemFields);
    if (itemFields.isEmpty() || itemFields.contains("")) {
      throw new IllegalArgumentException(
          "decontaminate.item-fields: got " + itemFields + ", wanted names of fields with text");
    }
    check("ngram-units", ngramUnits, 100);
    check("min-item-units", minItemUnits, ngramUnits);
    check("max-items-per-ngram", maxItemsPerNgram, Integer.MAX_VALUE);
    check("max-index-mb", maxIndexMb, 2000);
  }

  private static void check(String key, int value, int maximum) {
    if (value < 1 || value > maximum) {
      throw new IllegalArgumentException(
          "decontaminate." + key + ": got " + value + ", wanted a number from 1 to " + maximum);
    }
  }
}
