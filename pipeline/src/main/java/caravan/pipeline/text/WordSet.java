package caravan.pipeline.text;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import java.io.Serializable;
import java.util.Arrays;
import java.util.List;

/** Words to count in a text, whatever their case; known by their hashes. */
public final class WordSet implements Serializable {
  private final List<String> words;
  private final long[] hashes;

  @JsonCreator
  public WordSet(List<String> words) {
    this.words = List.copyOf(words);
    this.hashes = words.stream().mapToLong(Words::hashOf).distinct().sorted().toArray();
  }

  @JsonValue
  public List<String> list() {
    return words;
  }

  /** Number of different words. */
  public int size() {
    return hashes.length;
  }

  /** How many different ones of these words the text has; counts up to {@code enough}. */
  int differentIn(Words text, int enough) {
    boolean[] found = new boolean[hashes.length];
    int count = 0;
    for (int i = 0; i < text.count() && count < enough; i++) {
      int index = Arrays.binarySearch(hashes, text.hash(i));
      if (index >= 0 && !found[index]) {
        found[index] = true;
        count++;
      }
    }
    return count;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof WordSet that && that.words.equals(words);
  }

  @Override
  public int hashCode() {
    return words.hashCode();
  }

  @Override
  public String toString() {
    return words.toString();
  }
}
