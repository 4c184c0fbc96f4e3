package caravan.jobs;

import caravan.model.train.TrainConfig;
import caravan.pipeline.S3a;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.typesafe.config.ConfigUtil;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * One command: its settings are the record {@code C}, its work is {@link #run}. The options that
 * every command takes are here.
 */
@Command(
    sortOptions = false,
    mixinStandardHelpOptions = true,
    usageHelpWidth = 110,
    exitCodeListHeading = "Exit status:%n",
    exitCodeList = {
      "0:done",
      "1:the run failed",
      "2:bad usage, settings or input",
      "3:a gate said no",
      "4:stopped on request after a checkpoint; run again to go on"
    })
public abstract class Job<C extends Record> implements Callable<Integer> {
  @Option(
      names = "--config",
      paramLabel = "FILE",
      description = "settings over conf/reference.conf; later files win")
  List<Path> configFiles = new ArrayList<>();

  @Option(
      names = "--master",
      paramLabel = "URL",
      description = "Spark master (default: spark-submit's, else local[*])")
  Optional<String> master = Optional.empty();

  @Option(names = "--force", description = "run again even where a valid output exists")
  boolean force;

  @Option(
      names = "--dry-run",
      description = "print the resolved settings (and what a training needs), and stop")
  boolean dryRun;

  @Option(names = "--verbose", description = "stack traces and Spark's own log lines")
  boolean verbose;

  @Parameters(paramLabel = "KEY=VALUE", description = "settings over all files", arity = "0..*")
  List<String> overrides = new ArrayList<>();

  /** Keys whose values may stand alone on the command line, in this order. */
  private final List<String> words;

  private final Class<C> configType;
  private ConfigLoader settings;
  private Map<String, String> sparkDefaults = Map.of();

  /**
   * @param words keys whose values may stand alone on the command line, in this order: {@code
   *     explain ID}
   */
  protected Job(Class<C> configType, String... words) {
    this.configType = configType;
    this.words = List.of(words);
  }

  final Class<C> configType() {
    return configType;
  }

  /**
   * The work.
   *
   * @return the exit status: 0, or 3 when a gate said no, or 4 when stopped on request
   * @throws IllegalArgumentException when settings or input are unusable (status 2)
   */
  protected abstract int run(C config) throws Exception;

  @Override
  public final Integer call() throws Exception {
    Logging.configure(verbose);
    settings = ConfigLoader.of(configFiles, keyed(overrides));
    C config = settings.read(configType);
    sparkDefaults = S3a.sparkProperties(List.of(ConfigLoader.asMap(config).toString()));
    if (dryRun) {
      System.out.println(pretty(config));
      describe(config);
      return 0;
    }
    return run(config);
  }

  /** What a dry run prints beside the settings. */
  protected void describe(C config) {}

  /** The arguments as KEY=VALUE: those that are not stand for the command's words, in turn. */
  private List<String> keyed(List<String> arguments) {
    Iterator<String> keys = words.iterator();
    return arguments.stream()
        .map(
            argument ->
                argument.matches("[a-z][a-z0-9.-]*=.*") || !keys.hasNext()
                    ? argument
                    : keys.next() + "=" + ConfigUtil.quoteString(argument))
        .toList();
  }

  /** The Spark session of this run; {@code name} appears in Spark's own pages. */
  protected SparkSession openSpark(String name) {
    return SparkSessions.open("caravan " + name, master, sparkDefaults, sparkProperties());
  }

  /**
   * The Spark session of a training, with what the exchange of the workers' states needs.
   *
   * @param parameters of the model that is trained and averaged
   */
  protected SparkSession openSparkToTrain(String name, long parameters, TrainConfig train) {
    return SparkSessions.open(
        "caravan " + name,
        master,
        sparkDefaults,
        SparkSessions.forTraining(parameters, train, sparkProperties()));
  }

  /** Access to files, S3 included, for work that needs no Spark session. */
  protected Configuration hadoop() {
    return SparkSessions.hadoop(sparkDefaults, sparkProperties());
  }

  /** Whether valid outputs are to be made again. */
  protected boolean force() {
    return force;
  }

  /** Every {@code spark.*} key that was given. */
  Map<String, String> sparkProperties() {
    return settings.sparkProperties();
  }

  private static String pretty(Record config) throws JsonProcessingException {
    return new ObjectMapper()
        .writerWithDefaultPrettyPrinter()
        .writeValueAsString(ConfigLoader.asMap(config));
  }
}
