package caravan.pipeline.decontaminate;

import caravan.pipeline.text.Words;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What one task made of its evaluation items, in arrays that grow: 16 bytes for each n-gram, and
 * for each item its id and 16 bytes. The texts are not kept.
 */
final class ItemPart implements Serializable {
  private final int ngramUnits;
  private final int minItemUnits;
  private final List<String> files = new ArrayList<>();
  private int[] fileOf = new int[16];
  private int[] units = new int[16];
  private int[] idEnds = new int[16];
  private byte[] ids = new byte[256];
  private int items;
  private long[] hashes = new long[256];
  private long[] places = new long[256];
  private int ngrams;

  /**
   * @param ngramUnits units of an n-gram
   * @param minItemUnits items of fewer units are listed, and not looked for
   */
  ItemPart(int ngramUnits, int minItemUnits) {
    this.ngramUnits = ngramUnits;
    this.minItemUnits = minItemUnits;
  }

  /** A place of an n-gram: whose it is, and at which of its units it begins. */
  static long place(int item, int unit) {
    return (long) item << Integer.SIZE | unit;
  }

  static int item(long place) {
    return (int) (place >>> Integer.SIZE);
  }

  static int unit(long place) {
    return (int) place;
  }

  /**
   * @param id of the item's record
   * @param file that it is in
   */
  void add(String id, String file, String text) {
    if (items == units.length) {
      fileOf = Arrays.copyOf(fileOf, 2 * items);
      units = Arrays.copyOf(units, 2 * items);
      idEnds = Arrays.copyOf(idEnds, 2 * items);
    }
    if (files.isEmpty() || !files.get(files.size() - 1).equals(file)) {
      files.add(file);
    }
    Words words = Words.of(text);
    fileOf[items] = files.size() - 1;
    units[items] = words.count();
    idEnds[items] = addId(id.getBytes(StandardCharsets.UTF_8));
    int length = Math.min(ngramUnits, words.count());
    if (words.count() >= minItemUnits) {
      addNgrams(Ngram.hashes(words, length));
    }
    items++;
  }

  private int addId(byte[] id) {
    int start = items == 0 ? 0 : idEnds[items - 1];
    if (ids.length < start + id.length) {
      ids = Arrays.copyOf(ids, Math.max(2 * ids.length, start + id.length));
    }
    System.arraycopy(id, 0, ids, start, id.length);
    return start + id.length;
  }

  private void addNgrams(long[] grams) {
    if (hashes.length < ngrams + grams.length) {
      int capacity = Math.max(2 * hashes.length, ngrams + grams.length);
      hashes = Arrays.copyOf(hashes, capacity);
      places = Arrays.copyOf(places, capacity);
    }
    for (int unit = 0; unit < grams.length; unit++) {
      hashes[ngrams] = grams[unit];
      places[ngrams++] = place(items, unit);
    }
  }

  int items() {
    return items;
  }

  int ngrams() {
    return ngrams;
  }

  /** Bytes of all ids. */
  int idBytes() {
    return items == 0 ? 0 : idEnds[items - 1];
  }

  String id(int item) {
    int start = item == 0 ? 0 : idEnds[item - 1];
    return new String(ids, start, idEnds[item] - start, StandardCharsets.UTF_8);
  }

  String file(int item) {
    return files.get(fileOf[item]);
  }

  int units(int item) {
    return units[item];
  }

  long hash(int ngram) {
    return hashes[ngram];
  }

  long place(int ngram) {
    return places[ngram];
  }
}
