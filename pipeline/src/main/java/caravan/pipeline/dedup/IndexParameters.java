package caravan.pipeline.dedup;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;

/**
 * What entries of two runs must have in common to be compared. Which document of a cluster stays is
 * not among it: what an earlier run decided holds, and a later one may decide by another rule.
 */
final class IndexParameters {
  private static final int SCHEMA = 1;

  private IndexParameters() {}

  static Map<String, Object> of(DedupConfig config, long seed) {
    Map<String, Object> parameters = new TreeMap<>();
    parameters.put("schema", SCHEMA);
    parameters.put("text-key", TextKey.VERSION);
    parameters.put("shingles", Shingles.VERSION);
    parameters.put("dedup.shingle-units", config.shingleUnits());
    parameters.put("dedup.bands", config.bands());
    parameters.put("dedup.rows-per-band", config.rowsPerBand());
    parameters.put("dedup.diagonal-bands", config.diagonalBands());
    parameters.put("dedup.minimum-similarity", config.minimumSimilarity());
    parameters.put("dedup.minimum-survivor-similarity", config.minimumSurvivorSimilarity());
    parameters.put("seed", seed);
    return parameters;
  }

  /**
   * @throws IllegalArgumentException when an index was made with other parameters, naming them
   */
  static void refuseOthers(Path index, Map<String, Object> its, Map<String, Object> ours) {
    List<String> differences = new ArrayList<>();
    Map<String, Object> all = new TreeMap<>(its);
    all.putAll(ours);
    for (String name : all.keySet()) {
      Object indexed = its.get(name);
      Object wanted = ours.get(name);
      if (indexed == null || wanted == null || !indexed.toString().equals(wanted.toString())) {
        differences.add(
            "%s is %s in the index and %s in this run".formatted(name, indexed, wanted));
      }
    }
    if (!differences.isEmpty()) {
      throw new IllegalArgumentException(
          "index %s: was made with other parameters: %s. Run with the index's values, or name an empty directory and deduplicate every day again from the first on"
              .formatted(index, String.join("; ", differences)));
    }
  }
}
