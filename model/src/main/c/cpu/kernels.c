/*
 * The next token's arithmetic with AVX-512: what MatrixVector, RmsNorm, Rope, SwiGlu and CachedAttention compute in Java with
 * vectors of 16 floats, in the same order and so to the same bits. It is faster in two ways. Products of narrow weights ask
 * for memory ahead of its use, which Java 17 cannot say: a processor's own prefetching stops at the end of each page of
 * 4 KiB. And it is fast at once, where the Vector API crawls until the just-in-time compiler has seen enough of it.
 *
 * Compiled for any x86-64: the functions below name what they need, and usable() tells whether it is there.
 */
#include <immintrin.h>
#include <jni.h>
#include <math.h>
#include <stdint.h>

#define NATIVE(type, name) JNIEXPORT type JNICALL Java_caravan_model_engine_NativeKernels_##name
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))

#define FLOATS(address) ((float *)(intptr_t)(address))

enum { WIDTH = 16, LINE = 64, BLOCK = 32, AHEAD = 4096 };

NATIVE(jboolean, usable)(JNIEnv *env, jclass type) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

AVX512 static inline void prefetch(const char *line) { _mm_prefetch(line + AHEAD, _MM_HINT_T0); }

/* By halves, as Lanes.sum. */
AVX512 static inline float sumOf(__m512 v) {
  __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

static inline void put(float *y, float value, jboolean adds) { *y = adds ? *y + value : value; }

AVX512 static inline __m512 product(const float *w, const float *x, __m512 sum) {
  return _mm512_fmadd_ps(_mm512_loadu_ps(w), _mm512_loadu_ps(x), sum);
}

AVX512 static void times(const float *weights, int64_t stride, int cols, const float *x, float *y, int from, int to,
                         jboolean adds) {
  int fours = cols / (4 * WIDTH) * (4 * WIDTH);
  int bound = cols / WIDTH * WIDTH;
  for (int row = from; row < to; row++) {
    const float *w = weights + row * stride;
    __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
    int j = 0;
    for (; j < fours; j += 4 * WIDTH) {
      s0 = product(w + j, x + j, s0);
      s1 = product(w + j + WIDTH, x + j + WIDTH, s1);
      s2 = product(w + j + 2 * WIDTH, x + j + 2 * WIDTH, s2);
      s3 = product(w + j + 3 * WIDTH, x + j + 3 * WIDTH, s3);
    }
    for (; j < bound; j += WIDTH) {
      s0 = product(w + j, x + j, s0);
    }
    float rest = 0;
    for (; j < cols; j++) {
      rest += w[j] * x[j];
    }
    put(y + row, sumOf(_mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3))) + rest, adds);
  }
}

/* Rows [from, to) of [., stride] floats. */
NATIVE(void, f32)
(JNIEnv *env, jclass type, jlong w, jint stride, jint cols, jlong x, jlong y, jint from, jint to, jboolean adds) {
  times(FLOATS(w), stride, cols, FLOATS(x), FLOATS(y), from, to, adds);
}

AVX512 static inline __m512 lower(__m512i pairs) { return _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)); }

AVX512 static inline __m512 upper(__m512i pairs) {
  return _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32((int)0xffff0000)));
}

/* Rows [from, to) of [., stride] in bf16; x as MatrixVector.arrange makes it. */
AVX512 NATIVE(void, bf16)
(JNIEnv *env, jclass type, jlong wAt, jint stride, jlong xAt, jlong yAt, jint from, jint to, jboolean adds) {
  const float *x = FLOATS(xAt);
  float *y = FLOATS(yAt);
  for (jint row = from; row < to; row++) {
    const char *w = (const char *)(intptr_t)wAt + (int64_t)row * stride * 2;
    __m512 even0 = _mm512_setzero_ps(), odd0 = even0, even1 = even0, odd1 = even0;
    for (int j = 0; j < stride; j += 4 * WIDTH) {
      __m512i a = _mm512_loadu_si512(w + 2 * j);
      __m512i b = _mm512_loadu_si512(w + 2 * j + LINE);
      prefetch(w + 2 * j);
      prefetch(w + 2 * j + LINE);
      even0 = _mm512_fmadd_ps(lower(a), _mm512_loadu_ps(x + j), even0);
      odd0 = _mm512_fmadd_ps(upper(a), _mm512_loadu_ps(x + j + WIDTH), odd0);
      even1 = _mm512_fmadd_ps(lower(b), _mm512_loadu_ps(x + j + 2 * WIDTH), even1);
      odd1 = _mm512_fmadd_ps(upper(b), _mm512_loadu_ps(x + j + 3 * WIDTH), odd1);
    }
    put(y + row, sumOf(_mm512_add_ps(_mm512_add_ps(even0, odd0), _mm512_add_ps(even1, odd1))), adds);
  }
}

/* The byte of each lane that is at the top after a shift to the left. */
#define PART(quads, left) _mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_slli_epi32(quads, left), 24))

