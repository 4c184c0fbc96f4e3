package caravan.model.train;

import caravan.model.ParameterLayout;
import caravan.model.ParameterRanges;
import caravan.model.checkpoint.HuggingFaceWeights;
import caravan.model.checkpoint.HuggingFaceWeights.Slice;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Which tensors of a model are trained, by Hugging Face's names. */
final class TrainedTensors {
  private static final Pattern LAYER = Pattern.compile("(model\\.layers\\.\\d+)\\..*");

  private TrainedTensors() {}

  /**
   * @param freeze patterns of names that are not trained; {@code *} stands for any characters
   * @param blockSteps steps of a block's turn, 0 for all blocks at once: the embedding (which may
   *     be the head too), each layer, then the final norm with the head
   * @throws IllegalArgumentException for a pattern that fits no tensor, and when none is left
   */
  static Turns turns(ParameterLayout layout, List<String> freeze, int blockSteps) {
    List<Slice> slices = HuggingFaceWeights.slices(layout);
    List<Pattern> patterns = freeze.stream().map(TrainedTensors::pattern).toList();
    for (int i = 0; i < patterns.size(); i++) {
      Pattern pattern = patterns.get(i);
      if (slices.stream().noneMatch(slice -> pattern.matcher(slice.name()).matches())) {
        throw new IllegalArgumentException(
            "train.freeze: got %s, which fits no tensor, wanted names such as %s, %s or model.layers.*.mlp.*"
                .formatted(
                    freeze.get(i), slices.get(0).name(), slices.get(slices.size() - 1).name()));
      }
    }
    if (patterns.isEmpty() && blockSteps == 0) {
      return Turns.ALL;
    }
    Map<String, ParameterRanges> parts = new LinkedHashMap<>();
    for (Slice slice : slices) {
      if (patterns.stream().noneMatch(pattern -> pattern.matcher(slice.name()).matches())) {
        parts.merge(
            blockSteps == 0 ? "all" : block(slice.name()),
            new ParameterRanges(List.of(slice.offset(), slice.offset() + slice.length())),
            (before, more) -> before.plus(more.from(0), more.to(0)));
      }
    }
    if (parts.isEmpty()) {
      throw new IllegalArgumentException(
          "train.freeze: got " + freeze + ", which leaves nothing to train");
    }
    return new Turns(new ArrayList<>(parts.values()), blockSteps);
  }

  /** Those of the patterns that fit a tensor. */
  static List<String> fitting(ParameterLayout layout, List<String> patterns) {
    List<Slice> slices = HuggingFaceWeights.slices(layout);
    return patterns.stream()
        .filter(glob -> slices.stream().anyMatch(s -> pattern(glob).matcher(s.name()).matches()))
        .toList();
  }

  private static String block(String name) {
    var layer = LAYER.matcher(name);
    if (layer.matches()) {
      return layer.group(1);
    }
    return name.startsWith("model.embed_tokens") ? "embedding" : "head";
  }

  private static Pattern pattern(String glob) {
    return Pattern.compile(
        List.of(glob.split("\\*", -1)).stream()
            .map(Pattern::quote)
            .collect(Collectors.joining(".*")));
  }
}
