#pragma once
#include <stddef.h>
void *malloc(size_t length);
void *calloc(size_t count, size_t length);
void *realloc(void *at, size_t length);
void free(void *at);
void abort(void) __attribute__((noreturn));
int posix_memalign(void **at, size_t alignment, size_t length);
