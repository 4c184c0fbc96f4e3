package caravan.pipeline.decontaminate;

import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Evaluation items by number, in the order of their files, packed: id, file and length in units of
 * each.
 */
public final class ItemTable implements Serializable {
  private final List<String> files = new ArrayList<>();
  private final int[] fileOf;
  private final int[] units;
  private final int[] idEnds;
  private final byte[] ids;
  private int count;

  /**
   * An empty table.
   *
   * @param items for how many there is room
   * @param idBytes of all their ids in UTF-8
   */
  ItemTable(int items, int idBytes) {
    this.fileOf = new int[items];
    this.units = new int[items];
    this.idEnds = new int[items];
    this.ids = new byte[idBytes];
  }

  /** Adds all items of a part after those that are there. */
  void add(ItemPart part) {
    for (int item = 0; item < part.items(); item++) {
      String file = part.file(item);
      if (files.isEmpty() || !files.get(files.size() - 1).equals(file)) {
        files.add(file);
      }
      fileOf[count] = files.size() - 1;
      units[count] = part.units(item);
      byte[] id = part.id(item).getBytes(StandardCharsets.UTF_8);
      int start = start(count);
      System.arraycopy(id, 0, ids, start, id.length);
      idEnds[count++] = start + id.length;
    }
  }

  private int start(int item) {
    return item == 0 ? 0 : idEnds[item - 1];
  }

  public int count() {
    return count;
  }

  /** An item's own id, or the one its record was given. */
  public String id(int item) {
    return new String(Arrays.copyOfRange(ids, start(item), idEnds[item]), StandardCharsets.UTF_8);
  }

  /** The file that an item is in. */
  public String file(int item) {
    return files.get(fileOf[item]);
  }

  /** Length of an item. */
  public int units(int item) {
    return units[item];
  }
}
