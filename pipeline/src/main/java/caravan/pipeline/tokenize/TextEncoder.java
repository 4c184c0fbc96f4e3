package caravan.pipeline.tokenize;

/** One thread's way from a normalized text to ids. Keeps its memory; not thread-safe. */
interface TextEncoder {
  /**
   * Appends the ids of a text that is not empty.
   *
   * @param prefix whether a space goes before it
   * @param suffix whether one goes after it
   */
  void encode(String text, boolean prefix, boolean suffix, TokenBuffer ids);
}
