package caravan.pipeline;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import java.io.File;

/** The defaults that users get: conf/reference.conf, read as the command line reads it. */
public final class ReferenceConf {
  private static final JsonMapper MAPPER =
      JsonMapper.builder()
          .propertyNamingStrategy(PropertyNamingStrategies.KEBAB_CASE)
          .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
          .enable(DeserializationFeature.ACCEPT_SINGLE_VALUE_AS_ARRAY)
          .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
          .build();

  private ReferenceConf() {}

  /** A section as its record, with {@code overrides} (HOCON, keys below the section) on top. */
  public static <C extends Record> C read(String section, Class<C> type, String overrides) {
    File file = new File(System.getProperty("caravan.root"), "conf/reference.conf");
    Config reference = ConfigFactory.parseFile(file).resolve().getConfig(section);
    Config config = ConfigFactory.parseString(overrides).withFallback(reference);
    return MAPPER.convertValue(config.root().unwrapped(), type);
  }

  public static <C extends Record> C read(String section, Class<C> type) {
    return read(section, type, "");
  }

  /** A section with the settings of a file of conf/recipes. */
  public static <C extends Record> C recipe(String name, String section, Class<C> type) {
    File file = new File(System.getProperty("caravan.root"), "conf/recipes/" + name + ".conf");
    ConfigParseOptions options = ConfigParseOptions.defaults().setAllowMissing(false);
    Config recipe = ConfigFactory.parseFile(file, options).resolve();
    Config own = recipe.hasPath(section) ? recipe.getConfig(section) : ConfigFactory.empty();
    return read(section, type, own.root().render());
  }
}
