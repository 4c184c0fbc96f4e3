/* Opening the libraries, and how their errors become Java exceptions. */
#include "library.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DEFINE(name, parameters) Status(*name) parameters;
DRIVER_FUNCTIONS(DEFINE)
COMPILER_FUNCTIONS(DEFINE)
PRODUCT_FUNCTIONS(DEFINE)
#undef DEFINE

void throwText(JNIEnv *env, const char *format, ...) {
  char text[2048];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  jclass type = (*env)->FindClass(env, "caravan/model/engine/cuda/CudaException");
  if (type != NULL) {
    (*env)->ThrowNew(env, type, text);
  }
}

int succeeded(JNIEnv *env, const char *what, Status status) {
  if (status == 0) {
    return 1;
  }
  const char *name = NULL;
  const char *meaning = NULL;
  if (strncmp(what, "cu", 2) == 0 && strncmp(what, "cublas", 6) != 0 && cuGetErrorName != NULL) {
    cuGetErrorName(status, &name);
    cuGetErrorString(status, &meaning);
  }
  throwText(env, "%s: got status %d (%s: %s)", what, status, name == NULL ? "no name" : name,
            meaning == NULL ? "see the library's documentation" : meaning);
  return 0;
}

/* Opens the first of the paths that can be opened; errors gathers what each one answered. */
static void *openFirst(JNIEnv *env, jobjectArray paths, char *errors, size_t capacity) {
  jsize count = (*env)->GetArrayLength(env, paths);
  for (jsize i = 0; i < count; i++) {
    jstring element = (*env)->GetObjectArrayElement(env, paths, i);
    const char *path = (*env)->GetStringUTFChars(env, element, NULL);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
      const char *error = dlerror();
      size_t used = strlen(errors);
      snprintf(errors + used, capacity - used, "%s%s", used == 0 ? "" : "; ", error);
    }
    (*env)->ReleaseStringUTFChars(env, element, path);
    (*env)->DeleteLocalRef(env, element);
    if (library != NULL) {
      return library;
    }
  }
  return NULL;
}

/* A library that another one opens later by its bare name; says whether it could be opened. */
NATIVE(jboolean, preload)(JNIEnv *env, jclass type, jstring path) {
  const char *text = (*env)->GetStringUTFChars(env, path, NULL);
  void *library = dlopen(text, RTLD_NOW | RTLD_LOCAL);
  (*env)->ReleaseStringUTFChars(env, path, text);
  return library != NULL;
}

#define RESOLVE(name, parameters)                                                                                  \
  if ((*(void **)&name = dlsym(library, #name)) == NULL) {                                                         \
    snprintf(errors, sizeof errors, "has no function %s", #name);                                                  \
    return (*env)->NewStringUTF(env, errors);                                                                      \
  }

/* Each returns null, or why the library cannot be used. */
NATIVE(jstring, openDriver)(JNIEnv *env, jclass type, jobjectArray paths) {
  char errors[4096] = "";
  void *library = openFirst(env, paths, errors, sizeof errors);
  if (library == NULL) {
    return (*env)->NewStringUTF(env, errors);
  }
  DRIVER_FUNCTIONS(RESOLVE)
  return NULL;
}

NATIVE(jstring, openCompiler)(JNIEnv *env, jclass type, jobjectArray paths) {
  char errors[4096] = "";
  void *library = openFirst(env, paths, errors, sizeof errors);
  if (library == NULL) {
    return (*env)->NewStringUTF(env, errors);
  }
  COMPILER_FUNCTIONS(RESOLVE)
  return NULL;
}

NATIVE(jstring, openProducts)(JNIEnv *env, jclass type, jobjectArray paths) {
  char errors[4096] = "";
  void *library = openFirst(env, paths, errors, sizeof errors);
  if (library == NULL) {
    return (*env)->NewStringUTF(env, errors);
  }
  PRODUCT_FUNCTIONS(RESOLVE)
  return NULL;
}
