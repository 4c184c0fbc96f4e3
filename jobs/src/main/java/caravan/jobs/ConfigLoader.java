package caravan.jobs;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigUtil;
import com.typesafe.config.ConfigValueFactory;
import java.io.IOException;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * Settings of one run: {@code KEY=VALUE} over {@code --config} files (later over earlier) over
 * {@code reference.conf}, which holds every key there is. A command's settings are a record: its
 * component {@code averagingSteps} is the key {@code averaging-steps}, a component that is a record
 * is a section. {@code spark.*} keys stand apart: they go to Spark as they are.
 *
 * <p>Every mistake is an {@link IllegalArgumentException} of one sentence or two: which key of
 * which file, what it holds, what was wanted.
 */
public final class ConfigLoader {
  private static final ObjectMapper MAPPER =
      JsonMapper.builder()
          .addModule(new Jdk8Module())
          .propertyNamingStrategy(PropertyNamingStrategies.KEBAB_CASE)
          .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
          .enable(DeserializationFeature.ACCEPT_SINGLE_VALUE_AS_ARRAY)
          .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
          .build();

  private final ConfigKeys keys;
  private final Config settings;
  private final List<String> overridden;
  private final Map<String, String> sparkProperties = new TreeMap<>();

  private ConfigLoader(Config reference, List<Path> files, List<String> overrides) {
    keys = new ConfigKeys(reference);
    Config merged = ConfigFactory.empty();
    for (Path file : files) {
      Config parsed = ConfigKeys.writtenOut(parse(file));
      keys.check(parsed, file.toString());
      merged = parsed.withFallback(merged);
    }
    Config commandLine = ConfigFactory.empty();
    for (String override : overrides) {
      commandLine = ConfigKeys.writtenOut(parse(override)).withFallback(commandLine);
    }
    keys.check(commandLine, "the command line");
    overridden = List.copyOf(ConfigKeys.leaves(commandLine.withoutPath("spark")).keySet());
    Config all = commandLine.withFallback(merged);
    try {
      settings = all.withoutPath("spark").withFallback(reference).resolve();
      readSparkProperties(merged.resolve());
      readSparkProperties(commandLine);
    } catch (ConfigException e) {
      throw new IllegalArgumentException("configuration: " + e.getMessage(), e);
    }
  }

  /**
   * @param files HOCON files, later ones win
   * @param overrides {@code KEY=VALUE}; a value that starts with a bracket, brace or double quote
   *     is HOCON, any other is taken as it is
   * @throws IllegalArgumentException for a file that cannot be read, and for a key that
   *     reference.conf does not have
   */
  public static ConfigLoader of(List<Path> files, List<String> overrides) {
    Config reference =
        ConfigFactory.parseResources(ConfigLoader.class.getClassLoader(), "reference.conf");
    return new ConfigLoader(reference, files, overrides);
  }

  static ConfigLoader of(Config reference, List<Path> files, List<String> overrides) {
    return new ConfigLoader(reference, files, overrides);
  }

  /**
   * The settings that {@code type} names.
   *
   * @throws IllegalArgumentException for a missing key, a value of the wrong type or one that the
   *     record refuses, and for a {@code KEY=VALUE} that the record does not read
   */
  public <C extends Record> C read(Class<C> type) {
    Map<String, Object> resolved = resolved(type);
    for (String key : overridden) {
      if (!contains(resolved, ConfigUtil.splitPath(key))) {
        throw new IllegalArgumentException(
            "%s: this command does not read it. It reads %s"
                .formatted(key, String.join(", ", resolved.keySet())));
      }
    }
    try {
      return MAPPER.convertValue(resolved, type);
    } catch (IllegalArgumentException e) {
      throw explained(e);
    }
  }

  /** The same settings as plain maps and lists, as reports and manifests keep them. */
  public Map<String, Object> resolved(Class<? extends Record> type) {
    return select(type, settings.root().unwrapped(), "");
  }

  /** Settings as a command got them, in the keys' own names. */
  public static Map<String, Object> asMap(Record config) {
    @SuppressWarnings("unchecked")
    Map<String, Object> map = MAPPER.convertValue(config, LinkedHashMap.class);
    return map;
  }

  /** Every {@code spark.*} key of the files and the command line. */
  public Map<String, String> sparkProperties() {
    return Map.copyOf(sparkProperties);
  }

  /** The keys of reference.conf that a record reads; tests compare them with the file. */
  static List<String> keysOf(Class<? extends Record> type) {
    List<String> keys = new ArrayList<>();
    for (RecordComponent component : type.getRecordComponents()) {
      String name = keyOf(component);
      Optional<Class<? extends Record>> section = section(component);
      if (section.isPresent()) {
        keysOf(section.get()).forEach(key -> keys.add(name + "." + key));
      } else {
        keys.add(name);
      }
    }
    return keys;
  }

