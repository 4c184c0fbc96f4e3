/**
 * MediaWiki's markup to plain text, without Spark: {@link caravan.pipeline.wikitext.Wikitext} is
 * the door. {@code Spans} finds what belongs together, {@code Renderer} writes the text in one pass
 * over it, both in linear time and without recursion, so that no page can overflow the stack.
 */
package caravan.pipeline.wikitext;
