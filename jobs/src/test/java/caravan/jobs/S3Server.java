package caravan.jobs;

import com.amazonaws.auth.AWSStaticCredentialsProvider;
import com.amazonaws.auth.BasicAWSCredentials;
import com.amazonaws.client.builder.AwsClientBuilder.EndpointConfiguration;
import com.amazonaws.services.s3.AmazonS3ClientBuilder;
import java.net.ServerSocket;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/**
 * One bucket on a real S3 server (S3Proxy, objects in memory). It runs in this JVM, to its end,
 * behind a class loader of its own: its libraries never meet Spark's. The build of {@code pipeline}
 * fetches it.
 */
final class S3Server {
  private static final String KEY = "test-key";
  private static final String SECRET = "test-secret";
  private static final String REGION = "us-east-1";
  private static final String BUCKET = "bucket";
  private static final Path JAR =
      Path.of(
          System.getProperty("caravan.root"),
          "pipeline/target/s3proxy/s3proxy-jar-with-dependencies.jar");

  private final String endpoint;

  S3Server(Path folder) throws Exception {
    int port;
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    endpoint = "http://127.0.0.1:" + port;
    start(folder.resolve("server.properties"));
    AmazonS3ClientBuilder.standard()
        .withEndpointConfiguration(new EndpointConfiguration(endpoint, REGION))
        .withPathStyleAccessEnabled(true)
        .withCredentials(new AWSStaticCredentialsProvider(new BasicAWSCredentials(KEY, SECRET)))
        .build()
        .createBucket(BUCKET);
  }

  private void start(Path properties) throws Exception {
    Files.writeString(
        properties,
        """
        s3proxy.endpoint=%s
        s3proxy.authorization=aws-v2-or-v4
        s3proxy.identity=%s
        s3proxy.credential=%s
        jclouds.provider=transient
        jclouds.identity=local
        jclouds.credential=local
        """
            .formatted(endpoint, KEY, SECRET));
    ClassLoader own =
        new URLClassLoader(new URL[] {JAR.toUri().toURL()}, ClassLoader.getPlatformClassLoader());
    Thread thread = Thread.currentThread();
    ClassLoader ours = thread.getContextClassLoader();
    thread.setContextClassLoader(own);
    System.setProperty("LOG_LEVEL", "warn");
    System.setProperty(
        "logback.statusListenerClass", "ch.qos.logback.core.status.NopStatusListener");
    try {
      own.loadClass("org.gaul.s3proxy.Main")
          .getMethod("main", String[].class)
          .invoke(null, (Object) new String[] {"--properties", properties.toString()});
    } finally {
      thread.setContextClassLoader(ours);
    }
  }

  /** What a user sets to reach it. */
  Map<String, String> sparkProperties() {
    return Map.of(
        "spark.hadoop.fs.s3a.endpoint", endpoint,
        "spark.hadoop.fs.s3a.endpoint.region", REGION,
        "spark.hadoop.fs.s3a.path.style.access", "true",
        "spark.hadoop.fs.s3a.access.key", KEY,
        "spark.hadoop.fs.s3a.secret.key", SECRET);
  }

  String path(String key) {
    return "s3a://" + BUCKET + "/" + key;
  }
}
