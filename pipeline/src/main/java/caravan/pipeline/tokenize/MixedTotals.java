package caravan.pipeline.tokenize;

import caravan.pipeline.shard.TokenManifest;
import caravan.pipeline.shard.TokenManifest.Shard;
import caravan.pipeline.shard.TokenManifest.SourceShare;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What was read and what the mixture made of it.
 *
 * @param read before mixing
 * @param written after it
 */
record MixedTotals(EncodedTotals read, EncodedTotals written, Mixture mixture) {

  /** The training documents per source and language. */
  List<SourceShare> sources() {
    Map<List<String>, EncodedTotals.Group> after = new HashMap<>();
    written
        .groups(TokenManifest.TRAIN)
        .forEach(g -> after.put(List.of(g.source(), g.language()), g));
    return read.groups(TokenManifest.TRAIN).stream()
        .map(
            before -> {
              EncodedTotals.Group now = after.get(List.of(before.source(), before.language()));
              return new SourceShare(
                  before.source(),
                  before.language(),
                  before.documents(),
                  before.tokens(),
                  mixture.epochs(before.source(), before.language()),
                  now == null ? 0 : now.documents(),
                  now == null ? 0 : now.tokens());
            })
        .toList();
  }

  /**
   * The manifest's counts.
   *
   * @throws IllegalStateException when the shards do not hold what was to be written
   */
  Map<String, Long> counts(List<Shard> shards) {
    Map<String, Long> counts = new TreeMap<>(Map.of("textBytes", written.textBytes()));
    for (Shard shard : shards) {
      for (String key : List.of("tokens", shard.split() + "Tokens")) {
        counts.merge(key, shard.tokens(), Long::sum);
      }
      for (String key : List.of("documents", shard.split() + "Documents")) {
        counts.merge(key, shard.documents(), Long::sum);
      }
    }
    if (counts.get("documents") != written.documents()) {
      throw new IllegalStateException(
          String.format(
              "tokenize: wrote %,d documents of %,d; run it again",
              counts.get("documents"), written.documents()));
    }
    counts.put("excludedInValidation", read.documents(EncodedDocument.IN_VALIDATION));
    counts.put("excludedInTest", read.documents(EncodedDocument.IN_TEST));
    counts.put("unreadable", read.documents(EncodedDocument.UNREADABLE));
    counts.put("putAside", read.documents(EncodedDocument.PUT_ASIDE));
    return counts;
  }
}
