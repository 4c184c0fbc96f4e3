package caravan.pipeline.text;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * OpenCC's words and characters, traditional to simplified, as tries over chars, and which
 * characters only traditional or only simplified text has. Loaded once.
 */
final class ChineseDictionary {
  /** Characters of both writings, and all else. */
  static final byte BOTH = 0;

  static final byte TRADITIONAL = 1;
  static final byte SIMPLIFIED = 2;

  private static final String RESOURCE = "traditional.tsv";

  private static final class Holder {
    static final ChineseDictionary DICTIONARY = new ChineseDictionary();
  }

  private final byte[] script = new byte[0x10000];
  private final CharTrie characters = new CharTrie();
  private final CharTrie taiwan = new CharTrie();

  private ChineseDictionary() {
    List<String[]> entries = read();
    for (String[] entry : entries) {
      if (entry[0].equals("s")) {
        entry[1].chars().forEach(c -> script[c] = SIMPLIFIED);
      } else if (entry[1].length() == 1 && !entry[1].equals(entry[2])) {
        script[entry[1].charAt(0)] = TRADITIONAL;
      }
    }
    // What a word keeps or becomes is no sign of traditional text: 乾坤, 瞭望.
    for (String[] entry : entries) {
      for (char c : entry[entry.length - 1].toCharArray()) {
        script[c] = script[c] == TRADITIONAL ? BOTH : script[c];
      }
    }
    put(entries, "t", characters);
    put(entries, "t", taiwan);
    put(entries, "w", taiwan);
  }

  private void put(List<String[]> entries, String kind, CharTrie trie) {
    for (String[] entry : entries) {
      if (entry[0].equals(kind)) {
        boolean certain = entry[1].chars().anyMatch(c -> script[c] == TRADITIONAL);
        trie.put(entry[1], entry[2], certain);
      }
    }
  }

  private static List<String[]> read() {
    List<String[]> entries = new ArrayList<>();
    try (InputStream in = ChineseDictionary.class.getResourceAsStream(RESOURCE);
        BufferedReader reader =
            new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        if (!line.startsWith("#")) {
          entries.add(line.split("\t"));
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(RESOURCE + ": the dictionary in the jar is unreadable", e);
    }
    return entries;
  }

  static ChineseDictionary get() {
    return Holder.DICTIONARY;
  }

  /** {@link #TRADITIONAL}, {@link #SIMPLIFIED} or {@link #BOTH}. */
  byte script(char c) {
    return script[c];
  }

  /** Words and characters of any traditional text. */
  CharTrie characters() {
    return characters;
  }

  /** The same with Taiwan's vocabulary. */
  CharTrie taiwan() {
    return taiwan;
  }
}
