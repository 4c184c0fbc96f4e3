package caravan.pipeline.read;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Instant;
import java.time.LocalDate;
import java.time.temporal.ChronoUnit;
import java.util.Base64;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.NanoTime;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.schema.GroupType;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.DateLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.DecimalLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.ListLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.MapLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.TimestampLogicalTypeAnnotation;
import org.apache.parquet.schema.PrimitiveType;
import org.apache.parquet.schema.PrimitiveType.PrimitiveTypeName;
import org.apache.parquet.schema.Type;

/**
 * Parquet rows as JSON: lists and maps as arrays and objects, dates and times as ISO 8601 (UTC),
 * decimals as numbers, bytes that are no text as Base64. Null fields are absent.
 */
final class ParquetJson {
  private static final JsonNodeFactory JSON = JsonNodeFactory.withExactBigDecimals(true);

  /** Julian day number of 1970-01-01, in which INT96 times count. */
  private static final int JULIAN_EPOCH = 2_440_588;

  private ParquetJson() {}

  static ObjectNode of(Group row) {
    ObjectNode object = JSON.objectNode();
    GroupType type = row.getType();
    for (int i = 0; i < type.getFieldCount(); i++) {
      Type field = type.getType(i);
      if (field.isRepetition(Type.Repetition.REPEATED)) {
        object.set(field.getName(), repeated(row, i));
      } else if (row.getFieldRepetitionCount(i) > 0) {
        object.set(field.getName(), value(row, i, 0));
      }
    }
    return object;
  }

  private static ArrayNode repeated(Group row, int field) {
    ArrayNode array = JSON.arrayNode();
    for (int i = 0; i < row.getFieldRepetitionCount(field); i++) {
      array.add(value(row, field, i));
    }
    return array;
  }

  private static JsonNode value(Group row, int field, int index) {
    Type type = row.getType().getType(field);
    if (type.isPrimitive()) {
      return primitive(row, field, index, type.asPrimitiveType());
    }
    Group group = row.getGroup(field, index);
    LogicalTypeAnnotation logical = type.getLogicalTypeAnnotation();
    if (logical instanceof ListLogicalTypeAnnotation) {
      return list(group);
    }
    return logical instanceof MapLogicalTypeAnnotation ? map(group) : of(group);
  }

  /** {@code group list (LIST) { repeated group … { element } }}, or without the inner group. */
  private static JsonNode list(Group list) {
    Type repeated = list.getType().getType(0);
    if (repeated.isPrimitive() || repeated.asGroupType().getFieldCount() != 1) {
      return repeated(list, 0);
    }
    ArrayNode array = JSON.arrayNode();
    for (int i = 0; i < list.getFieldRepetitionCount(0); i++) {
      Group element = list.getGroup(0, i);
      boolean present = element.getFieldRepetitionCount(0) > 0;
      array.add(present ? value(element, 0, 0) : JSON.nullNode());
    }
    return array;
  }

  private static JsonNode map(Group map) {
    ObjectNode object = JSON.objectNode();
    for (int i = 0; i < map.getFieldRepetitionCount(0); i++) {
      Group entry = map.getGroup(0, i);
      boolean present = entry.getFieldRepetitionCount(1) > 0;
      object.set(value(entry, 0, 0).asText(), present ? value(entry, 1, 0) : JSON.nullNode());
    }
    return object;
  }

  private static JsonNode primitive(Group row, int field, int index, PrimitiveType type) {
    LogicalTypeAnnotation logical = type.getLogicalTypeAnnotation();
    PrimitiveTypeName name = type.getPrimitiveTypeName();
    if (logical instanceof DecimalLogicalTypeAnnotation decimal) {
      return JSON.numberNode(decimal(row, field, index, name, decimal.getScale()));
    }
    if (logical instanceof TimestampLogicalTypeAnnotation timestamp) {
      return JSON.textNode(time(row.getLong(field, index), timestamp).toString());
    }
    return switch (name) {
      case BOOLEAN -> JSON.booleanNode(row.getBoolean(field, index));
      case INT32 ->
          logical instanceof DateLogicalTypeAnnotation
              ? JSON.textNode(LocalDate.ofEpochDay(row.getInteger(field, index)).toString())
              : JSON.numberNode(row.getInteger(field, index));
      case INT64 -> JSON.numberNode(row.getLong(field, index));
      case FLOAT -> JSON.numberNode(row.getFloat(field, index));
      case DOUBLE -> JSON.numberNode(row.getDouble(field, index));
      case INT96 -> JSON.textNode(time(NanoTime.fromBinary(row.getInt96(field, index))).toString());
      case BINARY, FIXED_LEN_BYTE_ARRAY -> text(row.getBinary(field, index));
    };
  }

  private static JsonNode text(Binary binary) {
    byte[] bytes = binary.getBytesUnsafe();
    return JSON.textNode(
        Records.utf8(bytes).orElseGet(() -> Base64.getEncoder().encodeToString(bytes)));
  }

  private static BigDecimal decimal(
      Group row, int field, int index, PrimitiveTypeName name, int scale) {
    BigInteger unscaled =
        switch (name) {
          case INT32 -> BigInteger.valueOf(row.getInteger(field, index));
          case INT64 -> BigInteger.valueOf(row.getLong(field, index));
          default -> new BigInteger(row.getBinary(field, index).getBytes());
        };
    return new BigDecimal(unscaled, scale);
  }

  private static Instant time(long value, TimestampLogicalTypeAnnotation type) {
    return switch (type.getUnit()) {
      case MILLIS -> Instant.ofEpochMilli(value);
      case MICROS -> Instant.EPOCH.plus(value, ChronoUnit.MICROS);
      case NANOS -> Instant.EPOCH.plusNanos(value);
    };
  }

  private static Instant time(NanoTime time) {
    return Instant.EPOCH
        .plus((long) time.getJulianDay() - JULIAN_EPOCH, ChronoUnit.DAYS)
        .plusNanos(time.getTimeOfDayNanos());
  }
}