  private Map<String, Object> select(
      Class<? extends Record> type, Map<String, Object> values, String prefix) {
    Map<String, Object> selected = new LinkedHashMap<>();
    for (RecordComponent component : type.getRecordComponents()) {
      String name = keyOf(component);
      String path = prefix + name;
      Object value = values.get(name);
      Optional<Class<? extends Record>> section = section(component);
      if (value == null) {
        if (component.getType() != Optional.class) {
          throw new IllegalArgumentException(path + ": not given. " + keys.described(path));
        }
        selected.put(name, null);
      } else if (section.isPresent() && value instanceof Map<?, ?> map) {
        @SuppressWarnings("unchecked")
        Map<String, Object> inner = (Map<String, Object>) map;
        selected.put(name, select(section.get(), inner, path + "."));
      } else {
        selected.put(name, value);
      }
    }
    return selected;
  }

  private static String keyOf(RecordComponent component) {
    return ((PropertyNamingStrategies.NamingBase) PropertyNamingStrategies.KEBAB_CASE)
        .translate(component.getName());
  }

  /** The record behind a component: itself, or what an Optional holds. */
  private static Optional<Class<? extends Record>> section(RecordComponent component) {
    Class<?> type = component.getType();
    if (type == Optional.class
        && component.getGenericType() instanceof ParameterizedType optional
        && optional.getActualTypeArguments()[0] instanceof Class<?> held) {
      type = held;
    }
    return type.isRecord() ? Optional.of(type.asSubclass(Record.class)) : Optional.empty();
  }

  private static Config parse(Path file) {
    if (!Files.isReadable(file) || Files.isDirectory(file)) {
      throw new IllegalArgumentException(
          "--config %s: no such file in %s".formatted(file, Path.of("").toAbsolutePath()));
    }
    try {
      return ConfigFactory.parseString(Files.readString(file));
    } catch (ConfigException | IOException e) {
      throw new IllegalArgumentException("--config " + file + ": " + e.getMessage(), e);
    }
  }

  private static Config parse(String override) {
    int equals = override.indexOf('=');
    if (equals < 1) {
      throw new IllegalArgumentException(
          "%s: wanted KEY=VALUE, such as train.steps=100, or an option (--help lists them)"
              .formatted(override));
    }
    String key = override.substring(0, equals).strip();
    String value = override.substring(equals + 1);
    // Spark has keys that are prefixes of others (spark.speculation), which a tree cannot hold.
    String path = key.startsWith("spark.") ? ConfigUtil.joinPath("spark", key.substring(6)) : key;
    try {
      if (value.matches("\\s*[\\[{\"].*")) {
        return ConfigFactory.parseString(path + " = " + value);
      }
      return ConfigFactory.empty().withValue(path, ConfigValueFactory.fromAnyRef(value));
    } catch (ConfigException e) {
      throw new IllegalArgumentException(override + ": " + e.getMessage(), e);
    }
  }

  private void readSparkProperties(Config all) {
    if (!all.hasPath("spark")) {
      return;
    }
    all.getConfig("spark")
        .entrySet()
        .forEach(
            entry ->
                sparkProperties.put(
                    "spark." + String.join(".", ConfigUtil.splitPath(entry.getKey())),
                    entry.getValue().unwrapped().toString()));
  }

  private static boolean contains(Map<String, Object> values, List<String> path) {
    Object value = values.get(path.get(0));
    if (!values.containsKey(path.get(0)) || path.size() == 1 || !(value instanceof Map<?, ?>)) {
      return values.containsKey(path.get(0));
    }
    @SuppressWarnings("unchecked")
    Map<String, Object> inner = (Map<String, Object>) value;
    return contains(inner, path.subList(1, path.size()));
  }

  private IllegalArgumentException explained(IllegalArgumentException e) {
    if (!(e.getCause() instanceof JsonMappingException problem)) {
      return e;
    }
    Throwable refusal = problem;
    while (refusal.getCause() != null && refusal.getCause() != refusal) {
      refusal = refusal.getCause();
    }
    if (refusal != problem && refusal instanceof IllegalArgumentException) {
      return new IllegalArgumentException(refusal.getMessage(), e);
    }
    String path =
        problem.getPath().stream()
            .map(JsonMappingException.Reference::getFieldName)
            .takeWhile(Objects::nonNull)
            .collect(Collectors.joining("."));
    String wanted =
        problem instanceof MismatchedInputException mismatch && mismatch.getTargetType() != null
            ? wanted(mismatch.getTargetType())
            : "another value (" + problem.getOriginalMessage() + ")";
    return new IllegalArgumentException(
        "%s: got %s, wanted %s. %s"
            .formatted(path, got(path), wanted, keys.described(path))
            .strip(),
        e);
  }

  private String got(String path) {
    Object value = settings.getAnyRef(path);
    return value instanceof String text ? "\"" + text + "\"" : value.toString();
  }

  private static String wanted(Class<?> type) {
    if (type.isEnum()) {
      return Arrays.stream(type.getEnumConstants())
          .map(constant -> constant.toString().toLowerCase(Locale.ROOT))
          .collect(Collectors.joining(", ", "one of ", ""));
    }
    if (type == boolean.class || type == Boolean.class) {
      return "true or false";
    }
    if (type == int.class || type == long.class || type == Integer.class || type == Long.class) {
      return "a whole number";
    }
    if (type == double.class || type == float.class || type == Double.class) {
      return "a number";
    }
    if (type.isRecord() || Map.class.isAssignableFrom(type)) {
      return "a section of keys";
    }
    return List.class.isAssignableFrom(type) ? "a list" : "text";
  }
}
