/*
 * y = W x for one x with AVX-512: what MatrixVector.java computes with vectors of 16 floats, in the same order and so to
 * the same bits, and asking for memory ahead of its use, which Java 17 cannot say. A processor's own prefetching stops at
 * the end of each page of 4 KiB; from a page ahead on, narrow weights come about a third faster.
 *
 * Compiled for any x86-64: the functions below name what they need, and usable() tells whether it is there.
 */
#include <immintrin.h>
#include <jni.h>
#include <stdint.h>

#define NATIVE(type, name) JNIEXPORT type JNICALL Java_caravan_model_engine_NativeMatrixVector_##name
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))

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

/* Rows [from, to) of [., stride] floats. */
AVX512 NATIVE(void, f32)
(JNIEnv *env, jclass type, jlong wAt, jint stride, jint cols, jlong xAt, jlong yAt, jint from, jint to, jboolean adds) {
  const float *x = (const float *)(intptr_t)xAt;
  float *y = (float *)(intptr_t)yAt;
  int fours = cols / (4 * WIDTH) * (4 * WIDTH);
  int bound = cols / WIDTH * WIDTH;
  for (jint row = from; row < to; row++) {
    const float *w = (const float *)(intptr_t)wAt + (int64_t)row * stride;
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

AVX512 static inline __m512 lower(__m512i pairs) { return _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)); }

AVX512 static inline __m512 upper(__m512i pairs) {
  return _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32((int)0xffff0000)));
}

/* Rows [from, to) of [., stride] in bf16; x as MatrixVector.arrange makes it. */
AVX512 NATIVE(void, bf16)
(JNIEnv *env, jclass type, jlong wAt, jint stride, jlong xAt, jlong yAt, jint from, jint to, jboolean adds) {
  const float *x = (const float *)(intptr_t)xAt;
  float *y = (float *)(intptr_t)yAt;
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
  const float *x = (const float *)(intptr_t)xAt;
  float *y = (float *)(intptr_t)yAt;
  for (jint row = from; row < to; row++) {
    const char *w = (const char *)(intptr_t)wAt + (int64_t)row * stride;
    const float *scales = (const float *)(intptr_t)scalesAt + (int64_t)row * (stride / BLOCK);
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
