package caravan.model;

import java.io.Serializable;

/**
 * Adapters beside a base that stays as it is.
 *
 * @param lora which adapters
 * @param base path of the base's checkpoint, which every executor can read
 */
public record Adaptation(LoraConfig lora, String base) implements Serializable {}
