package caravan.pipeline;

import java.net.URI;
import java.util.Properties;
import org.apache.hadoop.conf.Configuration;
import org.gaul.s3proxy.AuthenticationType;
import org.gaul.s3proxy.S3Proxy;
import org.jclouds.ContextBuilder;
import org.jclouds.blobstore.BlobStoreContext;

/** An S3 server in this JVM that keeps its objects in memory, and S3A settings that reach it. */
public final class TestS3 implements AutoCloseable {
  private static final String BUCKET = "bucket";
  private static final String ACCESS_KEY = "access";
  private static final String SECRET_KEY = "secret";

  private final BlobStoreContext context;
  private final S3Proxy server;

  public TestS3() throws Exception {
    context =
        ContextBuilder.newBuilder("transient")
            .credentials("identity", "credential")
            .overrides(new Properties())
            .buildView(BlobStoreContext.class);
    context.getBlobStore().createContainerInLocation(null, BUCKET);
    server =
        S3Proxy.builder()
            .blobStore(context.getBlobStore())
            .endpoint(URI.create("http://127.0.0.1:0"))
            .awsAuthentication(AuthenticationType.AWS_V2_OR_V4, ACCESS_KEY, SECRET_KEY)
            .build();
    server.start();
  }

  /** {@code s3a://bucket/…}. */
  public String path(String name) {
    return "s3a://" + BUCKET + "/" + name;
  }

  /** Makes {@code s3a://} paths lead here. */
  public void configure(Configuration conf) {
    conf.set("fs.s3a.endpoint", "http://127.0.0.1:" + server.getPort());
    conf.set("fs.s3a.endpoint.region", "us-east-1");
    conf.set("fs.s3a.access.key", ACCESS_KEY);
    conf.set("fs.s3a.secret.key", SECRET_KEY);
    conf.set(
        "fs.s3a.aws.credentials.provider", "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider");
    conf.set("fs.s3a.path.style.access", "true");
    conf.set("fs.s3a.connection.ssl.enabled", "false");
    conf.set("fs.s3a.directory.marker.retention", "keep");
    conf.set("fs.s3a.committer.name", "magic");
    conf.set("fs.s3a.attempts.maximum", "2");
    // A new server listens on a new port: file systems of an earlier one must not be used again.
    conf.set("fs.s3a.impl.disable.cache", "true");
  }

  @Override
  public void close() throws Exception {
    server.stop();
    context.close();
  }
}