/* Rows [from, to) of [., stride] bytes, with a scale per 32; x as MatrixVector.arrange makes it. */
AVX512 NATIVE(void, q8)
(JNIEnv *env, jclass type, jlong wAt, jlong scalesAt, jint stride, jlong xAt, jlong yAt, jint from, jint to,
 jboolean adds) {
  const float *x = FLOATS(xAt);
  float *y = FLOATS(yAt);
  for (jint row = from; row < to; row++) {
    const char *w = (const char *)(intptr_t)wAt + (int64_t)row * stride;
    const float *scales = FLOATS(scalesAt) + (int64_t)row * (stride / BLOCK);
    __m512 sum = _mm512_setzero_ps();
    for (int j = 0; j < stride; j += LINE) {
      __m512i quads = _mm512_loadu_si512(w + j);
      prefetch(w + j);
      __m512 block = _mm512_mul_ps(PART(quads, 24), _mm512_loadu_ps(x + j));
      block = _mm512_fmadd_ps(PART(quads, 16), _mm512_loadu_ps(x + j + WIDTH), block);
      block = _mm512_fmadd_ps(PART(quads, 8), _mm512_loadu_ps(x + j + 2 * WIDTH), block);
      block = _mm512_fmadd_ps(PART(quads, 0), _mm512_loadu_ps(x + j + 3 * WIDTH), block);
      __m512 scale = _mm512_mask_broadcastss_ps(_mm512_set1_ps(scales[j / BLOCK]), 0xff00,
                                                _mm_load_ss(&scales[j / BLOCK + 1]));
      sum = _mm512_fmadd_ps(block, scale, sum);
    }
    put(y + row, sumOf(sum), adds);
  }
}

/* Lane l of a vector gets elements l * parts ... l * parts + parts - 1: as MatrixVector.arrange. */
AVX512 NATIVE(void, arrange)(JNIEnv *env, jclass type, jint parts, jlong xAt, jint cols, jint stride, jlong arrangedAt) {
  const float *x = FLOATS(xAt);
  float *arranged = FLOATS(arrangedAt);
  int group = WIDTH * parts;
  __m512i lanes = _mm512_mullo_epi32(
      _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), _mm512_set1_epi32(parts));
  int start = 0;
  for (; start + group <= cols; start += group) {
    for (int part = 0; part < parts; part++) {
      _mm512_storeu_ps(arranged + start + part * WIDTH, _mm512_i32gather_ps(lanes, x + start + part, sizeof(float)));
    }
  }
  for (int i = start; i < stride; i++) {
    int inGroup = i % group;
    arranged[i - inGroup + inGroup % parts * WIDTH + inGroup / parts] = i < cols ? x[i] : 0;
  }
}

/* One row of RmsNorm.forward. */
AVX512 NATIVE(void, normalize)
(JNIEnv *env, jclass type, jlong xAt, jlong gainAt, jlong outAt, jint width, jfloat epsilon) {
  const float *x = FLOATS(xAt);
  const float *gain = FLOATS(gainAt);
  float *out = FLOATS(outAt);
  int bound = width / WIDTH * WIDTH;
  __m512 squares = _mm512_setzero_ps();
  for (int j = 0; j < bound; j += WIDTH) {
    squares = product(x + j, x + j, squares);
  }
  float sum = sumOf(squares);
  for (int j = bound; j < width; j++) {
    sum += x[j] * x[j];
  }
  float r = (float)(1 / sqrt(sum / width + epsilon));
  for (int j = 0; j < bound; j += WIDTH) {
    __m512 scaled = _mm512_mul_ps(_mm512_loadu_ps(x + j), _mm512_set1_ps(r));
    _mm512_storeu_ps(out + j, _mm512_mul_ps(scaled, _mm512_loadu_ps(gain + j)));
  }
  for (int j = bound; j < width; j++) {
    out[j] = x[j] * r * gain[j];
  }
}

/* Rope.rotate: a' = a cos - b sin, b' = b cos + a sin over the halves a and b of a head. */
NATIVE(void, rotate)(JNIEnv *env, jclass type, jlong headAt, jlong cosAt, jlong sinAt, jint half) {
  float *head = FLOATS(headAt);
  for (int i = 0; i < half; i++) {
    float a = head[i], b = head[half + i], c = FLOATS(cosAt)[i], s = FLOATS(sinAt)[i];
    head[i] = a * c - b * s;
    head[half + i] = b * c + a * s;
  }
}

