package caravan.pipeline;

import com.amazonaws.auth.AWSStaticCredentialsProvider;
import com.amazonaws.auth.BasicAWSCredentials;
import com.amazonaws.client.builder.AwsClientBuilder.EndpointConfiguration;
import com.amazonaws.services.s3.AmazonS3ClientBuilder;
import java.net.ServerSocket;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;

/**
 * An empty bucket on a real S3 server (S3Proxy, objects in memory), and a session set up to use it.
 * The server runs in this JVM, to its end, behind a class loader of its own: its libraries never
 * meet Spark's.
 */
public final class TestS3 {
  private static final String KEY = "test-key";
  private static final String SECRET = "test-secret";
  private static final String REGION = "us-east-1";
  private static String endpoint;
  private static int buckets;

  private final String bucket;
  private final SparkSession session = TestSpark.session().newSession();

  public TestS3() throws Exception {
    bucket = newBucket();
    S3a.sparkProperties(List.of(path(""))).forEach(this::set);
    String prefix = "spark.hadoop.fs.s3a.bucket." + bucket + ".";
    set(prefix + "endpoint", endpoint);
    set(prefix + "endpoint.region", REGION);
    set(prefix + "path.style.access", "true");
    set(prefix + "access.key", KEY);
    set(prefix + "secret.key", SECRET);
  }

  /** A session of its own on the shared context, with what a run with s3a paths sets. */
  public SparkSession session() {
    return session;
  }

  private static synchronized String newBucket() throws Exception {
    if (endpoint == null) {
      endpoint = start();
    }
    String bucket = "bucket-" + ++buckets;
    AmazonS3ClientBuilder.standard()
        .withEndpointConfiguration(new EndpointConfiguration(endpoint, REGION))
        .withPathStyleAccessEnabled(true)
        .withCredentials(new AWSStaticCredentialsProvider(new BasicAWSCredentials(KEY, SECRET)))
        .build()
        .createBucket(bucket);
    return bucket;
  }

  private static String start() throws Exception {
    int port;
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    String endpoint = "http://127.0.0.1:" + port;
    Path properties = Path.of("target", "s3proxy", "server.properties");
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
    URL jar = Path.of("target", "s3proxy", "s3proxy-jar-with-dependencies.jar").toUri().toURL();
    ClassLoader own = new URLClassLoader(new URL[] {jar}, ClassLoader.getPlatformClassLoader());
    ClassLoader ours = Thread.currentThread().getContextClassLoader();
    Thread.currentThread().setContextClassLoader(own);
    System.setProperty("LOG_LEVEL", "warn");
    System.setProperty(
        "logback.statusListenerClass", "ch.qos.logback.core.status.NopStatusListener");
    try {
      own.loadClass("org.gaul.s3proxy.Main")
          .getMethod("main", String[].class)
          .invoke(null, (Object) new String[] {"--properties", properties.toString()});
    } finally {
      Thread.currentThread().setContextClassLoader(ours);
    }
    return endpoint;
  }

  /** The s3a path of a key. */
  public String path(String key) {
    return "s3a://" + bucket + "/" + key;
  }

  /** Sets in a running session what users set before it starts. */
  private void set(String property, String value) {
    if (property.startsWith("spark.hadoop.")) {
      Configuration conf = session.sparkContext().hadoopConfiguration();
      conf.set(property.substring("spark.hadoop.".length()), value);
    } else {
      session.conf().set(property, value);
    }
  }
}
