/* CUDA C++ to machine code for one architecture, by NVRTC. */
#include "library.h"

#include <stdlib.h>

enum { MOST_OPTIONS = 16 };

NATIVE(jint, compilerVersion)(JNIEnv *env, jclass type) {
  int major = 0;
  int minor = 0;
  succeeded(env, "nvrtcVersion", nvrtcVersion(&major, &minor));
  return 1000 * major + 10 * minor;
}

static void throwLog(JNIEnv *env, void *program, const char *name, Status status) {
  size_t bytes = 0;
  nvrtcGetProgramLogSize(program, &bytes);
  char *log = calloc(bytes + 1, 1);
  nvrtcGetProgramLog(program, log);
  throwText(env, "%s: NVRTC could not compile it, status %d:\n%s", name, status, log);
  free(log);
}

static jbyteArray cubin(JNIEnv *env, void *program) {
  size_t bytes = 0;
  if (!succeeded(env, "nvrtcGetCUBINSize", nvrtcGetCUBINSize(program, &bytes))) {
    return NULL;
  }
  char *code = malloc(bytes);
  jbyteArray result = NULL;
  if (succeeded(env, "nvrtcGetCUBIN", nvrtcGetCUBIN(program, code))) {
    result = (*env)->NewByteArray(env, (jsize)bytes);
    if (result != NULL) {
      (*env)->SetByteArrayRegion(env, result, 0, (jsize)bytes, (const jbyte *)code);
    }
  }
  free(code);
  return result;
}

NATIVE(jbyteArray, compile)
(JNIEnv *env, jclass type, jstring name, jstring source, jobjectArray options) {
  const char *given[MOST_OPTIONS];
  jstring elements[MOST_OPTIONS];
  jsize count = (*env)->GetArrayLength(env, options);
  if (count > MOST_OPTIONS) {
    throwText(env, "compile: got %d options, wanted at most %d", count, MOST_OPTIONS);
    return NULL;
  }
  for (jsize i = 0; i < count; i++) {
    elements[i] = (*env)->GetObjectArrayElement(env, options, i);
    given[i] = (*env)->GetStringUTFChars(env, elements[i], NULL);
  }
  const char *programName = (*env)->GetStringUTFChars(env, name, NULL);
  const char *text = (*env)->GetStringUTFChars(env, source, NULL);
  void *program = NULL;
  jbyteArray code = NULL;
  if (succeeded(env, "nvrtcCreateProgram", nvrtcCreateProgram(&program, text, programName, 0, NULL, NULL))) {
    Status status = nvrtcCompileProgram(program, count, given);
    if (status != 0) {
      throwLog(env, program, programName, status);
    } else {
      code = cubin(env, program);
    }
    nvrtcDestroyProgram(&program);
  }
  for (jsize i = 0; i < count; i++) {
    (*env)->ReleaseStringUTFChars(env, elements[i], given[i]);
  }
  (*env)->ReleaseStringUTFChars(env, name, programName);
  (*env)->ReleaseStringUTFChars(env, source, text);
  return code;
}