/* Lanes.exp. What is no number stays that: the operations give their second operand then. */
AVX512 static inline __m512 exponential(__m512 x) {
  __m512 round = _mm512_set1_ps(0x1.8p23f);
  __m512 bounded = _mm512_min_ps(_mm512_set1_ps(88.8f), _mm512_max_ps(_mm512_set1_ps(-88.03f), x));
  __m512 shifted = _mm512_add_ps(_mm512_mul_ps(bounded, _mm512_set1_ps(1.44269504f)), round);
  __m512 n = _mm512_sub_ps(shifted, round);
  __m512 r = _mm512_sub_ps(_mm512_sub_ps(bounded, _mm512_mul_ps(n, _mm512_set1_ps(0.693359375f))),
                           _mm512_mul_ps(n, _mm512_set1_ps(-2.12194440e-4f)));
  __m512 power = _mm512_set1_ps(1.9875691500e-4f);
  power = _mm512_fmadd_ps(power, r, _mm512_set1_ps(1.3981999507e-3f));
  power = _mm512_fmadd_ps(power, r, _mm512_set1_ps(8.3334519073e-3f));
  power = _mm512_fmadd_ps(power, r, _mm512_set1_ps(4.1665795894e-2f));
  power = _mm512_fmadd_ps(power, r, _mm512_set1_ps(1.6666665459e-1f));
  power = _mm512_fmadd_ps(power, r, _mm512_set1_ps(5.0000001201e-1f));
  power = _mm512_add_ps(_mm512_fmadd_ps(power, _mm512_mul_ps(r, r), r), _mm512_set1_ps(1));
  __m512i exponent = _mm512_add_epi32(
      _mm512_castps_si512(shifted), _mm512_sub_epi32(_mm512_set1_epi32(127), _mm512_castps_si512(round)));
  return _mm512_mul_ps(power, _mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23)));
}

/* SwiGlu.forward over whole vectors. */
AVX512 NATIVE(void, gate)(JNIEnv *env, jclass type, jlong gateAt, jlong upAt, jlong outAt, jint count) {
  for (int j = 0; j < count; j += WIDTH) {
    __m512 gate = _mm512_loadu_ps(FLOATS(gateAt) + j);
    __m512 negative = _mm512_castsi512_ps(
        _mm512_xor_si512(_mm512_castps_si512(gate), _mm512_set1_epi32((int)0x80000000)));
    __m512 onePlus = _mm512_add_ps(exponential(negative), _mm512_set1_ps(1));
    _mm512_storeu_ps(FLOATS(outAt) + j,
                     _mm512_mul_ps(_mm512_div_ps(gate, onePlus), _mm512_loadu_ps(FLOATS(upAt) + j)));
  }
}

/* e^(score - maximum) in place, and their sum; up to the next vector they are padded. */
AVX512 static float exponentials(float *scores, int keys) {
  int padded = (keys + WIDTH - 1) / WIDTH * WIDTH;
  for (int j = keys; j < padded; j++) {
    scores[j] = -INFINITY;
  }
  __m512 maxima = _mm512_loadu_ps(scores);
  for (int j = WIDTH; j < padded; j += WIDTH) {
    maxima = _mm512_max_ps(maxima, _mm512_loadu_ps(scores + j));
  }
  __m512 max = _mm512_set1_ps(_mm512_reduce_max_ps(maxima));
  __m512 sums = _mm512_setzero_ps();
  for (int j = 0; j < padded; j += WIDTH) {
    __m512 e = exponential(_mm512_sub_ps(_mm512_loadu_ps(scores + j), max));
    _mm512_storeu_ps(scores + j, e);
    sums = _mm512_add_ps(sums, e);
  }
  return sumOf(sums);
}

/* CachedAttention.attend; scores: room for the keys and a vector more. */
AVX512 NATIVE(void, attend)
(JNIEnv *env, jclass type, jlong queryAt, jfloat scale, jlong keysAt, jlong valuesAt, jint stride, jint keys, jint dim,
 jlong scaledAt, jlong scoresAt, jlong outAt) {
  float *scaled = FLOATS(scaledAt);
  float *scores = FLOATS(scoresAt);
  float *out = FLOATS(outAt);
  for (int i = 0; i < dim; i++) {
    scaled[i] = FLOATS(queryAt)[i] * scale;
  }
  times(FLOATS(keysAt), stride, dim, scaled, scores, 0, keys, 0);
  float factor = 1 / exponentials(scores, keys);
  int d = 0;
  for (; d + 2 * WIDTH <= dim; d += 2 * WIDTH) {
    const float *at = FLOATS(valuesAt) + d;
    __m512 sum = _mm512_setzero_ps(), next = sum;
    for (int t = 0; t < keys; t++, at += stride) {
      __m512 weight = _mm512_set1_ps(scores[t]);
      sum = _mm512_fmadd_ps(_mm512_loadu_ps(at), weight, sum);
      next = _mm512_fmadd_ps(_mm512_loadu_ps(at + WIDTH), weight, next);
    }
    _mm512_storeu_ps(out + d, _mm512_mul_ps(sum, _mm512_set1_ps(factor)));
    _mm512_storeu_ps(out + d + WIDTH, _mm512_mul_ps(next, _mm512_set1_ps(factor)));
  }
  for (; d < dim; d++) {
    const float *at = FLOATS(valuesAt) + d;
    float sum = 0;
    for (int t = 0; t < keys; t++, at += stride) {
      sum += *at * scores[t];
    }
    out[d] = sum * factor;
  }
}
