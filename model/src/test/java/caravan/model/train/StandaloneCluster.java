package caravan.model.train;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.spark.SparkConf;

/**
 * A real standalone master and worker processes on this host, from the pinned PySpark distribution.
 */
final class StandaloneCluster implements AutoCloseable {
  private final List<Process> processes = new ArrayList<>();
  private final Path logs;
  private final Path sparkHome;
  private final String url;

  StandaloneCluster(Path directory, int workers) throws Exception {
    logs = directory;
    Path root = Path.of(System.getProperty("caravan.root"));
    Path venv = Path.of(output(root, "jobs/venv", "jobs/python/spark.txt"));
    sparkHome = venv.resolve("lib/python3.11/site-packages/pyspark");
    int port = freePort();
    url = "spark://127.0.0.1:" + port;
    start(
        "master",
        "org.apache.spark.deploy.master.Master",
        "--host",
        "127.0.0.1",
        "--port",
        port + "",
        "--webui-port",
        "0");
    awaitPort(port);
    for (int i = 0; i < workers; i++) {
      start(
          "worker-" + i,
          "org.apache.spark.deploy.worker.Worker",
          "--host",
          "127.0.0.1",
          "--cores",
          "1",
          "--memory",
          "1600m",
          "--webui-port",
          "0",
          "--work-dir",
          directory.resolve("work-" + i).toString(),
          url);
    }
  }

  /** A driver's configuration: one core per executor, this test's classpath on every executor. */
  SparkConf conf(String name) {
    String classpath =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    String flags =
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
            .filter(flag -> flag.startsWith("--add-") || flag.startsWith("-XX:+Ignore"))
            .collect(Collectors.joining(" "));
    return new SparkConf()
        .setAppName(name)
        .setMaster(url)
        .set("spark.driver.host", "127.0.0.1")
        .set("spark.driver.bindAddress", "127.0.0.1")
        .set("spark.ui.enabled", "false")
        .set("spark.executor.cores", "1")
        .set("spark.executor.memory", "1200m")
        .set("spark.executor.extraClassPath", classpath)
        .set("spark.executor.extraJavaOptions", flags + " -XX:+ExitOnOutOfMemoryError");
  }

  private void start(String name, String... command) throws IOException {
    List<String> line = new ArrayList<>(List.of(sparkHome.resolve("bin/spark-class").toString()));
    line.addAll(List.of(command));
    ProcessBuilder builder = new ProcessBuilder(line).redirectErrorStream(true);
    builder.redirectOutput(logs.resolve(name + ".log").toFile());
    builder.environment().put("SPARK_HOME", sparkHome.toString());
    builder.environment().put("SPARK_LOCAL_DIRS", logs.toString());
    builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
    processes.add(builder.start());
  }

  private static String output(Path directory, String... command) throws Exception {
    Process process =
        new ProcessBuilder(command)
            .directory(directory.toFile())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    String text = new String(process.getInputStream().readAllBytes()).strip();
    if (process.waitFor() != 0) {
      throw new IllegalStateException(String.join(" ", command) + " failed");
    }
    return text;
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  private void awaitPort(int port) throws Exception {
    for (int i = 0; i < 300; i++) {
      try (Socket socket = new Socket("127.0.0.1", port)) {
        return;
      } catch (IOException notYet) {
        Thread.sleep(100);
      }
    }
    throw new IllegalStateException(
        "no master after 30 s: " + Files.readString(logs.resolve("master.log")));
  }

  @Override
  public void close() throws Exception {
    for (int i = processes.size() - 1; i >= 0; i--) {
      Process process = processes.get(i);
      process.descendants().forEach(ProcessHandle::destroy);
      process.destroy();
      if (!process.waitFor(10, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    }
  }
}
