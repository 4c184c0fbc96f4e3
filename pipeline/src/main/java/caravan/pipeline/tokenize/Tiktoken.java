package caravan.pipeline.tokenize;

import caravan.pipeline.Json;
import caravan.pipeline.tokenize.ByteLevelVocabulary.Added;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * Reads Llama-3's own {@code tokenizer.model}: a line a token, its bytes in base64 and its rank,
 * which is its id. Two neighbours merge where their bytes together are a token, lowest rank first;
 * 256 special tokens follow.
 */
public final class Tiktoken {
  private static final Pattern FIRST_LINE = Pattern.compile("[A-Za-z0-9+/]+={0,2} \\d+\\r?");
  private static final int SPECIALS = 256;

  private Tiktoken() {}

  /** Whether a file begins as such a list; a SentencePiece model never does. */
  public static boolean isTiktoken(byte[] file) {
    int end = 0;
    while (end < file.length && end < 1 << 12 && file[end] != '\n') end++;
    String line = new String(file, 0, end, StandardCharsets.ISO_8859_1);
    return FIRST_LINE.matcher(line).matches();
  }

  /**
   * @param name of the file, which checkpoints carry it by
   * @param location where it comes from, for error messages
   * @throws IllegalArgumentException if a line is no token and rank, or a rank or byte is missing
   */
  public static ByteLevelTokenizer read(byte[] file, String name, String location) {
    List<String> tokens = tokens(file, location);
    List<Added> specials = new ArrayList<>();
    for (String text : specialNames()) {
      specials.add(new Added(tokens.size() + specials.size(), text, true));
    }
    int first = tokens.size();
    try {
      return new ByteLevelTokenizer(
          new ByteLevelVocabulary(
              tokens, List.of(), PreTokenizer.LLAMA3, true, specials, false, first, first + 1, -1),
          Map.of(name, file),
          HexFormat.of().formatHex(Json.sha256().digest(file)));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(location + ": " + e.getMessage(), e);
    }
  }

  private static List<String> tokens(byte[] file, String location) {
    Map<Integer, String> byRank = new LinkedHashMap<>();
    String[] lines = new String(file, StandardCharsets.ISO_8859_1).split("\r?\n");
    for (int i = 0; i < lines.length; i++) {
      if (lines[i].isEmpty()) continue;
      try {
        int space = lines[i].indexOf(' ');
        byte[] bytes = Base64.getDecoder().decode(lines[i].substring(0, space));
        int rank = Integer.parseInt(lines[i].substring(space + 1));
        if (byRank.put(rank, ByteLevelVocabulary.spelled(bytes)) != null) {
          throw new IllegalArgumentException("rank " + rank + " is there twice");
        }
      } catch (IllegalArgumentException | StringIndexOutOfBoundsException e) {
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT,
                "%s: line %,d is '%.40s', wanted base64 and a rank (%s); the file is damaged",
                location,
                i + 1,
                lines[i],
                e.getMessage()),
            e);
      }
    }
    List<String> tokens = new ArrayList<>(Collections.nCopies(byRank.size(), null));
    byRank.forEach(
        (rank, token) -> {
          if (rank < 0 || rank >= tokens.size()) {
            throw new IllegalArgumentException(
                String.format(
                    Locale.ROOT,
                    "%s: rank %,d, but there are %,d tokens; the file is cut off or damaged",
                    location,
                    rank,
                    tokens.size()));
          }
          tokens.set(rank, token);
        });
    return tokens;
  }

  /** Llama-3's, in the order of their ids; later versions have names for some reserved ones. */
  private static List<String> specialNames() {
    List<String> names =
        new ArrayList<>(
            List.of(
                "<|begin_of_text|>",
                "<|end_of_text|>",
                "<|reserved_special_token_0|>",
                "<|reserved_special_token_1|>",
                "<|reserved_special_token_2|>",
                "<|reserved_special_token_3|>",
                "<|start_header_id|>",
                "<|end_header_id|>",
                "<|reserved_special_token_4|>",
                "<|eot_id|>"));
    for (int i = 5; names.size() < SPECIALS; i++) names.add("<|reserved_special_token_" + i + "|>");
    return names;
  }
}
