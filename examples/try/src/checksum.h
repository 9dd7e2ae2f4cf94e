/* A short checksum of a text (FNV-1a, 32 bits). Plain C, so that the example has both languages. */
#ifndef CHECKSUM_H
#define CHECKSUM_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C"
#endif
uint32_t checksum(const char *text, size_t length);
#endif
